/** Every state that a worker can be in, as the pool goes through them and as `workers` shows them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { commandsOf } from "../../runtime/control/commands.ts";
import type { CommandParts } from "../../runtime/control/parts.ts";
import type { HostProcess } from "../../runtime/pool/host_process.ts";
import type { PoolOptions } from "../../runtime/pool/options.ts";
import { Slot } from "../../runtime/pool/slot.ts";
import { eventually, tempDir, test, type TestContext } from "../harness.ts";
import { unstarted } from "./rig.ts";

const GATE = fileURLToPath(new URL("../fixtures/hooks_gate.ts", import.meta.url));

/** A pool that has just begun to start, whose slots keep a record of their states. */
async function site(t: TestContext, options: Partial<PoolOptions> = {}) {
  const made = await unstarted(t, options);
  const { pool } = made;
  const stop = new AbortController();
  t.after(() => stop.abort());
  const started = pool.start(stop.signal);
  const { workers } = commandsOf({ pool, clock: pool.clock } as unknown as CommandParts);
  /** What `workers` says of each, by worker_id. */
  const statuses = async () => {
    const lines = Object.values(await workers({}) as Record<string, { worker_id: number; status: string }>);
    return Object.fromEntries(lines.map(({ worker_id, status }) => [worker_id, status]));
  };
  return { ...made, started, statuses, first: recorded([...pool.fleet.slots.values()][0]), stop };
}

/** The states of a slot from now on. */
function recorded(slot: Slot): { slot: Slot; states: string[] } {
  const states: string[] = [slot.state];
  Object.defineProperty(slot, "state", {
    get: () => states.at(-1),
    set: (state: string) => void (state !== states.at(-1) && states.push(state)),
  });
  return { slot, states };
}

test("Slot is initialized before a host is asked for it", () => {
  assert.equal(new Slot(1, {} as HostProcess, 0).state, "initialized");
});

test("a worker is spawned until its host is up, then starting, then ready", async (t) => {
  const gate = createServer().listen(0, "127.0.0.1");
  t.after(() => gate.close());
  await once(gate, "listening");
  const waiting = once(gate, "connection");
  const environment = { HOOK_GATE: `${(gate.address() as AddressInfo).port}` };
  const { first, started, statuses } = await site(t, { hooks: GATE, environment });
  const { pid } = first.slot.host;
  process.kill(pid, "SIGSTOP");
  assert.deepEqual(await statuses(), { 1: "spawned" });
  assert.equal(first.slot.free, false);
  process.kill(pid, "SIGCONT");
  const [hook] = await waiting;
  assert.deepEqual(await statuses(), { 1: "starting" });
  assert.equal(first.slot.free, false);
  hook.end();
  await started;
  assert.deepEqual(await statuses(), { 1: "ready" });
  assert.deepEqual(first.states, ["spawned", "starting", "ready"]);
});

test("a second worker of a host that is up is starting at once", async (t) => {
  const { pool, started } = await site(t, { maxSlots: 2 });
  await started;
  pool.fleet.open(false);
  assert.deepEqual([...pool.fleet.slots.values()].map((slot) => slot.state), ["ready", "starting"]);
});

test("a worker that is not needed is stopping, then exited, and is shown for a while", async (t) => {
  const { pool, started, statuses } = await site(t, { maxSlots: 2, scaledownWait: 0.05 });
  await started;
  pool.fleet.open(false);
  const all = [...pool.fleet.slots.values()].map(recorded);
  await eventually(() => pool.fleet.slots.size === 1);
  const gone = all.find(({ slot }) => !pool.fleet.slots.has(slot.id))!;
  assert.deepEqual(gone.states.slice(-3), ["ready", "stopping", "exited"]);
  assert.equal((await statuses())[gone.slot.id], "exited");
  await eventually(async () => assert.deepEqual(Object.values(await statuses()).sort(), ["exited", "ready"]));
});

test("a worker that has ended is shown no longer than removalWait", async (t) => {
  const { pool, started, statuses, first } = await site(t, { removalWait: 0.2 });
  await started;
  pool.stop(first.slot, "stopping");
  assert.deepEqual(await statuses(), { 1: "stopping" });
  await eventually(async () => assert.deepEqual(await statuses(), { 2: "ready" }));
});

test("a worker that has served its time is retired, then exited, and a new one takes its place", async (t) => {
  const { pool, run, started, statuses, first } = await site(t, { maxTasks: 1 });
  await started;
  await run("bound#plain", [1]);
  await eventually(async () => assert.deepEqual(await statuses(), { 1: "exited", 2: "ready" }));
  assert.deepEqual(first.states, ["spawned", "starting", "ready", "retired", "exited"]);
  assert.equal(pool.totals.retired, 1);
});

test("a worker whose host dies is an error, and so is one that does not start", async (t) => {
  const { started, statuses, first } = await site(t);
  await started;
  process.kill(first.slot.host.pid, "SIGKILL");
  await eventually(async () => assert.deepEqual(await statuses(), { 1: "error", 2: "ready" }));
  assert.deepEqual(first.states, ["spawned", "starting", "ready", "error"]);

  const hooks = join(tempDir(), "hooks.mjs");
  writeFileSync(hooks, "export const onStart = 7;");
  const broken = await site(t, { hooks });
  await eventually(async () => assert.equal((await broken.statuses())[1], "error"));
  assert.deepEqual(broken.first.states, ["spawned", "starting", "error"]);
  broken.stop.abort();
  await broken.started;
});

test("a worker that calls exit is an error until its thread is gone, and after it", async (t) => {
  const { run, started, statuses, first } = await site(t);
  await started;
  const { outcome } = await run("exits#byProcess");
  assert.equal(outcome, "failed");
  await eventually(async () => assert.deepEqual(await statuses(), { 1: "error", 2: "ready" }));
  assert.deepEqual(first.states.slice(-2), ["ready", "error"]);
});
