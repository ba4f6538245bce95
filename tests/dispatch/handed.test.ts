/** What a dispatcher does with an envelope that a publisher hands over. */
import assert from "node:assert/strict";
import { uuid7 } from "../../runtime/uuid.ts";
import { eventually, test } from "../harness.ts";
import { claimed } from "../conformance/make.ts";
import { Away, gate, idle, rig } from "./rig.ts";

/** As dispatcher.hand() tells it. */
const told = (uuid: string) =>
  ["instance-1", uuid, "default", "examples/add", "[1]", "{}", "{}", "0", "", ""].join("\x1f");

/** A dispatcher that has looked, found nothing, and is on call. */
async function onCall(slots: number) {
  const own = rig(slots, 0, true);
  own.start();
  await idle();
  assert.deepEqual(own.store.calls, ["on"]);
  return own;
}

test("what is handed over is begun without a claim, and settled as any other", async () => {
  const { store, pool, dispatcher, finish, clock } = await onCall(2);
  const exchanges = store.exchanges.length;
  const uuid = uuid7();
  dispatcher.handed(told(uuid));
  assert.deepEqual(pool.held.map((one) => one.uuid), [uuid]);
  assert.equal(dispatcher.totals.claimed, 1);
  await idle();
  assert.equal(store.exchanges.length, exchanges);
  finish(pool.held[0]);
  await eventually(() => dispatcher.settledAll);
  assert.deepEqual(store.outcomes(), [[uuid, "completed"]]);
  assert.equal(store.exchanges.at(-1)!.limit, 0, "nobody has said that there is more");
  await clock.advance(2);
  assert.deepEqual(store.calls, ["on", "on"]);
});

test("a dispatcher is on call only while there is nothing to do and nothing to ask for", async () => {
  const { store, pool, dispatcher, finish, clock } = rig(1, 1, true);
  dispatcher.start(pool as never);
  await idle();
  assert.deepEqual([store.calls, pool.held.length], [[], 1], "its slot is taken");
  finish(pool.held[0]);
  await idle();
  assert.deepEqual(store.calls, [], "it has just claimed: more may follow");
  await clock.advance(25);
  assert.deepEqual(store.calls, ["on"]);
  // Another claim fills the slot.
  store.waiting = [claimed()];
  dispatcher.wake();
  await idle();
  assert.deepEqual([store.calls, pool.held.length], [["on", "off"], 1]);
  dispatcher.pause();
  finish(pool.held[0]);
  await clock.advance(1_000);
  assert.equal(store.calls.length, 2, "it claims nothing any more");
  dispatcher.resume();
  await idle();
  await clock.advance(25);
  assert.equal(store.calls.at(-1), "on");
  dispatcher.pause();
  await idle();
  assert.equal(store.calls.at(-1), "off");
});

test("what is handed over too late is given back as if it had never begun, and the others are told", async () => {
  for (const late of ["busy", "paused"] as const) {
    const { store, pool, dispatcher, announced } = await onCall(1);
    if (late === "busy") pool.slots = 0;
    else dispatcher.pause();
    const uuid = uuid7();
    dispatcher.handed(told(uuid));
    await eventually(() => dispatcher.settledAll);
    assert.deepEqual(store.outcomes(), [[uuid, "released"]]);
    const [settlement] = store.exchanges.at(-1)!.settlements;
    assert.deepEqual([settlement.record, settlement.delay], [null, null]);
    assert.deepEqual(pool.held, []);
    assert.deepEqual(announced, [[[], ["default", "node-1"], false]]);
  }
});

test("what cannot be read is given back, and all that is known is named", async () => {
  const { store, pool, dispatcher, said } = await onCall(2);
  dispatcher.handed(told(uuid7()));
  dispatcher.handed("nonsense");
  await eventually(() => store.reconciled.length === 1);
  assert.deepEqual(store.reconciled[0].held.map(({ uuid }) => uuid), pool.held.map(({ uuid }) => uuid));
  assert.deepEqual(said(), ["hand.refused"]);
});

test("what is handed over while the books are compared begins afterwards, unless it was given back", async () => {
  const { store, pool, dispatcher, clock } = await onCall(4);
  const [kept, lost, before] = [uuid7(), uuid7(), uuid7()];
  const { open, opened } = gate();
  let tries = 0;
  store.reconcile = async (_, held) => {
    tries++;
    if (tries === 1) throw new Away("closed");
    await opened;
    assert.deepEqual(held.map(({ uuid }) => uuid), [before], "it was told of this one, and has not begun it");
    return [lost];
  };
  dispatcher.doubt();
  dispatcher.handed(told(before));
  await eventually(() => tries === 2);
  dispatcher.handed(told(kept));
  dispatcher.handed(told(lost));
  await idle();
  assert.deepEqual(pool.held, []);
  open();
  await eventually(() => pool.held.length === 2);
  assert.deepEqual(pool.held.map(({ uuid }) => uuid), [before, kept]);
  await clock.advance(25);
  assert.equal(pool.held.length, 2);
});

test("under a new instance nothing is begun that was handed to the former", async () => {
  const { pool, dispatcher } = await onCall(2);
  dispatcher.renew("instance-2");
  dispatcher.handed(told(uuid7()));
  await idle();
  assert.deepEqual(pool.held, []);
});
