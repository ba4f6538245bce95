import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, tempDir, test, type TestContext } from "../harness.ts";
import { cluster, FIXTURES, type Row, ticksOf } from "./cluster.ts";

const QUICK = { pool: { abort_grace: 0.2 } };
const noProc = process.platform !== "linux" && "reads /proc";

/** Two nodes of one slot each, which run what is published to their names. */
async function twoNodes(t: TestContext, config: Record<string, unknown> = QUICK) {
  const made = await cluster(t);
  const start = (name: string) => made.node({ name, workers: 1, tasks: FIXTURES, config });
  const [one, two] = await Promise.all([start("one"), start("two")]);
  return { ...made, one, two, never: join(tempDir(), "never") };
}

const lastOf = ({ attempts }: Row) => attempts.at(-1)!;

test("cancel reaches a task that runs on another node, which keeps its worker", async (t) => {
  const { client, cli, until, never } = await twoNodes(t);
  const { uuid } = await client.publish("waits#gate", [never], { queue: "two" });
  await until(uuid, ({ progress }) => progress === "waiting");
  const { code, stdout } = await cli("cancel", uuid);
  assert.deepEqual([code, stdout], [0, `${uuid} cancel requested on two\n`]);
  const row = await until(uuid, ({ state }) => state === "cancelled");
  assert.deepEqual([row.error?.name, row.attempt], ["CancelledError", 1]);
  assert.deepEqual([lastOf(row).outcome, lastOf(row).node], ["cancelled", "two"]);
  const next = await client.publish("context", [], { queue: "two" });
  const { workerId } = await next.result({ within: 20 }) as { workerId: string };
  assert.equal(workerId, lastOf(row).worker);
});

test("cancel kills a busy loop on another node, and its CPU is idle again", { skip: noProc }, async (t) => {
  const { client, cli, until, two } = await twoNodes(t);
  const { uuid } = await client.publish("shipped#spin", [], { queue: "two" });
  await until(uuid, ({ state }) => state === "running");
  const { code, stdout } = await cli("cancel", uuid);
  assert.deepEqual([code, stdout], [0, `${uuid} cancel requested on two\n`]);
  const row = await until(uuid, ({ state }) => state === "cancelled");
  assert.deepEqual([row.error?.name, row.node], ["CancelledError", "two"]);
  let before = Infinity;
  await eventually(() => {
    const used = ticksOf(two.pid) - before;
    before = ticksOf(two.pid);
    assert.ok(used >= 0 && used <= 3, `${used} ticks were used since the last look`);
  }, { every: 300 });
  await (await client.publish("context", [], { queue: "two" })).result({ within: 20 });
});

test("cancel ends what waits, is scheduled or is claimed ahead, and it never runs", async (t) => {
  const { client, cli, until, never, two } = await twoNodes(t);
  const first = await client.publish("waits#gate", [never], { queue: "two" });
  await until(first.uuid, ({ progress }) => progress === "waiting");
  const waiting = await client.publish("waits#gate", [never], { queue: "two" });
  const scheduled = await client.publish("waits#gate", [never], { delay: 3_600 });
  const nowhere = await client.publish("waits#gate", [never], { queue: "three" });
  const uuids = [waiting, scheduled, nowhere].map(({ uuid }) => uuid);
  const { code, stdout } = await cli("cancel", ...uuids);
  assert.equal(code, 0);
  assert.deepEqual(stdout.trim().split("\n").sort(), uuids.map((uuid) => `${uuid} cancelled`).sort());
  for (const uuid of uuids) {
    const row = await until(uuid, ({ state }) => state === "cancelled");
    assert.deepEqual([row.attempt, row.attempts, row.progress], [0, [], null]);
  }
  assert.equal((await until(first.uuid, () => true)).state, "running");
  assert.ok(!two.stderr().includes("stale"));
});

test("cancel of what is final changes nothing and exits 4", async (t) => {
  const { client, cli, until, never } = await twoNodes(t);
  const done = await client.publish("context");
  await done.result({ within: 20 });
  const before = await until(done.uuid, ({ state }) => state === "completed");
  const refused = await cli("cancel", done.uuid);
  assert.deepEqual([refused.code, refused.stdout], [4, `${done.uuid} already completed\n`]);
  assert.deepEqual(await until(done.uuid, () => true), before);
  const waiting = await client.publish("waits#gate", [never], { queue: "three" });
  const mixed = await cli("cancel", "--json", done.uuid, waiting.uuid);
  assert.equal(mixed.code, 0, "something was changed");
  const lines = mixed.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.sort((a, b) => a.did < b.did ? -1 : 1), [
    { uuid: waiting.uuid, did: "cancelled", node: null },
    { uuid: done.uuid, did: "completed", node: before.node },
  ]);
  const again = await cli("cancel", waiting.uuid);
  assert.deepEqual([again.code, again.stdout], [4, `${waiting.uuid} already cancelled\n`]);
  const unknown = await cli("cancel", "00000000");
  assert.equal(unknown.code, 3);
  assert.equal(unknown.stdout, "");
});

test("a task that completes in spite of its cancel is completed", async (t) => {
  const { client, cli, until } = await twoNodes(t, { pool: { abort_grace: 60 } });
  const open = join(tempDir(), "open");
  const { uuid } = await client.publish("waits#deaf", [open], { queue: "two", maxAttempts: 3 });
  await until(uuid, ({ progress }) => progress === "waiting");
  assert.equal((await cli("cancel", uuid)).code, 0);
  assert.match((await cli("show", uuid)).stdout, /^ {2}cancel +asked for at /m);
  writeFileSync(open, "");
  const { result, error, attempts } = await until(uuid, ({ state }) => state === "completed");
  assert.deepEqual([result, error, attempts.length], ["through", null, 1]);
});

test("a cancelled task is not tried again, whatever it throws", async (t) => {
  const { client, cli, until, never } = await twoNodes(t);
  const { uuid } = await client.publish("waits#gate", [never], { queue: "two", maxAttempts: 5 });
  await until(uuid, ({ progress }) => progress === "waiting");
  assert.equal((await cli("cancel", uuid.slice(0, 20))).code, 0);
  const row = await until(uuid, ({ state }) => state === "cancelled");
  assert.deepEqual(row.attempts.map(({ outcome }) => outcome), ["cancelled"]);
});
