import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, tempDir, test, type TestContext } from "../harness.ts";
import { cluster, descendants, FIXTURES, isRunning, type Row, ticksOf } from "../integration/cluster.ts";
import { type Ended, type Rig, rig, unstarted } from "./rig.ts";

const noProc = process.platform !== "linux" && "reads /proc";
const idOf = (end: Ended) => Number(end.worker!.split(".")[1]);
const hostOf = (end: Ended) => Number(end.worker!.split(".")[0]);
const seconds = ({ started_at, finished_at }: Row["attempts"][number]) =>
  (Date.parse(finished_at) - Date.parse(started_at!)) / 1000;

// ---- a whole node

test("a node ends examples/spin at its timeout, and its CPU is idle again", { skip: noProc }, async (t) => {
  const { client, node, until } = await cluster(t);
  const { pid } = await node({ name: "n", workers: 1 });
  const { uuid } = await client.publish("examples/spin", [], { timeout: 2 });
  const row = await until(uuid, ({ state }) => state === "discarded");
  assert.deepEqual([row.error?.name, row.error?.message], ["TimeoutError", "Ran longer than 2 s"]);
  const took = seconds(row.attempts[0]);
  assert.ok(took >= 2 && took < 4.5, `it took ${took} s; the timeout is 2, the grace 1, the bound 4`);
  await eventuallyIdle(pid);
  assert.ok(isRunning(pid));
  assert.equal(await (await client.publish("examples/add", [1, 1])).result({ within: 20 }), 2);
});

/** A thread that still spins uses 30 ticks between two looks, or its share of them. */
async function eventuallyIdle(pid: number): Promise<void> {
  let before = Infinity;
  await eventually(() => {
    const used = ticksOf(pid) - before;
    before = ticksOf(pid);
    assert.ok(used >= 0 && used <= 3, `${used} ticks were used since the last look`);
  }, { every: 300 });
}

for (const task of ["crash", "hoard"]) {
  test(`a node charges what ${task} breaks to ${task} alone`, { skip: noProc }, async (t) => {
    const { client, node, until } = await cluster(t);
    const pool = { worker_memory_mb: 64, host_memory_mb: 450 };
    const { pid } = await node({ name: "n", workers: 3, tasks: FIXTURES, config: { pool } });
    const open = join(tempDir(), "open");
    const siblings = [await client.publish("waits#gate", [open]), await client.publish("waits#gate", [open])];
    for (const { uuid } of siblings) await until(uuid, ({ progress }) => progress === "waiting");
    const { uuid } = await client.publish(`shipped#${task}`);
    const guilty = await until(uuid, ({ state }) => state === "discarded");
    writeFileSync(open, "");
    assert.match(guilty.error!.name, /^(HostDied|OutOfMemory)$/);
    assert.match(guilty.error!.message, task === "crash" ? /SIGSEGV/ : /MB|memory/);
    assert.deepEqual(charged(guilty), [1]);
    for (const sibling of siblings) {
      const row = await until(sibling.uuid, ({ state }) => state === "completed");
      assert.equal(row.attempt, 1);
      assert.deepEqual(charged(row), [1]);
    }
    assert.ok(isRunning(pid));
    assert.equal((await client.nodes())[0].pid, pid);
  });
}

/** The numbers of the attempts that counted. */
function charged(row: Row): number[] {
  return row.attempts.filter(({ outcome }) => outcome !== "released").map(({ attempt }) => attempt);
}

test("a node that is killed leaves no host behind, whatever its threads do", { skip: noProc }, async (t) => {
  const { client, node, until } = await cluster(t);
  const { pid, kill, exited } = await node({ name: "n", workers: 5, tasks: FIXTURES });
  const { uuid } = await client.publish("shipped#spin");
  await client.publish("waits#frozen");
  await until(uuid, ({ state }) => state === "running");
  const below = descendants(pid).map((process) => process.pid);
  assert.ok(below.length >= 2, "five slots are in two hosts");
  kill("SIGKILL");
  await exited;
  await eventually(() => assert.deepEqual(below.filter(isRunning), []));
});

test("a node that is killed with reports unread leaves no host behind", { skip: noProc }, async (t) => {
  const { client, node, until } = await cluster(t);
  const { pid, kill, exited } = await node({ name: "n", workers: 2, tasks: FIXTURES });
  const [open, told] = [join(tempDir(), "open"), join(tempDir(), "told")];
  const { uuid } = await client.publish("waits#tells", [open, told]);
  await until(uuid, ({ progress }) => progress === "waiting");
  const below = descendants(pid).map((process) => process.pid);
  // Stopped, it reads nothing more: its end then resets the channel instead of closing it.
  kill("SIGSTOP");
  writeFileSync(open, "");
  await eventually(() => existsSync(told));
  kill("SIGKILL");
  await exited;
  await eventually(() => assert.deepEqual(below.filter(isRunning), []));
});

// ---- a pool

for (const task of ["shipped#spin", "waits#frozen", "waits#deaf"]) {
  test(`Pool kills ${task} after timeout and grace, and its siblings finish`, async (t) => {
    const { pool, run, progress } = await rig(t, { minSlots: 3, maxSlots: 3 });
    const open = join(tempDir(), "open");
    const siblings = [run("waits#gate", [open]), run("waits#gate", [open])];
    await eventually(() => progress.length === 2);
    const end = await run(task, [join(tempDir(), "never")], { timeout: 0.2 });
    assert.deepEqual([end.outcome, end.error.name], ["failed", "TimeoutError"]);
    const next = await run("context");
    assert.notEqual(next.worker, end.worker);
    assert.equal(pool.busy, 2, "its place was taken before the siblings were done");
    writeFileSync(open, "");
    for (const sibling of await Promise.all(siblings)) {
      assert.deepEqual([sibling.outcome, hostOf(sibling)], ["completed", hostOf(end)]);
    }
    await eventually(() => assert.equal(pool.fleet.slots.size, 3));
  });
}

test(
  "Pool ends the host of a thread that does not stop once the siblings are done",
  { skip: noProc },
  async (t) => {
    const { run } = await rig(t, { minSlots: 2, maxSlots: 2 });
    // Longer than a host has to answer, which a leaky one does not have to.
    const sibling = run("shipped#sleep", [3]);
    const end = await run("shipped#spin", [], { timeout: 0.1 });
    assert.equal((await sibling).outcome, "completed");
    await eventuallyIdle(process.pid);
    assert.equal((await run("context")).outcome, "completed");
    assert.equal(end.outcome, "failed");
  },
);

test("Pool gives up siblings that go on longer than leakyWait, uncharged", async (t) => {
  const { run, progress, notices } = await rig(t, { minSlots: 2, maxSlots: 2, leakyWait: 0.2 });
  const sibling = run("waits#gate", [join(tempDir(), "never")]);
  await eventually(() => progress.length === 1);
  await run("shipped#spin", [], { timeout: 0.1 });
  // Where the engine stops the thread there is nothing to give up.
  if (!notices.some(({ text }) => /does not stop/.test(text))) return;
  const { outcome, error } = await sibling;
  assert.deepEqual([outcome, error.name], ["released", "HostLeaky"]);
});

test("Pool keeps the worker of a task that heeds its signal", async (t) => {
  const { pool, run } = await rig(t, { abortGrace: 10 });
  const late = await run("shipped#sleep", [60], { timeout: 0.1 });
  assert.deepEqual([late.outcome, late.error.name], ["failed", "TimeoutError"]);
  const next = await run("context");
  assert.equal(next.worker, late.worker);
  assert.equal(pool.totals.retired, 0);
});

test("Pool.abort() cancels what runs and what waits, and says false of what is not there", async (t) => {
  const { pool, run, progress } = await rig(t, { abortGrace: 10 });
  const never = join(tempDir(), "never");
  const running = run("waits#gate", [never]);
  await eventually(() => progress.length === 1);
  const waiting = run("waits#gate", [never]);
  const [first, second] = pool.holds().map(({ uuid }) => uuid);
  assert.equal(pool.abort(second, "CancelledError"), true);
  assert.equal((await waiting).worker, null);
  assert.equal(pool.abort(first, "CancelledError"), true);
  const ends = await Promise.all([running, waiting]);
  assert.deepEqual(ends.map((end) => end.outcome), ["cancelled", "cancelled"]);
  assert.equal(pool.abort(first, "CancelledError"), false);
  assert.equal((await run("context")).worker, ends[0].worker);
});

test("Pool cancels a busy loop by killing its thread", async (t) => {
  const { pool, run } = await rig(t);
  const end = run("shipped#spin");
  assert.equal(pool.abort(pool.holds()[0].uuid, "CancelledError"), true);
  assert.deepEqual([(await end).outcome, (await end).error.name], ["cancelled", "CancelledError"]);
  assert.equal((await run("context")).outcome, "completed");
});

test("Pool charges the death of a host to the one attempt that ran in it", async (t) => {
  const { run } = await rig(t, { minSlots: 3, maxSlots: 3 });
  const { outcome, error } = await run("shipped#crash");
  assert.deepEqual([outcome, error.name], ["failed", "HostDied"]);
  assert.match(error.message, /^Worker host \d+ was ended by SIGSEGV$/);
  assert.equal((await run("context")).outcome, "completed");
});

test("Pool releases all that ran in a host that died, to run alone the next time", async (t) => {
  const { run, progress } = await rig(t, { minSlots: 3, maxSlots: 3 });
  const open = join(tempDir(), "open");
  const sibling = run("waits#gate", [open]);
  await eventually(() => progress.length === 1);
  const ends = await Promise.all([sibling, run("shipped#crash")]);
  for (const { outcome, solo } of ends) assert.deepEqual([outcome, solo], ["released", true]);
  writeFileSync(open, "");
  const alone = await Promise.all([
    run("waits#gate", [open], { solo: true }),
    run("shipped#crash", [], { solo: true }),
    run("context"),
  ]);
  assert.deepEqual(alone.map((end) => end.outcome), ["completed", "failed", "completed"]);
  const [, , other] = alone.map(hostOf);
  assert.ok(alone.slice(0, 2).every((end) => hostOf(end) !== other), "suspects have hosts of their own");
});

// ---- recycling and size

/** Wait until the worker of an attempt is gone and another is ready in its place. */
async function replaced({ pool }: Rig, end: Ended): Promise<void> {
  await eventually(() => {
    assert.ok(!pool.fleet.slots.has(idOf(end)), "the worker is still there");
    assert.equal([...pool.fleet.slots.values()].filter((slot) => slot.free).length, 1);
  });
}

test("Pool replaces a worker that has run worker_max_tasks attempts", async (t) => {
  const made = await rig(t, { maxTasks: 3 });
  const ends: Ended[] = [];
  for (let i = 0; i < 3; i++) ends.push(await made.run("context"));
  assert.equal(new Set(ends.map((end) => end.worker)).size, 1);
  await replaced(made, ends[0]);
  assert.notEqual((await made.run("context")).worker, ends[0].worker);
  assert.equal(made.pool.totals.retired, 1);
});

test("Pool replaces an idle worker by age, and never one that works", async (t) => {
  const made = await rig(t, { maxAge: 0.3 });
  const first = await made.run("shipped#sleep", [0.6]);
  assert.equal(first.outcome, "completed");
  await replaced(made, first);
  assert.equal(made.pool.totals.crashed, 0);
});

test("Pool replaces a worker whose heap has grown over its limit", async (t) => {
  const made = await rig(t, { maxHeapMb: 60 });
  const small = await made.run("keeps", [1]);
  assert.equal((await made.run("context")).worker, small.worker);
  const grown = await made.run("keeps", [120]);
  assert.deepEqual([grown.outcome, grown.worker], ["completed", small.worker]);
  await replaced(made, grown);
});

test("Pool grows to its maximum while work waits and no further, and shrinks after disuse", async (t) => {
  const made = await rig(t, { minSlots: 1, maxSlots: 6, scaledownWait: 0.2 });
  const { pool, run, progress } = made;
  const most = watchSize(t, made);
  const open = join(tempDir(), "open");
  const ends = Array.from({ length: 12 }, () => run("waits#gate", [open]));
  await eventually(() => new Set(progress.map(({ uuid }) => uuid)).size === 6);
  assert.equal(pool.busy, 6);
  assert.equal(pool.fleet.hosts.size, 2);
  writeFileSync(open, "");
  assert.ok((await Promise.all(ends)).every((end) => end.outcome === "completed"));
  await eventually(() => assert.deepEqual([pool.fleet.slots.size, pool.fleet.hosts.size], [1, 1]));
  assert.equal(most(), 6);
});

/** Look at the size again and again; the returned function gives the most that was seen. */
function watchSize(t: TestContext, { pool }: Rig): () => number {
  let most = 0;
  const timer = setInterval(() => most = Math.max(most, pool.fleet.counted().length), 1);
  t.after(() => clearInterval(timer));
  return () => most;
}

test("Pool runs a burst in its one worker, each attempt once", async (t) => {
  const made = await rig(t);
  const ends = await Promise.all(Array.from({ length: 500 }, () => made.run("context")));
  assert.ok(ends.every((end) => end.outcome === "completed"));
  assert.deepEqual([made.ends.length, new Set(made.ends).size], [500, 500]);
  assert.equal(new Set(ends.map((end) => end.worker)).size, 1);
});

for (
  const [what, options] of Object.entries({
    "the tasks root is gone": { root: "/nowhere/at/all" },
    "its memory limit is absurd": { hostMemoryMb: 1 },
  })
) {
  test(`Pool waits longer from start to start, and says so, when ${what}`, async (t) => {
    const { pool, notices } = await unstarted(t, options);
    const stop = new AbortController();
    const started = pool.start(stop.signal);
    const waits = () =>
      notices.flatMap(({ level, text }) => {
        const found = /^Worker does not start: [^]+; next try in (\d+) ms$/.exec(text);
        return found && level === "error" ? [Number(found[1])] : [];
      });
    await eventually(() => waits().length >= 3, { within: 15_000 });
    stop.abort();
    await started;
    const [first, second, third] = waits();
    assert.ok(first < second && second < third, `waits of ${waits().join(", ")} ms`);
    assert.ok(pool.fleet.hosts.size <= 1);
  });
}

test(
  "Pool.close() gives back what runs and what waits, and leaves no process",
  { skip: noProc },
  async (t) => {
    const { pool, run, progress, ends } = await rig(t, { minSlots: 2, maxSlots: 2 });
    const never = join(tempDir(), "never");
    const attempts = [run("waits#gate", [never]), run("waits#deaf", [never]), run("context")];
    await eventually(() => progress.length === 2);
    const hosts = [...pool.fleet.hosts].map((host) => host.pid);
    await pool.close(AbortSignal.abort());
    const outcomes = (await Promise.all(attempts)).map((end) => end.outcome);
    assert.deepEqual(outcomes, ["released", "released", "released"]);
    assert.equal(ends.length, 3);
    assert.equal(pool.room(), 0);
    await eventually(() => assert.deepEqual(hosts.filter(isRunning), []));
  },
);

test("Pool.close() does not wait for what is just starting", async (t) => {
  const { pool } = await unstarted(t, { minSlots: 8 });
  const started = pool.start(AbortSignal.timeout(1));
  const before = performance.now();
  await pool.close(AbortSignal.abort());
  assert.ok(performance.now() - before < 2_500, "it waits three seconds for an answer");
  assert.equal(pool.fleet.hosts.size, 0);
  await started;
});
