import assert from "node:assert/strict";
import { eventually, test } from "../harness.ts";
import { claimed } from "../conformance/make.ts";
import { statementsAtMost, WORTHWHILE } from "../../runtime/dispatch/gathering.ts";
import { CLAIM_BYTES } from "../../runtime/store/exchange.ts";
import type { Claimed } from "../../runtime/store/store.ts";
import { Away, gate, idle, rig } from "./rig.ts";

test("Dispatcher claims as much as the pool has room for and hands it over", async () => {
  const { store, pool, start, dispatcher } = rig(4, 10);
  const first = store.waiting.slice(0, 4);
  start();
  await idle();
  assert.deepEqual(pool.held, first);
  const [{ settlements, ...work }] = store.exchanges;
  const queues = ["default", "node-1"];
  assert.deepEqual(work, { node: "node-1", instance: "instance-1", queues, limit: 4, floors: [] });
  assert.deepEqual(settlements, []);
  assert.equal(dispatcher.totals.claimed, 4);
  assert.equal(store.exchanges.length, 1, "there is no room for more");
});

test("Dispatcher does not ask again after a claim that found less than there was room for", async () => {
  const { store, pool, start, dispatcher } = rig(4, 3);
  start();
  await idle();
  assert.equal(pool.held.length, 3);
  dispatcher.room();
  await idle();
  assert.equal(store.exchanges.length, 1, "only a wake says that there is more");
  dispatcher.wake();
  await idle();
  assert.equal(store.exchanges.length, 2);
  assert.equal(store.exchanges[1].limit, 1);
});

test("Dispatcher claims on when room comes after a claim that was full", async () => {
  const { store, pool, start, dispatcher } = rig(2, 5);
  start();
  await idle();
  pool.slots = 10;
  dispatcher.room();
  await idle();
  assert.deepEqual(store.exchanges.map((work) => work.limit), [2, 8]);
  assert.equal(pool.held.length, 5);
});

test("Dispatcher settles in the same statement that claims", async () => {
  const { store, pool, start, finish } = rig(2, 4);
  start();
  await idle();
  const uuids = [...pool.held].map((one) => one.uuid);
  const [one, two] = pool.held;
  finish(one);
  finish(two);
  await idle();
  const claims = store.exchanges.filter((work) => work.limit > 0);
  assert.ok(claims[1].settlements.length > 0, "no round trip of its own for the claim");
  assert.deepEqual(store.outcomes(), uuids.map((uuid) => [uuid, "completed"]));
  assert.equal(pool.held.length, 2);
});

test("Dispatcher settles in one statement what ended in one turn", async () => {
  const { store, start, finish } = rig(0);
  start();
  for (let i = 0; i < 20; i++) finish();
  await idle();
  assert.deepEqual(store.exchanges.map((work) => work.settlements.length), [20]);
});

test("Dispatcher gathers outcomes while a statement is under way, into one", async () => {
  const { store, start, finish } = rig(0);
  start();
  const { open, opened } = gate();
  store.before = () => opened;
  finish();
  await idle();
  for (let i = 0; i < 19; i++) finish();
  await idle();
  assert.deepEqual(store.exchanges.map((work) => work.settlements.length), [1]);
  open();
  await idle();
  assert.deepEqual(store.exchanges.map((work) => work.settlements.length), [1, 19]);
});

test("Dispatcher waits for no second statement with so many outcomes that they are worth one", async () => {
  const { store, start, finish } = rig(0);
  start();
  const { open, opened } = gate();
  store.before = () => opened;
  finish();
  await idle();
  for (let i = 0; i < WORTHWHILE; i++) finish();
  await idle();
  assert.deepEqual(store.exchanges.map((work) => work.settlements.length), [1, WORTHWHILE]);
  open();
  await idle();
});

test("Dispatcher gathers outcomes while the pool has work for a while, and not for long", async () => {
  const { store, pool, start, finish } = rig(0);
  start();
  pool.hasPlenty = true;
  for (let i = 0; i < 20; i++) finish();
  await idle();
  assert.equal(store.exchanges.length, 0);
  await eventually(() => store.exchanges.length > 0);
  assert.deepEqual(store.exchanges.map((work) => work.settlements.length), [20]);
  for (let i = 0; i < WORTHWHILE; i++) finish();
  await idle();
  assert.equal(store.exchanges.length, 2, "no more than these is worth waiting for");
});

test("Dispatcher settles no more than 1,000 in one statement", async () => {
  const { store, start, finish, dispatcher } = rig(0);
  start();
  const { open, opened } = gate();
  store.before = () => opened;
  finish();
  await idle();
  for (let i = 0; i < WORTHWHILE; i++) finish();
  await idle();
  for (let i = 0; i < 1_301; i++) finish();
  open();
  await eventually(() => dispatcher.settledAll);
  assert.deepEqual(store.exchanges.map((work) => work.settlements.length), [1, WORTHWHILE, 1_000, 301]);
  assert.equal(dispatcher.totals.settled, 1 + WORTHWHILE + 1_301);
});

for (
  const { nodes, waiting, most } of [
    { nodes: 1, waiting: "a backlog", most: 3 },
    { nodes: 2, waiting: "a backlog", most: 2 },
    { nodes: 3, waiting: "a backlog", most: 1 },
    { nodes: 60, waiting: "a backlog", most: 1 },
    { nodes: 60, waiting: "nothing more", most: 3 },
  ]
) {
  test(`Dispatcher of one of ${nodes} nodes has ${most} statements under way while ${waiting} waits`, async () => {
    const { store, start, finish, dispatcher } = rig(1, waiting === "a backlog" ? 10 : 0);
    dispatcher.sharing = nodes;
    start();
    await idle();
    const { open, opened } = gate();
    store.before = () => opened;
    const begun = store.exchanges.length;
    for (let i = 0; i < 4_000; i++) finish();
    await idle();
    assert.equal(store.exchanges.length - begun, most);
    open();
    await eventually(() => dispatcher.settledAll);
  });
}

test("statementsAtMost() leaves one to the exchanges beside another statement", () => {
  assert.deepEqual([0, 1, 2, 3, 60].map((nodes) => statementsAtMost(nodes, true)), [3, 3, 2, 2, 2]);
  assert.equal(statementsAtMost(0, false), 3);
});

test("Dispatcher never claims more than the room, with two claims under way", async () => {
  const { store, pool, start, dispatcher } = rig(10, 100);
  const { open, opened } = gate();
  store.after = () => opened;
  start();
  await idle();
  pool.slots = 15;
  dispatcher.wake();
  dispatcher.wake();
  await idle();
  assert.deepEqual(store.exchanges.map((work) => work.limit), [10, 5]);
  open();
  await idle();
  assert.equal(pool.held.length, 15);
});

test("Dispatcher claims nothing more after pause() and settles on", async () => {
  const { store, pool, start, finish, dispatcher } = rig(2, 5);
  start();
  await idle();
  dispatcher.pause();
  const uuid = finish(pool.held[0]);
  dispatcher.wake();
  dispatcher.room();
  await idle();
  assert.deepEqual(store.exchanges.slice(1).map((work) => work.limit), [0]);
  assert.deepEqual(store.outcomes(), [[uuid, "completed"]]);
  assert.equal(pool.held.length, 1);
});

test("Dispatcher tells of queues that have work again, and leaves it to the store to tell who waits", async () => {
  const { start, finish, announced } = rig(0);
  start();
  const watch = () => claimed({ options: '{"watch":true}', maxAttempts: 2 });
  finish(watch());
  finish();
  await idle();
  finish(watch(), { outcome: "failed", text: '{"name":"Error","message":"x"}' });
  await idle();
  finish(watch(), { outcome: "released", text: null });
  await idle();
  assert.deepEqual(announced, [[[], [], true], [[], ["default", "node-1"], false]]);
});

test("Dispatcher looks for work again after it released something", async () => {
  const { store, start, finish } = rig(3, 0);
  start();
  await idle();
  finish(claimed(), { outcome: "released", text: null });
  await idle();
  assert.deepEqual(store.exchanges.map((work) => work.limit), [3, 0, 3]);
});

test("Dispatcher logs a stale outcome and does not settle it again", async () => {
  const { store, start, finish, dispatcher, said, announced } = rig(0);
  start();
  const late = claimed({ options: '{"watch":true}' });
  store.stale.add(late.uuid);
  finish(late);
  await idle();
  assert.equal(store.exchanges.length, 1);
  assert.deepEqual([dispatcher.totals.stale, dispatcher.totals.settled], [1, 0]);
  assert.deepEqual(said(), ["settle.stale"]);
  assert.deepEqual(announced, []);
});

test("Dispatcher knows when everything is settled", async () => {
  const { store, start, finish, dispatcher } = rig(0);
  start();
  assert.equal(dispatcher.settledAll, true);
  const { open, opened } = gate();
  store.before = () => opened;
  finish();
  await idle();
  assert.equal(dispatcher.settledAll, false, "it is on its way");
  open();
  await idle();
  assert.equal(dispatcher.settledAll, true);
});

test("Dispatcher drops what is pending of a lost instance and claims under the new one", async () => {
  const { store, pool, start, finish, dispatcher } = rig(1, 2);
  start();
  await idle();
  const { open, opened } = gate();
  store.before = () => opened;
  // One statement is under way, what ends meanwhile waits.
  finish();
  finish();
  const dropped = finish();
  dispatcher.renew("instance-2");
  pool.held.length = 0;
  open();
  await idle();
  assert.ok(!store.outcomes().some(([uuid]) => uuid === dropped));
  assert.equal(store.exchanges.at(-1)?.instance, "instance-2");
  assert.equal(pool.held.length, 1);
});

test("Dispatcher claims no more of one size than one claim hands out", async () => {
  const { store, pool, start } = rig(100, 40);
  pool.intake.meanBytes = CLAIM_BYTES / 10;
  start();
  await idle();
  assert.deepEqual(store.exchanges.map(({ limit }) => limit).slice(0, 4), [10, 10, 10, 10]);
  assert.equal(pool.held.length, 40);
  const large = rig(100, 3);
  large.pool.intake.meanBytes = 100 * CLAIM_BYTES;
  large.start();
  await idle();
  assert.equal(large.pool.held.length, 3, "one at a time");
});

test("Dispatcher that is woken often looks by itself, and settles with the next look", async () => {
  const { store, pool, start, dispatcher, clock, finish } = rig(10, 0, true);
  start();
  await idle();
  for (let i = 0; i < 100; i++) dispatcher.woken();
  await idle();
  assert.equal(store.vigils, 1);
  const asked = store.exchanges.length;
  const calls = store.calls.length;
  store.waiting.push(claimed());
  for (let i = 0; i < 100; i++) dispatcher.woken();
  await idle();
  assert.equal(store.exchanges.length, asked);
  await clock.advance(5);
  await idle();
  assert.equal(store.exchanges.length, asked + 1);
  const [one] = pool.held;
  finish(one);
  await idle();
  assert.equal(store.exchanges.length, asked + 1);
  await clock.advance(5);
  await idle();
  assert.deepEqual(store.exchanges.at(-1)!.settlements.map(({ uuid }) => uuid), [one.uuid]);
  assert.equal(
    store.calls.slice(calls).filter((call) => call === "on").length,
    0,
    "it is not on call meanwhile",
  );
  // What it finds is not worth it.
  await clock.advance(1_100);
  store.waiting.push(claimed());
  dispatcher.woken();
  await idle();
  assert.equal(pool.held.length, 1);
});

test("Dispatcher that looks by itself beside others settles with the next look, and what is urgent as ever", async (t) => {
  const { store, pool, start, dispatcher, finish } = rig(10);
  store.waiting.push(claimed(), claimed({ options: '{"watch":true}' }));
  dispatcher.sharing = 3;
  start();
  await idle();
  for (let i = 0; i < 100; i++) dispatcher.woken();
  await idle();
  const { setTimeout } = globalThis;
  const asked: unknown[] = [];
  t.after(() => void (globalThis.setTimeout = setTimeout));
  globalThis.setTimeout = ((...args: Parameters<typeof setTimeout>) => {
    asked.push(args[1]);
    return setTimeout(...args);
  }) as typeof setTimeout;
  const [usual, watched] = pool.held;
  finish(usual);
  await idle();
  finish(watched);
  await idle();
  assert.deepEqual(asked.filter((ms) => ms === 10 || ms === 30), [30, 10]);
});

test("Dispatcher gives back what came without its content, as if it had never been claimed, and claims on", async () => {
  const { store, pool, start, dispatcher, said } = rig(10, 14);
  const all = [...store.waiting];
  store.handsOut = 3;
  let late: Claimed[] = [];
  store.before = ({ settlements }) => {
    const back = settlements.filter(({ outcome }) => outcome === "released").map(({ uuid }) => uuid);
    late = late.concat(all.filter(({ uuid }) => back.includes(uuid)));
    if (store.exchanges.length === 2) store.handsOut = Infinity;
  };
  start();
  await idle();
  assert.deepEqual(store.exchanges[0].limit, 10);
  assert.deepEqual(pool.held.slice(0, 3), all.slice(0, 3));
  assert.deepEqual(late, all.slice(3, 10));
  const { settlements } = store.exchanges[1];
  assert.ok(
    settlements.every(({ record, error, delay }) => record === null && error === null && delay === null),
  );
  assert.deepEqual(pool.held.slice(3), all.slice(10), "there is room again");
  assert.equal(dispatcher.totals.claimed, 7);
  assert.deepEqual(said().filter((name) => /stale|refused/.test(name)), []);
});

test("Dispatcher keeps outcomes while the database is away and settles them later", async () => {
  const { store, start, finish, dispatcher, said, texts } = rig(0);
  start();
  let away = true;
  store.before = () => {
    if (away) throw new Away("connection refused");
  };
  const uuids = [finish(), finish(), finish()];
  await idle();
  assert.equal(dispatcher.connected, false);
  assert.equal(dispatcher.settledAll, false);
  uuids.push(finish());
  // Fails a second time, then answers.
  await eventually(() => store.exchanges.length >= 3);
  away = false;
  await eventually(() => dispatcher.settledAll);
  assert.equal(dispatcher.connected, true);
  assert.equal(dispatcher.totals.settled, 4);
  const last = store.exchanges.at(-1)!.settlements.map((s) => s.uuid);
  assert.deepEqual([...last].sort(), [...uuids].sort());
  assert.deepEqual(said(), ["store.down", "store.up"], "one line at the start, one at the end");
  assert.match(texts()[0], /^Database does not answer: Away: connection refused$/);
});

test("Dispatcher claims nothing while the database is away, and asks it once in a while only", async () => {
  const { store, pool, start, dispatcher, said } = rig(4, 8);
  let away = true;
  store.before = () => {
    if (away) throw new Away("gone");
  };
  start();
  await idle();
  for (let i = 0; i < 100; i++) {
    dispatcher.wake();
    dispatcher.room();
  }
  await idle();
  assert.equal(store.exchanges.length, 1, "a wake does not make it ask sooner");
  assert.deepEqual(pool.held, []);
  away = false;
  await eventually(() => pool.held.length === 4);
  assert.deepEqual(said(), ["store.down", "store.up"]);
});

test("Dispatcher says of many stale outcomes in some lines, and how many more there were", async () => {
  const { store, start, finish, dispatcher, texts } = rig(1);
  const { open, opened } = gate();
  start();
  await idle();
  store.before = () => opened;
  finish();
  await idle();
  finish();
  await idle();
  for (let i = 0; i < 100; i++) store.stale.add(finish());
  open();
  await eventually(() => dispatcher.settledAll);
  assert.deepEqual(texts().slice(-1), ["Settled nothing: 80 more attempts were stale"]);
  assert.equal(texts().length, 21);
  assert.equal(dispatcher.totals.stale, 100);
});

/** With an empty pool, let the statements under way be answered until all is settled; what was asked since. */
async function letGo({ store, pool, dispatcher }: ReturnType<typeof rig>, open: () => void) {
  pool.held.splice(0);
  const before = store.exchanges.length;
  dispatcher.wake();
  open();
  await eventually(() => dispatcher.settledAll);
  return store.exchanges.slice(before);
}

test("Dispatcher claims nothing while two thousand outcomes wait to be settled", async () => {
  const made = rig(4, 12);
  const { store, pool, start, finish } = made;
  const { open, opened } = gate();
  start();
  await idle();
  store.before = () => opened;
  // As many statements as may be are under way; what ends meanwhile waits, however much it is.
  for (let i = 0; i < 4_002; i++) {
    finish();
    if (i < 2) await idle();
  }
  const late = await letGo(made, open);
  assert.equal(late[0].limit, 0, "more than 2,000 waited");
  assert.equal(late[0].settlements.length, 1_000);
  await eventually(() => pool.held.length === 4);
});

test("Dispatcher settles large results in parts, and begins nothing while too much of them waits", async () => {
  const made = rig(4, 12);
  const { store, pool, start, finish } = made;
  const { open, opened } = gate();
  start();
  await idle();
  store.before = () => opened;
  const text = "x".repeat(2 ** 20);
  for (let i = 0; i < 2; i++) {
    finish();
    await idle();
  }
  for (let i = 0; i < 120; i++) finish(undefined, { text });
  await idle();
  assert.equal(pool.isHeld, true);
  const late = await letGo(made, open);
  assert.equal(late[0].limit, 0, "nothing more is claimed");
  const large = store.exchanges.map(({ settlements }) =>
    settlements.filter((one) => one.result === text).length
  );
  assert.equal(Math.max(...large), 16);
  assert.equal(pool.isHeld, false);
  await eventually(() => pool.held.length === 4);
});

test("Dispatcher reconciles after a lost answer, naming all that it knows of, before it claims again", async () => {
  const { store, pool, start, finish, dispatcher, said } = rig(4, 12);
  start();
  await idle();
  store.after = () => {
    throw new Away("connection closed");
  };
  const ended = pool.held[0];
  finish(ended);
  const known = [...pool.holds(), ended].map(({ uuid, fence }) => ({ uuid, fence }));
  await idle();
  const lost = store.exchanges.at(-1)!;
  assert.equal(lost.limit, 1, "its answer had something claimed");
  store.after = () => {};
  store.reconcile = (instance, held) => {
    store.reconciled.push({ instance, held: held.map(({ uuid, fence }) => ({ uuid, fence })) });
    assert.equal(store.exchanges.at(-1), lost, "nothing was claimed meanwhile");
    return Promise.resolve(["of the lost answer"]);
  };
  await eventually(() => dispatcher.settledAll && pool.held.length === 4);
  assert.deepEqual(store.reconciled, [{ instance: "instance-1", held: known }]);
  assert.deepEqual(said(), ["store.down", "store.reconciled", "store.up"]);
});

test("Dispatcher reconciles only when every statement under way has answered", async () => {
  const { store, pool, start, dispatcher } = rig(2, 10);
  const { open, opened } = gate();
  store.after = async (work) => {
    if (work === store.exchanges[0]) throw new Away("connection closed");
    await opened;
  };
  start();
  pool.slots = 5;
  dispatcher.wake();
  await idle();
  assert.deepEqual(store.exchanges.map((work) => work.limit), [2, 3]);
  assert.deepEqual(store.reconciled, []);
  open();
  await eventually(() => store.reconciled.length === 1);
  assert.equal(
    (store.reconciled as { held: unknown[] }[])[0].held.length,
    3,
    "what the other statement claimed is known by then",
  );
});

test("Dispatcher tries to reconcile until it is answered, and does not claim before", async () => {
  const { store, pool, start } = rig(2, 10);
  store.after = () => {
    throw new Away("connection closed");
  };
  let tries = 0;
  store.reconcile = () => {
    store.after = () => {};
    return ++tries < 2 ? Promise.reject(new Away("still gone")) : Promise.resolve([]);
  };
  start();
  await eventually(() => tries === 2 && pool.held.length === 2);
  assert.equal(store.exchanges.length, 2);
});

/** One whose floors have risen, since much was published: its claims begin there. */
async function risen() {
  const all = rig(100, 0);
  const { store, clock, start, dispatcher } = all;
  store.before = () => clock.advance(5);
  start();
  await idle();
  for (const last of [200_000, 200_001, 200_002]) {
    store.last = last;
    clock.advance(1_000);
    dispatcher.wake();
    await idle();
  }
  const looks = () => store.exchanges.splice(0).map((work) => work.limit > 0 ? work.floors!.length : null);
  looks();
  dispatcher.wake();
  await idle();
  assert.deepEqual(looks(), [2], "from the floors");
  return { ...all, looks };
}

test("Dispatcher looks for what was there before and is available again with the next claim, and tells the others", async () => {
  const { dispatcher, announced, looks } = await risen();
  dispatcher.returned(["default"]);
  dispatcher.wake();
  await idle();
  dispatcher.wake();
  await idle();
  assert.deepEqual(looks(), [0, 2]);
  assert.deepEqual(announced, [[[], ["default"], false]]);
});

test("Dispatcher looks at once for what it has given back itself", async () => {
  const { store, dispatcher, pool, finish, looks } = await risen();
  store.waiting = [claimed()];
  dispatcher.wake();
  await idle();
  looks();
  finish(pool.held[0], { outcome: "released", text: null });
  await idle();
  assert.deepEqual(looks().filter((one) => one !== null), [0]);
});

test("Dispatcher finds what another has given back within 100 ms, once", async () => {
  const { store, clock, pool, looks } = await risen();
  store.waiting = [claimed()];
  await clock.advance(99);
  await idle();
  assert.deepEqual(looks(), []);
  await clock.advance(10);
  await idle();
  assert.deepEqual([looks(), pool.held.length], [[0], 1]);
  await clock.advance(10_000);
  await idle();
  assert.deepEqual(looks(), [], "nothing is owed");
});

test("Dispatcher begins at its floors when claims are slow, and looks from the beginning when it is time", async () => {
  const { store, pool, clock, start, dispatcher } = rig(100, 0);
  const looks = () => store.exchanges.map((work) => work.floors!.length);
  store.before = () => clock.advance(1_000);
  store.last = 100;
  start();
  await idle();
  store.before = () => {};
  for (let i = 0; i < 2; i++) {
    clock.advance(1_000);
    dispatcher.wake();
    await idle();
  }
  assert.deepEqual(looks(), [0, 2, 2]);
  // What was given back lies before the floors: no wake tells of it.
  store.waiting = [claimed()];
  clock.advance(20_001);
  await idle();
  assert.deepEqual(looks(), [0, 2, 2, 0]);
  assert.equal(pool.held.length, 1);
});
