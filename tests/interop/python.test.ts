// @runtimes node
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { guardChild } from "../harness/child_guard.ts";
import { eventually, tempDir, test, type TestContext } from "../harness.ts";
import { cluster, FIXTURES } from "../integration/cluster.ts";

const PROGRAM = fileURLToPath(new URL("dispatcherd.py", import.meta.url));
// Debian's own: its packages are not there for another Python that PATH may have first.
const PYTHON = existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3";
const skip = needsPsycopg();

/** The reason to skip, or false; always false in CI, where missing means failure. */
function needsPsycopg(): string | false {
  if (process.env.CI === "true") return false;
  return spawnSync(PYTHON, ["-c", "import psycopg"]).status === 0 ? false : "no python3 with psycopg";
}

// deno-lint-ignore no-explicit-any
type Reply = any;

/** Run the Python client to its end; gives what it printed. */
async function python(url: string, ...args: string[]): Promise<Reply> {
  const child = spawn(PYTHON, [PROGRAM, ...args], {
    env: { ...process.env, DATABASE_URL: url },
    stdio: "pipe",
  });
  guardChild(child);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => stdout += chunk);
  child.stderr.on("data", (chunk) => stderr += chunk);
  const code = await new Promise((resolve) => child.once("close", resolve));
  assert.equal(code, 0, stderr);
  return stdout === "" ? undefined : JSON.parse(stdout);
}

async function control(url: string, command: string, data: unknown = {}): Promise<Reply> {
  const { replies } = await python(url, "control", "n1", command, JSON.stringify(data), "20", "1");
  assert.equal(replies.length, 1, `${command} was answered`);
  assert.equal(replies[0].node_id, "n1");
  return replies[0];
}

async function site(t: TestContext, config: Record<string, unknown> = {}, tasks?: string) {
  const made = await cluster(t);
  await made.node({ name: "n1", workers: 2, config: { queues: ["awx"], ...config }, tasks });
  const send = (...messages: unknown[]) =>
    python(made.url, "publish", "awx", ...messages.map((message) => JSON.stringify(message)));
  /** The one row of a task, in its end. */
  const ended = (uuid: string) => made.until(uuid, (row) => row.finished_at !== null);
  return { ...made, send, ended };
}

test("a Python publisher's messages run, with each of its fields", { skip }, async (t) => {
  const { send, ended, client } = await site(t);
  const uuids = Array.from({ length: 7 }, () => crypto.randomUUID());
  const time_pub = Date.now() / 1000;
  const follow = { task: "examples.echo", args: ["after"] };
  const messages = [
    { task: "examples.add", args: [1, 2] },
    { task: "awx.main.tasks.examples.add", args: [20, 22] },
    { task: "examples.echo", args: ["x"], kwargs: { b: 2 } },
    { task: "examples.add", args: [3, 4], delay: 0.2 },
    { task: "examples.sleep", args: [60], timeout: 0.3 },
    { task: "examples.add", args: [5, 6], on_duplicate: "discard", guid: "g-1" },
    { task: "examples.add", args: [7, 8], callbacks: [follow], errbacks: [] },
  ];
  await send(...messages.map((message, i) => ({ ...message, uuid: uuids[i], time_pub })));
  const rows = await Promise.all(uuids.map(ended));
  assert.deepEqual([0, 1, 2, 3, 5, 6].map((i) => rows[i].result), [3, 42, ["x", { b: 2 }], 7, 11, 15]);
  assert.deepEqual([rows[4].state, rows[4].error?.name], ["discarded", "TimeoutError"]);
  assert.equal(rows[0].time_pub, time_pub);
  await send({ task: "examples.add", args: [100, 1] });
  await eventually(async () => {
    const found = await client.list({ task: "examples.add" });
    assert.ok(found.some((row) => row.result === 101), "one without a uuid ran");
  });
});

test("a Python publisher's bound task gets the uuid of its message", { skip }, async (t) => {
  const { send, ended } = await site(t, {}, FIXTURES);
  const uuid = crypto.randomUUID();
  await send({ task: "context", args: [1], bind: true, uuid });
  assert.equal(((await ended(uuid)).result as { uuid: string }).uuid, uuid);
});

test("a Python publisher's long message arrives whole, from chunks in any order", { skip }, async (t) => {
  const { send, ended, url } = await site(t);
  const uuid = crypto.randomUUID();
  const text = 'h€\u{1F600}"\\\n'.repeat(5_000);
  await send({ task: "examples.echo", args: [text], uuid });
  assert.deepEqual((await ended(uuid)).result, [text]);
  const { status, partials } = await control(url, "chunks");
  assert.equal(status.successful_assemblies, 1);
  assert.ok(status.total_chunks_received > 10);
  assert.deepEqual(partials, {});
});

test("a Python controller gets what dispatcherd's commands answer", { skip }, async (t) => {
  const { url, send, until } = await site(t, {}, FIXTURES);
  const uuid = crypto.randomUUID();
  const gate = join(tempDir(), "gate");
  assert.deepEqual(await control(url, "alive"), { node_id: "n1" });
  await send({ task: "waits.gate", args: [gate], kwargs: { password: "hunter2" }, uuid });
  await until(uuid, (row) => row.state === "running");
  await eventually(async () => assert.ok((await control(url, "running"))["worker-0"]));
  const running = await control(url, "running", { uuid });
  assert.deepEqual([running["worker-0"].uuid, running["worker-0"].task], [uuid, "waits.gate"]);
  assert.ok(!JSON.stringify(running).includes("hunter2"));
  assert.deepEqual(await control(url, "running", { task: "other" }), { node_id: "n1" });
  const { node_id: _, ...workers } = await control(url, "workers");
  assert.deepEqual(Object.keys(workers), ["worker-0", "worker-1"]);
  // deno-lint-ignore no-explicit-any
  const busy = Object.values(workers).find((one: any) => one.current_task_uuid === uuid) as Reply;
  assert.deepEqual([busy.status, busy.current_task, busy.active_cancel], ["ready", "waits.gate", false]);
  const main = await control(url, "main");
  assert.equal(main.received_count, 1);
  assert.ok(main.control_count >= 5 && main.pool.next_worker_id > 0);
  const level = await control(url, "set_log_level", { level: "DEBUG" });
  assert.deepEqual([level.level, level.previous_level], ["DEBUG", "INFO"]);
  assert.deepEqual(await control(url, "nonsense"), { error: "No control method nonsense", node_id: "n1" });
  assert.equal((await control(url, "cancel", { uuid }))["worker-0"].uuid, uuid);
  await until(uuid, (row) => row.state === "cancelled");
});

test("a Python controller runs a task, and reads a status of more than 8,000 bytes", { skip }, async (t) => {
  const { url, ended, send } = await site(t);
  const uuid = crypto.randomUUID();
  const { ack } = await control(url, "run", { task: "examples.add", args: [2, 2], uuid });
  assert.equal(ack.uuid, uuid);
  assert.equal((await ended(uuid)).result, 4);
  assert.match((await control(url, "run", { args: [1] })).error, /task/);
  await send(...Array.from({ length: 80 }, (_, i) => ({
    task: "examples.add",
    args: [i, "x".repeat(150)],
    delay: 3_600,
    uuid: crypto.randomUUID(),
  })));
  await eventually(async () => {
    const { replies, payloads } = await python(url, "control", "n1", "status", "{}", "20", "1");
    const names = ["aio_tasks", "chunks", "main", "metrics", "node_id", "producers", "running", "workers"];
    assert.deepEqual(Object.keys(replies[0]).sort(), names);
    assert.equal(Object.keys(replies[0].running).length, 80);
    assert.ok(payloads > 1, "it came in chunks");
  });
});

test("a Python controller is answered on the Unix socket", { skip }, async (t) => {
  const socket_path = join(tempDir(), "node.sock");
  const { url } = await site(t, { socket_path });
  const { replies: [alive] } = await python(url, "socket", socket_path, "alive", "{}");
  assert.deepEqual(alive, { node_id: "n1" });
  const { replies: [status] } = await python(url, "socket", socket_path, "status", "{}");
  assert.equal(status.node_id, "n1");
  assert.ok(status.workers["worker-0"]);
});

test(
  "cli control serves against a Python node, and exits 5 when fewer answer than expected",
  { skip },
  async (t) => {
    const { url, cli } = await cluster(t);
    const env = { ...process.env, DATABASE_URL: url };
    const node = spawn(PYTHON, [PROGRAM, "node", "python_1", "snake"], { env, stdio: "pipe" });
    guardChild(node);
    const gone = new Promise((resolve) => node.once("close", resolve));
    t.after(() => {
      node.stdin.end();
      return gone;
    });
    let said = "";
    node.stdout.on("data", (chunk) => said += chunk);
    await eventually(() => said.includes("ready"));
    const ask = async (...args: string[]) => {
      const { code, stdout } = await cli("control", ...args, "--channel", "python_1", "--timeout", "5");
      return { code, reply: JSON.parse(stdout) };
    };
    const once = ["--expected-replies", "1"];
    assert.deepEqual(await ask("alive", ...once), { code: 0, reply: { node_id: "snake" } });
    assert.equal((await ask("running", ...once)).reply["worker-0"].task, "examples.sleep");
    assert.deepEqual((await ask("running", "--data", '{"task":"x"}', ...once)).reply, { node_id: "snake" });
    const status = (await ask("status", ...once)).reply;
    assert.equal(status.text, "hé\u{1F600}".repeat(3_000));
    assert.equal((await ask("nonsense", ...once)).reply.error, "No control method nonsense");
    const few = await cli(
      ...["control", "alive", "--channel", "python_1", "--expected-replies", "2", "--timeout", "1"],
    );
    assert.deepEqual([few.code, few.stdout], [5, '{"node_id":"snake"}\n']);
  },
);
