import assert from "node:assert/strict";
import type { Level } from "../../runtime/events.ts";
import { answer, type Reply } from "../../runtime/control/control.ts";
import { commandsOf } from "../../runtime/control/commands.ts";
import type { CommandParts } from "../../runtime/control/parts.ts";
import { systemClock } from "../../runtime/clock.ts";
import type { AdoptedRow, Claimed } from "../../runtime/store/store.ts";
import { hashUuid } from "../../runtime/uuid.ts";
import { claimed } from "../conformance/make.ts";
import { test } from "../harness.ts";

const SECRET = "hunter2";
const ADD = { task: "examples/add" };
const ORIGIN = "0197f000-0000-7000-8000-000000000002";
const slot = (id: number, running: Claimed | null) => ({
  id,
  host: { pid: 4711 },
  state: "ready",
  sent: 3,
  finished: 2,
  heap: 1_000,
  bornAt: systemClock.monotonic(),
  running: running && { claimed: running, since: systemClock.monotonic(), aborted: null },
});

/** A node of two slots: one works, one rests; one waits in line, one is blocked, one delayed. */
function site(more: Partial<CommandParts> = {}) {
  const kwargs = `{"password":"${SECRET}","deep":{"a":1,"b":2}}`;
  const running = claimed({ task: "examples/sleep", args: "[5]", kwargs });
  const queued = claimed({ task: "examples/add", args: '["postgres://me:hunter2@x/y",1]', kwargs });
  const adopted: AdoptedRow[] = [
    { uuid: hashUuid("b"), origin: null, args: [1, 2], kwargs: { token: SECRET }, blocked: true, ...ADD },
    { uuid: hashUuid("d"), origin: ORIGIN, args: [3, 4], kwargs: {}, blocked: false, ...ADD },
  ];
  const slots = [slot(1, running), slot(2, null)];
  const ended = [{ ...slot(3, null), state: "exited" }];
  const did = {
    aborted: [] as string[],
    cancelled: [] as string[],
    ran: [] as unknown[],
    level: "info" as Level,
  };
  const pool = {
    fleet: {
      slots: new Map(slots.map((one) => [one.id, one])),
      ended: () => ended,
      hosts: new Set([{ rss: 5_000 }]),
      running: () => slots.filter((one) => one.running),
    },
    waiting: () => [queued],
    endings: { totals: { finished: 7, cancelled: 2 } },
    totals: { retired: 1 },
    options: { minSlots: 2, maxSlots: 4 },
    abort: (uuid: string, reason: string) => void did.aborted.push(`${uuid} ${reason}`),
  };
  const parts = {
    node: "n1",
    pid: 42,
    runtime: "deno 2.9",
    exporter: () => undefined,
    recent: () => undefined,
    version: "0.1.0",
    queues: ["default", "n1", "broadcast"],
    pool,
    clock: systemClock,
    state: () => "running",
    leader: () => true,
    hearing: () => "connected",
    received: () => ({ messages: 11, controls: 12 }),
    chunks: () => ({ status: { active_messages: 0 }, partials: {} }),
    producers: () => ({ OnStartProducer: {} }),
    adopted: () => Promise.resolve(adopted),
    cancelAdopted: (uuids: string[]) => Promise.resolve(void did.cancelled.push(...uuids)),
    run: (message: unknown) => Promise.resolve(void did.ran.push(message)),
    services: () => [{ name: "self check", failing: false }, { name: "stager", failing: true }],
    level: () => did.level,
    setLevel(level: Level) {
      const previous = did.level;
      did.level = level;
      return previous;
    },
    ...more,
  } as unknown as CommandParts;
  const table = commandsOf(parts);
  // deno-lint-ignore no-explicit-any
  const ask = (command: string, data: any = {}): Promise<Reply> => answer(table, "n1", command, data);
  return { table, ask, did, running, queued, adopted };
}

const keys = (reply: unknown) => Object.keys(reply as Record<string, unknown>).sort();

test("alive answers with the node's name alone", async () => {
  assert.deepEqual(await site().ask("alive"), { node_id: "n1" });
});

test("running answers what runs, waits, is blocked and is delayed, each by its key", async () => {
  const { ask, running } = site();
  const reply = await ask("running");
  assert.deepEqual(keys(reply), ["blocked-0", "delayed-0", "node_id", "queued-0", "worker-0"]);
  const { uuid, task, args, seconds } = reply["worker-0"] as Record<string, unknown>;
  assert.deepEqual([uuid, task, args], [running.uuid, "examples/sleep", [5]]);
  assert.equal(typeof seconds, "number");
  const waiting = reply["queued-0"] as Record<string, unknown>;
  assert.deepEqual([waiting.args, waiting.seconds], [["postgres://me:[redacted]@x/y", 1], null]);
});

test("running filters by task, uuid, args and kwargs, all of them at once, exactly", async () => {
  const { ask, running } = site();
  const found = async (data: unknown) => keys(await ask("running", data)).filter((key) => key !== "node_id");
  assert.deepEqual(await found({ task: "examples/add" }), ["blocked-0", "delayed-0", "queued-0"]);
  assert.deepEqual(await found({ task: "examples/ad" }), []);
  assert.deepEqual(await found({ uuid: running.uuid }), ["worker-0"]);
  assert.deepEqual(await found({ uuid: running.uuid, task: "examples/add" }), []);
  assert.deepEqual(await found({ args: [5] }), ["worker-0"]);
  assert.deepEqual(await found({ args: ["5"] }), []);
  assert.deepEqual(await found({ args: [3, 4] }), ["delayed-0"]);
  const kwargs = { deep: { b: 2, a: 1 }, password: SECRET };
  assert.deepEqual(await found({ kwargs }), ["queued-0", "worker-0"]);
  assert.deepEqual(await found({ kwargs, args: [5] }), ["worker-0"]);
  assert.deepEqual(await found({ kwargs: { deep: { a: 1 } } }), []);
});

test("running finds the copy of a broadcast by the uuid that its publisher knows", async () => {
  const origin = "0197f000-0000-7000-8000-000000000001";
  const { ask, running } = site();
  running.origin = origin;
  assert.equal(((await ask("running", { uuid: origin }))["worker-0"] as { uuid: string }).uuid, origin);
});

test("running and cancel find by kwargs what is blocked or delayed, and show none", async () => {
  const { ask, did, adopted } = site();
  const [blocked, delayed] = adopted;
  const found = async (data: unknown) => keys(await ask("running", data));
  assert.deepEqual(await found({ kwargs: { token: SECRET } }), ["blocked-0", "node_id"]);
  assert.deepEqual(await found({ kwargs: {} }), ["delayed-0", "node_id"]);
  assert.deepEqual(await found({ kwargs: {}, task: "examples/add", args: [1, 2] }), ["node_id"]);
  const reply = await ask("cancel", { kwargs: { token: SECRET } });
  const shown = { uuid: blocked.uuid, task: "examples/add", args: [1, 2], seconds: null };
  assert.deepEqual(reply, { "blocked-0": shown, node_id: "n1" });
  assert.deepEqual([did.cancelled, did.aborted], [[blocked.uuid], []]);
  await ask("cancel", { kwargs: {} });
  assert.deepEqual(did.cancelled, [blocked.uuid, delayed.uuid]);
});

test("running and cancel take the uuid of a broadcast for its copy, and any text that was a uuid on the wire", async () => {
  const { ask, did, adopted } = site();
  const reply = await ask("cancel", { uuid: ORIGIN.toUpperCase() });
  assert.equal((reply["delayed-0"] as Record<string, unknown>).uuid, ORIGIN);
  assert.deepEqual(did.cancelled, [adopted[1].uuid], "its own, not the one that all copies share");
  assert.deepEqual(keys(await ask("running", { uuid: "b" })), ["blocked-0", "node_id"]);
});

test("running answers without the database when it is away", async () => {
  const { ask } = site({ adopted: () => Promise.reject(new Error("away")) });
  assert.deepEqual(keys(await ask("running")), ["node_id", "queued-0", "worker-0"]);
});

test("cancel signals what runs, removes what waits, and answers with what it was", async () => {
  const { ask, did, running, queued, adopted } = site();
  assert.deepEqual(keys(await ask("cancel", { task: "examples/sleep" })), ["node_id", "worker-0"]);
  assert.deepEqual(did.aborted, [`${running.uuid} CancelledError`]);
  assert.deepEqual(did.cancelled, []);
  const rest = await ask("cancel", { task: "examples/add" });
  assert.deepEqual(keys(rest), ["blocked-0", "delayed-0", "node_id", "queued-0"]);
  assert.deepEqual(did.aborted.slice(1), [`${queued.uuid} CancelledError`]);
  assert.deepEqual(did.cancelled, adopted.map((row) => row.uuid));
  assert.deepEqual(await ask("cancel", { uuid: "nobody's" }), { node_id: "n1" });
});

test("workers answers a line for each slot, and for one that ended a moment ago, with dispatcherd's fields", async () => {
  const { ask, running } = site();
  const { node_id, ...workers } = await ask("workers");
  assert.equal(node_id, "n1");
  assert.deepEqual(keys(workers), ["worker-0", "worker-1", "worker-2"]);
  const gone = workers["worker-2"] as Record<string, unknown>;
  assert.deepEqual([gone.worker_id, gone.status, gone.current_task], [3, "exited", null]);
  const { age, ...busy } = workers["worker-0"] as Record<string, unknown>;
  assert.equal(typeof age, "number");
  assert.deepEqual(busy, {
    worker_id: 1,
    pid: 4711,
    status: "ready",
    finished_count: 2,
    current_task: "examples/sleep",
    current_task_uuid: running.uuid,
    active_cancel: false,
  });
  assert.equal((workers["worker-1"] as Record<string, unknown>).current_task, null);
});

test("main, producers, metrics, chunks and aio_tasks answer in dispatcherd's shapes", async () => {
  const { ask } = site();
  assert.deepEqual(await ask("main"), {
    received_count: 11,
    control_count: 12,
    pid: 42,
    pool: { next_worker_id: 3, finished_count: 7, canceled_count: 2, retirement_count: 1 },
    node_id: "n1",
  });
  assert.deepEqual(await ask("producers"), { OnStartProducer: {}, node_id: "n1" });
  assert.deepEqual(await ask("metrics"), { enabled: false, status: "disabled", node_id: "n1" });
  const status = { host: "127.0.0.1", port: 8070, ready: true };
  const serving = site({ exporter: () => status });
  assert.deepEqual(await serving.ask("metrics"), { enabled: true, status, node_id: "n1" });
  assert.deepEqual(keys(await ask("chunks")), ["node_id", "partials", "status"]);
  const tasks = { "self check": { done: false, stack: "" }, stager: { done: false, stack: "failing" } };
  assert.deepEqual(await ask("aio_tasks"), { ...tasks, node_id: "n1" });
  assert.deepEqual(keys(await ask("aio_tasks", { limit: 1 })), ["node_id", "self check"]);
});

test("rates tells the last minute by queue, and whether anything is counted at all", async () => {
  assert.deepEqual(await site().ask("rates"), { enabled: false, queues: {}, node_id: "n1" });
  const queues = { default: { claimed: [1], settled: [1], failed: [0], wait: [1] } };
  assert.deepEqual(await site({ recent: () => queues }).ask("rates"), {
    enabled: true,
    queues,
    node_id: "n1",
  });
});

test("status nests all of the others", async () => {
  const { ask } = site();
  const { node_id, ...status } = await ask("status");
  assert.equal(node_id, "n1");
  const names = ["aio_tasks", "chunks", "main", "metrics", "producers", "running", "workers"];
  assert.deepEqual(keys(status), names);
  assert.deepEqual(keys(status.running), ["blocked-0", "delayed-0", "queued-0", "worker-0"]);
});

test("set_log_level takes Python's names and answers with the one before", async () => {
  const { ask, did } = site();
  const first = await ask("set_log_level", { level: "DEBUG" });
  assert.deepEqual(first, { logger: "dispatcher", level: "DEBUG", previous_level: "INFO", node_id: "n1" });
  assert.equal(did.level, "debug");
  assert.equal((await ask("set_log_level", { level: "critical" })).previous_level, "DEBUG");
  assert.deepEqual(await ask("set_log_level", { level: "loud" }), {
    error: 'Unknown log level "loud"',
    node_id: "n1",
  });
});

test("run acknowledges what it took, without its kwargs, and answers why it could not", async () => {
  const { ask, did } = site();
  const message = { task: "examples/add", args: [1, 1], kwargs: { password: SECRET } };
  assert.deepEqual(await ask("run", message), {
    ack: { task: "examples/add", args: [1, 1] },
    node_id: "n1",
  });
  assert.deepEqual(did.ran, [message]);
  const failing = site({ run: () => Promise.reject(new Error("no such luck")) });
  assert.deepEqual(await failing.ask("run", {}), { error: "no such luck", node_id: "n1" });
});

test("an unknown command answers in dispatcherd's words, also one that every object has", async () => {
  for (const name of ["nonsense", "", "constructor", "__proto__", "toString"]) {
    assert.deepEqual(await site().ask(name), { error: `No control method ${name}`, node_id: "n1" });
  }
});

for (
  const [command, data] of [
    ["running", { uid: "x" }],
    ["running", { args: 5 }],
    ["cancel", { kwargs: [] }],
    ["cancel", { uuid: 7 }],
    ["workers", { limit: 1 }],
    ["aio_tasks", { limit: 0 }],
    ["set_log_level", {}],
    ["set_log_level", { level: 10 }],
  ] as const
) {
  test(`${command} answers an error to ${JSON.stringify(data)} and does nothing`, async () => {
    const { ask, did } = site();
    const { error, node_id, ...rest } = await ask(command, data);
    assert.match(error as string, /^Cannot read control_data: /);
    assert.deepEqual([node_id, rest, did.aborted, did.cancelled], ["n1", {}, [], []]);
  });
}

test("no reply of any command holds a keyword argument", async () => {
  const { ask, table } = site();
  for (const command of Object.keys(table)) {
    const data = command === "set_log_level" ? { level: "INFO" } : {};
    const text = JSON.stringify(await ask(command, data));
    assert.ok(!text.includes(SECRET) && !text.includes("kwargs"), `${command}: ${text}`);
  }
});
