/** What a dispatcher does with an envelope that a publisher hands over. */
import assert from "node:assert/strict";
import { uuid7 } from "../../runtime/uuid.ts";
import { eventually, test } from "../harness.ts";
import { claimed } from "../conformance/make.ts";
import { Away, gate, idle, rig } from "./rig.ts";

/** As dispatcher.hand() tells it. */
const told = (uuid: string, number = 1) =>
  ["instance-1", number, uuid, "default", "examples/add", "[1]", "{}", "{}", "0", "", ""].join("\x1f");

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

test("what is handed over beside a claim under way has no room that is promised to that", async () => {
  const { store, pool, dispatcher } = await onCall(1);
  const { open, opened } = gate();
  store.waiting = [claimed()];
  const [{ uuid: waiting }] = store.waiting;
  store.before = () => opened;
  dispatcher.wake();
  await idle();
  const late = uuid7();
  dispatcher.handed(told(late));
  assert.deepEqual(pool.held, []);
  open();
  await eventually(() => dispatcher.settledAll);
  assert.deepEqual(pool.held.map(({ uuid }) => uuid), [waiting]);
  assert.deepEqual(store.outcomes(), [[late, "released"]]);
});

test("a claim leaves a slot to what may be handed over beside it", async () => {
  const { store, pool, dispatcher } = await onCall(3);
  const { open, opened } = gate();
  store.before = () => opened;
  dispatcher.wake();
  await idle();
  assert.equal(store.exchanges.at(-1)!.limit, 2);
  const uuid = uuid7();
  dispatcher.handed(told(uuid));
  assert.deepEqual(pool.held.map((one) => one.uuid), [uuid]);
  open();
  await eventually(() => dispatcher.settledAll);
});

test("what is given back is told to the others", async () => {
  const { store, dispatcher, announced } = await onCall(1);
  store.reconcile = () => Promise.resolve([uuid7()]);
  dispatcher.handed("nonsense");
  await eventually(() => announced.length === 1);
  assert.deepEqual(announced, [[[], ["default", "node-1"], false]]);
});

test("what is handed over while the books are compared begins afterwards, unless it was given back", async () => {
  const { store, pool, dispatcher } = await onCall(4);
  const [before, kept, lost] = [uuid7(), uuid7(), uuid7()];
  const { open, opened } = gate();
  store.reconcile = async (_, held) => {
    assert.deepEqual(held.map(({ uuid }) => uuid), [before]);
    await opened;
    return [lost];
  };
  dispatcher.handed(told(before, 1));
  dispatcher.handed("nonsense");
  await idle();
  dispatcher.handed(told(kept, 2));
  dispatcher.handed(told(lost, 3));
  await idle();
  assert.deepEqual(pool.held.map(({ uuid }) => uuid), [before]);
  open();
  await eventually(() => pool.held.length === 2);
  assert.deepEqual(pool.held.map(({ uuid }) => uuid), [before, kept]);
});

test("after an answer of the comparison was lost, what was heard since is not begun: another may have it", async () => {
  const { store, pool, dispatcher } = await onCall(4);
  const [first, between, second] = [uuid7(), uuid7(), uuid7()];
  const named: string[][] = [];
  const { open, opened } = gate();
  store.reconcile = async (_, held) => {
    named.push(held.map(({ uuid }) => uuid));
    if (named.length === 1) {
      dispatcher.handed(told(first, 1));
      throw new Away("closed");
    }
    if (named.length === 2) await opened;
    return [];
  };
  dispatcher.handed("nonsense");
  await idle();
  dispatcher.handed(told(between, 2));
  await eventually(() => named.length === 2);
  dispatcher.handed(told(second, 3));
  open();
  // Once more, for what was heard and dropped.
  await eventually(() => named.length === 3);
  await idle();
  assert.deepEqual(named, [[], [], []]);
  assert.deepEqual(pool.held, []);
});

test("a doubt that comes while the books are compared is another one", async () => {
  const { store, dispatcher } = await onCall(4);
  let times = 0;
  const { open, opened } = gate();
  store.reconcile = async () => {
    if (++times === 1) await opened;
    return [];
  };
  dispatcher.handed("nonsense");
  await idle();
  dispatcher.handed("nonsense");
  const { length } = store.exchanges;
  dispatcher.wake();
  await idle();
  assert.deepEqual([times, store.exchanges.length], [1, length], "nothing is claimed meanwhile");
  open();
  await eventually(() => times === 2);
});

test("what it did not hear of is found by the number of the next", async () => {
  const { store, pool, dispatcher } = await onCall(4);
  const [first, third] = [uuid7(), uuid7()];
  dispatcher.handed(told(first, 1));
  await idle();
  assert.equal(store.reconciled.length, 0);
  dispatcher.handed(told(third, 3));
  await eventually(() => store.reconciled.length === 1);
  assert.deepEqual(store.reconciled[0].held.map(({ uuid }) => uuid), [first, third]);
  assert.equal(pool.held.length, 2);
});

test("under a new instance nothing is begun that was handed to the former", async () => {
  const { pool, dispatcher } = await onCall(2);
  dispatcher.renew("instance-2");
  dispatcher.handed(told(uuid7()));
  await idle();
  assert.deepEqual(pool.held, []);
});
