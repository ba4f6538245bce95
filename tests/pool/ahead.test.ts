import assert from "node:assert/strict";
import { claimed } from "../conformance/make.ts";
import { eventually, test, type TestContext } from "../harness.ts";
import { type Ended, FIXTURES, type Rig, rig, SHIPPED } from "./rig.ts";

/** A pool whose tasks were short so far, so that its slots get some ahead. */
async function quick(
  t: TestContext,
  options: Parameters<typeof rig>[1] = {},
  task = "examples/add",
  args: unknown[] = [1, 1],
): Promise<Rig> {
  const made = await rig(t, { root: SHIPPED, ...options });
  await Promise.all(Array.from({ length: 50 }, () => made.run(task, args)));
  return made;
}

const many = (made: Rig, count: number): Promise<Ended[]> =>
  Promise.all(Array.from({ length: count }, () => made.run("results#lengthOf", ["four"])));

const adds = (made: Rig, count: number): Promise<Ended[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => made.run("examples/add", [i, 1])));

/** What is ahead in slots, at some time. */
const ahead = (made: Rig) => made.pool.feeder.ahead().map((claimed) => claimed.uuid);

test("Pool hands short tasks to slots ahead, and each ends once, in order", async (t) => {
  const made = await quick(t);
  const done = adds(made, 200);
  assert.ok(ahead(made).length > 0);
  assert.deepEqual((await done).map((end) => end.result), Array.from({ length: 200 }, (_, i) => i + 1));
  assert.equal(new Set(made.ends).size, made.ends.length);
  assert.deepEqual(made.ends.slice(50), (await done).map((end) => end.claimed.uuid));
  const [slot] = made.pool.fleet.slots.values();
  assert.deepEqual([slot.sent, slot.finished], [250, 250]);
});

test("Pool takes back what is ahead behind a long task, for another slot", async (t) => {
  const made = await quick(t, { minSlots: 2, maxSlots: 2 });
  const long = made.run("examples/sleep", [30], { timeout: 20 });
  const behind = await adds(made, 100);
  assert.ok(behind.every((end) => end.outcome === "completed"));
  assert.equal(made.pool.busy, 1);
  made.pool.abort(made.pool.holds()[0].uuid, "CancelledError");
  const { outcome, worker } = await long;
  assert.equal(outcome, "cancelled");
  const others = new Set(behind.slice(50).map((end) => end.worker));
  assert.deepEqual([...others].filter((other) => other === worker), []);
});

test("Pool that is held begins nothing of what waits, until it is not held", async (t) => {
  const made = await rig(t, { root: SHIPPED, minSlots: 2, maxSlots: 2 });
  made.pool.hold(true);
  const done = adds(made, 20);
  made.pool.hold(true);
  assert.deepEqual([made.pool.busy, made.pool.feeder.aheadCount, made.pool.intake.length], [0, 0, 20]);
  assert.equal(made.pool.waiting().length, 20);
  made.pool.hold(false);
  assert.equal(made.pool.busy, 2);
  assert.deepEqual((await done).map((end) => end.result), Array.from({ length: 20 }, (_, i) => i + 1));
});

test("Pool claims less ahead where arguments or results are large", async (t) => {
  const made = await quick(t, { minSlots: 2, maxSlots: 2 });
  const usual = made.pool.room();
  made.pool.intake.meanBytes = 2 ** 20;
  const large = made.pool.room();
  assert.ok(large < usual, `${large} of ${usual}`);
  made.pool.intake.meanBytes = 0;
  made.pool.endings.meanBytes = 2 ** 20;
  assert.ok(Math.abs(made.pool.room() - large) <= 1, `${made.pool.room()} and ${large}`);
  await many(made, 1);
  assert.ok(made.pool.endings.meanBytes < 2 ** 20, "it learns");
});

test("Pool whose slot has something ahead is not idle, whatever other slots do", async (t) => {
  const made = await quick(t, { minSlots: 2, maxSlots: 2 });
  assert.equal(made.pool.idle, true);
  made.pool.endings.meanMs = 0.002;
  made.pool.submit(Array.from({ length: 8 }, () => claimed()));
  assert.equal(made.pool.fleet.hasFree(), true, "one slot has all eight");
  assert.equal(made.pool.idle, false);
  await eventually(() => made.ends.length === 58);
  assert.equal(made.pool.idle, true);
});

test("Pool runs long tasks in all its slots, however tiny they were before", async (t) => {
  const made = await quick(t, { minSlots: 4, maxSlots: 4 });
  made.pool.endings.meanMs = 0.002;
  const long = { task: "examples/sleep", args: "[30]", timeout: 20 };
  made.pool.submit(Array.from({ length: 8 }, () => claimed(long)));
  assert.equal(made.pool.busy, 1, "one slot has all eight");
  await eventually(() => made.pool.busy === 4);
  assert.ok(made.pool.endings.meanMs > 1, "it was learnt before any of them ended");
  await eventually(() => ahead(made).length === 0);
});

test("Pool has no room behind tasks that are long, however short they were before", async (t) => {
  const made = await quick(t, { minSlots: 1, maxSlots: 1 });
  assert.ok(made.pool.room() > 1);
  const long = made.run("examples/sleep", [30], { timeout: 20 });
  await eventually(() => made.pool.room() === 0);
  made.pool.abort(made.pool.holds()[0].uuid, "CancelledError");
  assert.equal((await long).outcome, "cancelled");
});

test("Pool gives none ahead where tasks are long", async (t) => {
  const made = await rig(t, { root: SHIPPED });
  await Promise.all([1, 2, 3].map(() => made.run("examples/sleep", [0.05])));
  const done = Promise.all(Array.from({ length: 5 }, () => made.run("examples/sleep", [0.05])));
  assert.deepEqual(ahead(made), []);
  await done;
});

test("Pool ends what is ahead and is cancelled, unstarted, and the rest goes on", async (t) => {
  const made = await quick(t);
  const long = made.run("examples/sleep", [0.5]);
  const done = adds(made, 10);
  const [victim] = ahead(made);
  assert.ok(made.pool.abort(victim, "CancelledError"));
  const ends = await done;
  const cancelled = ends.filter((end) => end.outcome === "cancelled");
  assert.deepEqual(cancelled.map((end) => [end.claimed.uuid, end.started]), [[victim, null]]);
  assert.equal(ends.filter((end) => end.outcome === "completed").length, 9);
  assert.equal((await long).outcome, "completed");
});

test("Pool whose host dies gives back what was ahead in it, suspected and uncharged", async (t) => {
  const made = await quick(t);
  const crash = made.run("examples/crash");
  const behind = await adds(made, 5);
  const { outcome, error } = await crash;
  assert.equal(error.name, "HostDied");
  // On a machine that takes its time all of them are taken back before it dies, and run elsewhere: then it is guilty.
  const lost = behind.filter((end) => end.outcome !== "completed");
  assert.equal(outcome, lost.length > 0 ? "released" : "failed");
  // Nobody knows whether the dead host had begun the next one.
  assert.ok(lost.every((end) => end.outcome === "released" && end.solo && end.error.name === "HostDied"));
});

test("Pool whose thread ends by itself runs what was ahead elsewhere, once", async (t) => {
  const made = await quick(t);
  const [host] = made.pool.fleet.hosts;
  assert.ok(host.alive);
  const spins = made.run("examples/spin", [], { timeout: 0.3 });
  const ends = await adds(made, 20);
  assert.ok(ends.every((end) => end.outcome === "completed"), JSON.stringify(ends.map((end) => end.error)));
  assert.deepEqual([(await spins).outcome, (await spins).error.name], ["failed", "TimeoutError"]);
  assert.equal(new Set(made.ends).size, made.ends.length);
});

test("Pool whose thread breaks hears of all that it has completed before, whether or not the host had looked", async (t) => {
  const made = await quick(t, { root: FIXTURES }, "results#lengthOf", ["four"]);
  for (let round = 0; round < 5; round++) {
    const before = many(made, 20);
    const breaks = made.run("stray#rejection");
    const behind = many(made, 20);
    assert.deepEqual([...new Set((await before).map((end) => end.outcome))], ["completed"]);
    const { outcome, error } = await breaks;
    assert.deepEqual([outcome, error.name], ["failed", "RangeError"]);
    assert.deepEqual([...new Set((await behind).map((end) => end.outcome))], ["completed"]);
  }
  assert.equal(new Set(made.ends).size, made.ends.length);
});

test("Pool hears in order what travels in different ways, as it was", async (t) => {
  const made = await quick(t, { root: FIXTURES }, "results#lengthOf", ["four"]);
  const kinds: [string, unknown[], unknown][] = [
    ["results#repeats", ["plain", 1], "plain"],
    ["results#repeats", ["ä😀\0\u2028", 2], "ä😀\0\u2028ä😀\0\u2028"],
    ["results#repeats", ["x", 5_000], "x".repeat(5_000)],
    ["results#nothing", [], null],
    ["results#repeats", ["\ud800\x1e\x1f\n+", 1], "\ud800\x1e\x1f\n+"],
    ["bound#plain", [7], [7]],
  ];
  const calls = Array.from({ length: 120 }, (_, i) => kinds[(i * 7 + (i >> 3)) % kinds.length]);
  const from = made.ends.length;
  const ends = await Promise.all(calls.map(([task, args]) => made.run(task, args)));
  assert.deepEqual(ends.map((end) => end.result), calls.map(([, , result]) => result));
  assert.deepEqual(made.ends.slice(from), ends.map((end) => end.claimed.uuid));
});

test("Pool runs what is ahead behind a task that posts by itself, in order, and each ends once", async (t) => {
  const made = await quick(t, { root: FIXTURES }, "results#lengthOf", ["four"]);
  const posted = made.run("stray#posts");
  const ends = await many(made, 100);
  assert.equal((await posted).result, "posted");
  assert.ok(ends.every((end) => end.result === 4), JSON.stringify(ends.map((end) => end.error)));
  assert.deepEqual(made.ends.slice(51), ends.map((end) => end.claimed.uuid));
});

test("Pool tells of a name that no task can have, and runs what is ahead behind it", async (t) => {
  const made = await quick(t, { root: FIXTURES }, "results#lengthOf", ["four"]);
  const names = ['odd "name"\n', "a\x1eb\x1fc", '"', "\x1e", "{", "ä"];
  const odd = Promise.all(names.map((name) => made.run(name)));
  const ends = await many(made, 20);
  for (const [i, { outcome, error, hopeless }] of (await odd).entries()) {
    assert.deepEqual([outcome, error.name, hopeless], ["failed", "UnknownTaskError", true]);
    assert.ok(error.message.startsWith(`'${names[i]}' is not a valid task`), error.message);
  }
  assert.ok(ends.every((end) => end.result === 4));
});

test("Pool that closes gives back what is ahead, without a trace", async (t) => {
  const made = await quick(t);
  const long = made.run("examples/sleep", [0.3]);
  const done = adds(made, 10);
  assert.equal(ahead(made).length > 0, true);
  await made.pool.close(AbortSignal.timeout(5_000));
  const ends = await done;
  assert.equal((await long).outcome, "completed");
  assert.deepEqual([...new Set(ends.map((end) => `${end.outcome} ${end.text}`))], ["released null"]);
});

test("Pool retires a worker after its number of tasks, however many were ahead", async (t) => {
  const made = await quick(t, { maxTasks: 60 });
  const ends = await adds(made, 100);
  assert.ok(ends.every((end) => end.outcome === "completed"));
  await eventually(() => made.pool.totals.retired >= 2);
  const byWorker = Map.groupBy(ends, (end) => end.worker);
  for (const [, some] of byWorker) assert.ok(some.length <= 60, `${some.length}`);
});
