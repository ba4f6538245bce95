/**
 * What golden tests look at: rows that are always the same, at a time that stands still.
 *
 * @module
 */
import type { Client } from "../../runtime/client.ts";

export const NOW = Date.parse("2026-03-01T12:00:00.000Z");
const at = (secondsAgo: number) => new Date(NOW - secondsAgo * 1000).toISOString();
const uuid = (n: number) => `0199a000-0000-7000-8000-${String(n).padStart(12, "0")}`;
export const ONE = uuid(1);

type Row = Awaited<ReturnType<Client["list"]>>[number];

const usual: Row = {
  uuid: ONE,
  origin: null,
  queue: "default",
  task: "examples/add",
  args: [1, 2],
  kwargs: { password: "hunter2" },
  options: { guid: "g-1" },
  state: "running",
  priority: 0,
  attempt: 1,
  max_attempts: null,
  timeout: null,
  time_pub: null,
  created_at: at(3),
  due_at: null,
  node: "alpha",
  claimed_at: at(2),
  finished_at: null,
  cancel_at: null,
  progress: null,
  result: null,
  error: null,
  attempts: [],
};
const error = {
  name: "TypeError",
  message: "Cannot read it",
  stack: "TypeError: Cannot read it\n    at task (tasks/mail/welcome.ts:3:9)",
};
const rows: Row[] = [
  usual,
  { ...usual, uuid: uuid(2), state: "scheduled", node: null, claimed_at: null, attempt: 0, due_at: at(-60) },
  {
    ...usual,
    uuid: uuid(3),
    task: "mail/welcome",
    args: ["ada@example.org", { token: "hunter2", text: "x".repeat(300) }],
    state: "discarded",
    attempt: 2,
    max_attempts: 2,
    created_at: at(90_000),
    finished_at: at(80_000),
    error,
    attempts: [1, 2].map((attempt) => ({
      attempt,
      node: "alpha",
      worker: "9758.1",
      started_at: at(80_002),
      finished_at: at(80_000),
      outcome: attempt === 1 ? "retry" : "discarded",
      error,
    })),
  },
];

const node = {
  name: "alpha",
  instance: uuid(90),
  runtime: "node",
  version: "0.1.0",
  host: "machine",
  pid: 9610,
  boot: "b",
  state: "running",
  alive: true,
  min: 4,
  max: 60,
  slots: 4,
  busy: 1,
  listener: "connected",
  rss: 106_730_000,
  resources: { offers: { cpu: 2, gpu: 1 }, used: { gpu: 1 }, ageing: 300, reserved: null },
  queues: ["default", "alpha"],
  started_at: at(7_200),
  last_seen: at(2),
  lease_until: at(-28),
  leader: true,
};
const nodes = [
  node,
  { ...node, name: "beta", pid: 77, runtime: "deno", leader: false, slots: 1, min: 1, max: 1, busy: 0 },
  {
    ...node,
    name: "gamma",
    pid: 3,
    runtime: "bun",
    leader: false,
    state: "lost",
    alive: false,
    last_seen: at(9_000),
  },
];
const worker = { host_pid: 9758, state: "ready", sent: 12, finished: 12, qsize: 0, heap: 5_120_000, age: 60 };
const running = { uuid: ONE, task: "examples/add", args: [1, 2], seconds: 2.5 };
/** What the live one answers; beta says nothing. */
export const STATUS = {
  node_id: "alpha",
  pid: 9610,
  runtime: "node 24.1.0",
  version: "0.1.0",
  state: "running",
  leader: true,
  connection: "connected",
  queues: ["default", "alpha", "broadcast"],
  total: 2,
  min: 4,
  max: 60,
  rss: 106_730_000,
  resources: node.resources,
  workers: [
    { ...worker, tid: 1, running: [] },
    { ...worker, tid: 2, finished: 11, qsize: 1, running: [running] },
  ],
  queued: [],
};
const queues = [
  {
    queue: "default",
    scheduled: 1,
    available: 12_345,
    running: 1,
    retryable: 0,
    oldest_seconds: 75,
    paused: false,
  },
  { queue: "mail", scheduled: 0, available: 0, running: 0, retryable: 2, oldest_seconds: null, paused: true },
];
const schedule = {
  name: "nightly",
  scope: "cluster",
  nodes: null,
  task: "system/purge",
  args: [{ token: "hunter2" }],
  kwargs: { password: "hunter2" },
  queue: "default",
  options: {},
  every: null,
  cron: "0 3 * * *",
  timezone: "Europe/Berlin",
  catch_up: "one",
  enabled: true,
  next_at: at(-3_600),
  last_at: at(82_800),
  last_uuid: uuid(8),
};
const failure = {
  task: "mail/welcome",
  error: "TypeError",
  message: "Cannot read it",
  count: 17,
  first_at: at(90_000),
  last_at: at(80_000),
  last_uuid: uuid(3),
};
const line = (seq: number, level: string, text: string, attempt = 1) => ({
  uuid: ONE,
  fence: attempt,
  seq,
  attempt,
  node: "alpha",
  at: at(3 - seq * 0.5),
  level,
  text,
});

/** A client that always says the same. */
export const fakeClient = {
  list: () => Promise.resolve(rows),
  find: (prefix: string) => Promise.resolve(rows.filter((row) => row.uuid.startsWith(prefix))),
  nodes: () => Promise.resolve(nodes),
  receivers: () => Promise.resolve([]),
  queues: () => Promise.resolve(queues),
  rates: () =>
    Promise.resolve([{ queue: "default", settled_60s: 431.2 }, { queue: "quiet", settled_60s: 0.05 }]),
  schedules: () =>
    Promise.resolve([schedule, {
      ...schedule,
      name: "tick",
      cron: null,
      timezone: null,
      every: 30,
      enabled: false,
    }, {
      ...schedule,
      name: "sweep",
      scope: "node",
      nodes: ["alpha", "beta"],
      queue: "",
      last_at: null,
      last_uuid: null,
    }]),
  failures: () => Promise.resolve([failure]),
  logs: (_: string, { after }: { after?: unknown }) =>
    Promise.resolve(
      after
        ? []
        : [line(1, "info", "begun"), line(2, "warning", "token=[redacted]"), line(3, "info", "again", 2)],
    ),
  why: () =>
    Promise.resolve([{
      uuid: ONE,
      state: "running",
      queue: "default",
      why: [{ code: "running", text: "It runs on alpha" }],
    }]),
  control: (command: string) =>
    Promise.resolve([
      command === "running"
        ? { node_id: "alpha", "worker-0": running }
        : command === "alive"
        ? { node_id: "alpha" }
        : STATUS,
    ]),
} as unknown as Client;
