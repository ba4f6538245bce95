/** Raw dispatcherd messages, as its publisher sends them, against real nodes. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually, tempDir, test, type TestContext } from "../harness.ts";
import { type Base, base, nodeFor, type Row } from "./site.ts";

const RECORDED = fileURLToPath(new URL("../fixtures/dispatcherd.jsonl", import.meta.url));
const TASKS = fileURLToPath(new URL("../fixtures/wire_tasks", import.meta.url));

interface Message {
  case: string;
  channel: string;
  payload: string;
}

const RESULTS: Record<string, unknown> = {
  "function, positional args": 2,
  "args and kwargs": 3,
  "delay() shorthand": 42,
  "direct message to one node": 2,
  "fanout message": 2,
  "timeout from the decorator": 5,
  "timeout from the call": 2,
  "on_duplicate discard": 1,
  "delayed 2 s": 3,
};

function recorded(): Message[] {
  const lines = readFileSync(RECORDED, "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line)).filter((message) => "task" in JSON.parse(message.payload));
}

/** Nodes that hear the recorded channels: `awx` is shared, `awx_node_1` one's own name, `awx_all` a broadcast. */
async function nodes(t: TestContext, made: Base, names: string[]): Promise<void> {
  const config = join(tempDir(), "config.json");
  // What nobody hears is lost, as it is while a slow machine makes a node listen anew.
  writeFileSync(config, JSON.stringify({ broadcast_channels: ["awx_all"], self_check_timeout: 15 }));
  const args = ["--queues", "awx", "--tasks", TASKS, "--config", config, "--workers", "2"];
  await Promise.all(names.map((name) => nodeFor(t, made.url, [...args, "--node", name])));
}

async function notify({ sql }: Base, channel: string, payload: string): Promise<void> {
  await sql`select pg_notify(${channel}, ${payload})`;
}

async function finals({ client }: Base, count: number): Promise<Row[]> {
  return await eventually(async () => {
    const all = await client.list({ limit: 1_000 });
    const rows = all.filter(({ state }) => ["completed", "discarded", "cancelled"].includes(state));
    if (rows.length >= count) return rows;
    // So that who waited in vain is told what there was instead.
    const seen = all.map(({ uuid, task, state, node }) => [uuid, task, state, node].join(" "));
    throw new Error(`${rows.length} of ${count} have ended: ${seen.join(", ")}`);
  }, { within: 20_000 }) as Row[];
}

test("every recorded task message runs exactly once although two nodes hear it", async (t) => {
  const made = await base(t);
  await nodes(t, made, ["awx_node_1", "awx_node_2"]);
  const messages = recorded();
  assert.equal(messages.length, 10);
  for (const { channel, payload } of messages) await notify(made, channel, payload);
  const rows = new Map((await finals(made, messages.length)).map((row) => [row.uuid, row]));
  assert.equal(rows.size, messages.length);
  for (const { case: name, payload } of messages) {
    const { uuid, task } = JSON.parse(payload);
    const row = rows.get(uuid)!;
    assert.deepEqual([row.state, row.task, row.attempts.length], ["completed", task, 1], name);
    assert.deepEqual(row.result, RESULTS[name] ?? `hello from ${uuid}`, name);
  }
  assert.equal(rows.get(JSON.parse(messages[3].payload).uuid)!.node, "awx_node_1", "a direct message");
});

test("a message on a broadcast channel runs once on every node", async (t) => {
  const made = await base(t);
  await nodes(t, made, ["awx_node_1", "awx_node_2"]);
  const uuid = "d8111a0b-3bdf-4ab9-81f8-9ea150ef4abf";
  for (const channel of ["awx_all", "broadcast"]) {
    const message = {
      uuid: channel === "broadcast" ? uuid : uuid.replace("d8", "d9"),
      task: "system.add",
      args: [1, 1],
    };
    await notify(made, channel, JSON.stringify(message));
  }
  const rows = await finals(made, 4);
  const ran = rows.map((row) => [row.origin, row.node, row.result].join(" ")).sort();
  assert.deepEqual(ran, [
    `${uuid} awx_node_1 2`,
    `${uuid} awx_node_2 2`,
    `${uuid.replace("d8", "d9")} awx_node_1 2`,
    `${uuid.replace("d8", "d9")} awx_node_2 2`,
  ]);
});

test("a message without a uuid on a shared channel runs once", async (t) => {
  const made = await base(t);
  await nodes(t, made, ["awx_node_1", "awx_node_2"]);
  await notify(made, "awx", "system.hello_world_binder");
  await notify(made, "awx", JSON.stringify({ task: "system.add", args: [2, 3] }));
  // Published after them and through the same channel, so that what runs twice has run twice by then.
  await finals(made, 2);
  await notify(made, "awx", JSON.stringify({ task: "system.add", args: [4, 4] }));
  const rows = await finals(made, 3);
  // Adopted by one node; whichever is free runs it.
  const ran = rows.map((row) =>
    [row.state, row.task, JSON.stringify(row.args), row.attempts.length].join(" ")
  ).sort();
  assert.deepEqual(ran, [
    "completed system.add [2,3] 1",
    "completed system.add [4,4] 1",
    "completed system.hello_world_binder [] 1",
  ]);
});

test("what is no message is refused with a line, an unknown task is recorded, and the node goes on", async (t) => {
  const made = await base(t);
  const args = ["--queues", "awx", "--tasks", TASKS, "--workers", "1", "--node", "awx_node_1"];
  const node = await nodeFor(t, made.url, args);
  for (const payload of ["[1]", "7", "null", '{"args": []}', '{"task": "x", "timeout": "soon"}']) {
    await notify(made, "awx", payload);
  }
  await notify(made, "awx", JSON.stringify({ task: "../../etc/passwd" }));
  await notify(made, "awx", JSON.stringify({ task: "awx.main.tasks.nothing.here" }));
  await notify(made, "awx", JSON.stringify({ task: "system.add", args: [1, 2] }));
  const rows = await finals(made, 3);
  const ends = new Map(rows.map((row) => [row.task, row]));
  assert.equal(ends.get("system.add")!.result, 3);
  for (const task of ["../../etc/passwd", "awx.main.tasks.nothing.here"]) {
    const row = ends.get(task)!;
    assert.equal(row.state, "discarded");
    assert.ok(row.error!.message.startsWith(`'${task}' is not a valid task`), row.error!.message);
  }
  const log = node.stderr();
  for (const why of ["it is an array", "it is a number", "it is null", "task: ", "timeout: "]) {
    assert.ok(log.includes(why), `${why} in:\n${log}`);
  }
});

test("a message of more than 8,000 bytes comes in chunks, in any order", async (t) => {
  const made = await base(t);
  await nodes(t, made, ["awx_node_1"]);
  const uuid = "0a9ce8a4-00bf-4b66-b113-e0bb37307062";
  const text = JSON.stringify({
    uuid,
    task: "system.handle_setting_changes",
    args: [Array(4_000).fill("grün")],
  });
  const slices = text.match(/.{1,3000}/gs)!;
  const chunks = slices.map((payload, index) =>
    JSON.stringify({ __dispatcherd_chunk__: "v1", message_id: "m1", index, total: slices.length, payload })
  );
  for (const chunk of chunks.reverse()) await notify(made, "awx", chunk);
  const [row] = await finals(made, 1);
  assert.deepEqual([row.uuid, row.result], [uuid, 4_000]);
});

test("what a busy node took from the wire, due at once, is run at once by one that has room", async (t) => {
  const made = await base(t);
  const config = join(tempDir(), "config.json");
  // No poll may find it.
  writeFileSync(config, JSON.stringify({ safety_poll_seconds: 600 }));
  const args = ["--workers", "1", "--config", config];
  const [busy] = await Promise.all(
    ["n1", "n2"].map((name) => nodeFor(t, made.url, [...args, "--node", name])),
  );
  assert.equal(busy.name, "n1");
  const { uuid } = await made.client.publish("examples/sleep", [600], { queue: "n1" });
  await made.until(uuid, "running");
  // Without a uuid the first node by name takes it.
  for (const delay of [0, undefined]) {
    await notify(made, "default", JSON.stringify({ task: "examples.add", args: [1, 1], delay }));
  }
  const rows = await finals(made, 2);
  assert.deepEqual(rows.map((row) => [row.state, row.node]), [["completed", "n2"], ["completed", "n2"]]);
  await made.client.cancel([uuid]);
});
