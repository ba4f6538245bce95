/** Names of queues, nodes and channels: the same ones are refused at every door. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readWire } from "../runtime/broker/wire.ts";
import { loadConfig } from "../runtime/config.ts";
import { checkQueue, seal } from "../runtime/envelope.ts";
import { connect } from "../runtime/store/connection.ts";
import { migrate } from "../runtime/store/migrate.ts";
import { database, tempDir, test } from "./harness.ts";
import { cli } from "./integration/site.ts";

const GOOD = [
  "a",
  "x".repeat(63),
  "€".repeat(21),
  "with space",
  `a'b"c`,
  "node-1.example.org",
  "dispatcher_jobs",
];
const BAD = [
  "",
  " ",
  "\t",
  "x".repeat(64),
  "€".repeat(22),
  "a\nb",
  "a\u007fb",
  "dispatcher_wake",
  "dispatcher_settled",
  "dispatcher_reply_1",
  "dispatcher_check_1",
  "dispatcher_hand_1",
];

function configured(tree: object) {
  const file = join(tempDir(), "config.json");
  writeFileSync(file, JSON.stringify(tree));
  return loadConfig({ env: {}, file });
}

const schedule = (queue: string) => ({ schedules: { s: { task: "t", every: 1, queue } } });
const DOORS: [string, (name: string) => unknown][] = [
  ["checkQueue(), as the client's control() uses it", checkQueue],
  ["seal(), through which every publisher goes", (queue) => seal("t", [], { queue })],
  ["node in the configuration", (node) => configured({ node })],
  ["queues in the configuration", (queue) => configured({ queues: [queue] })],
  ["broadcast_channels in the configuration", (channel) => configured({ broadcast_channels: [channel] })],
  ["the queue of a schedule", (queue) => configured(schedule(queue))],
];
for (const [door, enter] of DOORS) {
  test(`${door} takes legal names and refuses others`, async () => {
    for (const name of GOOD) await enter(name);
    for (const name of BAD) {
      await assert.rejects(
        async () => await enter(name),
        { code: /^(invalid_queue|config)$/ },
        JSON.stringify(name),
      );
    }
  });
}

test("a variable takes legal names and refuses others", async () => {
  const enter = (name: string) => loadConfig({ env: { DISPATCHER_NODE: name, DISPATCHER_QUEUES: name } });
  await loadConfig({ env: { DISPATCHER_NODE: "a", DISPATCHER_QUEUES: "b,c d" } });
  // An empty one is none.
  for (const name of BAD.filter((name) => name !== "")) await assert.rejects(enter(name), { code: "config" });
});

test("dispatcher.publish() in SQL takes legal names and refuses others", async (t) => {
  const db = await database();
  t.after(() => db.drop());
  const sql = connect(db.url, { max: 1 });
  t.after(() => sql.end({ timeout: 1 }));
  await migrate(sql);
  const enter = (name: string | null) => sql`select dispatcher.publish('t', '[]', '{}', ${name})`;
  for (const name of GOOD) await enter(name);
  for (const name of [...BAD, null]) {
    await assert.rejects(enter(name), { code: "22023", message: /^Cannot use .+ as a queue: /s }, `${name}`);
  }
  for (const task of ["", " ", "a\nb", "x".repeat(401)]) {
    await assert.rejects(sql`select dispatcher.publish(${task})`, { code: "22023" });
    await assert.rejects(sql`select dispatcher.broadcast(${task})`, { code: "22023" });
  }
  assert.equal((await sql`select from dispatcher.envelope`).length, GOOD.length);
});

test("a message on the wire has a legal channel for replies, and a task without control characters", () => {
  const kindOf = (message: object) => readWire(JSON.stringify(message), "default").kind;
  const asks = (reply_to: string) => kindOf({ control: "alive", reply_to });
  for (const name of [...GOOD, "dispatcher_reply_01a2"]) assert.equal(asks(name), "control", name);
  for (const name of BAD.filter((name) => !name.startsWith("dispatcher_reply"))) {
    assert.equal(asks(name), "refused", JSON.stringify(name));
  }
  assert.equal(asks(`dispatcher_reply_${"x".repeat(60)}`), "refused");
  assert.equal(kindOf({ task: "a" }), "task");
  for (const task of ["", "a\nready node=b", "a\0", "x".repeat(1_001)]) {
    assert.equal(kindOf({ task }), "refused");
  }
});

test("the command line refuses such names before it connects", async () => {
  const nowhere = "postgres://nobody@127.0.0.1:1/none";
  const calls = [
    ["dispatcher", "--no-http", "--node", "x".repeat(64), "--once"],
    ["dispatcher", "--no-http", "--queues", "a,dispatcher_wake", "--once"],
  ];
  for (const call of calls) {
    const { code, stderr } = await cli(nowhere, call);
    assert.equal(code, 78, stderr);
    assert.match(stderr, /^Cannot use (node|queues)/);
  }
});
