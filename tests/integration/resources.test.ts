/** Resources, preemption and ageing with real nodes and workers. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, tempDir, test } from "../harness.ts";
import { cluster, FIXTURES, type Row } from "./cluster.ts";

const CONFIG = {
  pool: { abort_grace: 0.2 },
  preempt_after_seconds: 0.05,
  safety_poll_seconds: 60,
  heartbeat_seconds: 0.5,
};
const runs = ({ progress }: Row) => progress === "waiting";
const done = ({ state }: Row) => state === "completed";

test("two nodes run what fits into what they offer, and no more", async (t) => {
  const { client, node, until, row } = await cluster(t);
  const [one, two] = [{ gpu: 1 }, { gpu: 2, tape: 1 }];
  const start = (name: string, resources: Record<string, number>) =>
    node({ name, workers: 4, tasks: FIXTURES, config: { ...CONFIG, resources } });
  await Promise.all([start("one", one), start("two", two)]);
  const gates = Array.from({ length: 5 }, () => join(tempDir(), "open"));
  const jobs: string[] = [];
  // By name: that it needs a gpu only the task itself says.
  for (const gate of gates) jobs.push((await client.publish("needs#gpu", [gate])).uuid);
  const large = await client.publish("waits#gate", [gates[0]], { resources: { gpu: 3 } });
  const tape = await client.publish("waits#gate", [gates[0]], { resources: { tape: 1, cpu: 0.5 } });
  const plain = await client.publish("context");
  await plain.result({ within: 20 });
  await until(tape.uuid, (row) => runs(row) && row.node === "two");
  const state = async () => await Promise.all(jobs.map(row));
  const rows = await eventually(async () => {
    const rows = await state();
    assert.equal(rows.filter(runs).length, 3);
    // The last ones may be on their way back still.
    const attempts = rows.map(({ attempt }) => attempt).sort();
    assert.deepEqual(attempts, [0, 0, 1, 1, 1], "nothing is charged for asking");
    return rows;
  }, { within: 20_000 });
  // What was given back still names the node that had it.
  const at = (name: string) => rows.filter((row) => runs(row) && row.node === name).length;
  assert.deepEqual([at("one"), at("two"), at("three")], [1, 2, 0]);
  const [{ why }] = await client.why(large.uuid);
  assert.match(why[0].text, /^No live node offers 3 gpu: "one" offers 1 gpu, "two" offers 2 gpu$/);
  const waiting = rows.find(({ state }) => state === "available")!;
  await eventually(async () => {
    const [{ why }] = await client.why(waiting.uuid);
    const text = 'It waits for 1 gpu: node "one" offers 1, in use 1; node "two" offers 2, in use 2';
    assert.equal(why[0].text, text);
  }, { within: 20_000 });
  // One that ends makes room for the next.
  for (const gate of gates) writeFileSync(gate, "");
  for (const uuid of [...jobs, tape.uuid]) await until(uuid, done);
  assert.equal((await row(large.uuid)).state, "available");
});

test("what is more urgent stops what gives way, which runs again, uncharged", async (t) => {
  const { client, node, until, cli } = await cluster(t);
  await node({ name: "one", workers: 1, tasks: FIXTURES, config: CONFIG });
  const open = join(tempDir(), "open");
  const low = await client.publish("needs#humble", [open], { priority: 5 });
  await until(low.uuid, runs);
  const equal = await client.publish("waits#gate", [open], { priority: 5 });
  const high = await client.publish("waits#gate", [open], { priority: 1 });
  await until(high.uuid, runs);
  const stopped = await until(low.uuid, ({ state }) => state === "available");
  assert.deepEqual([stopped.attempt, stopped.error], [0, null]);
  const [{ outcome, error, node: where }] = stopped.attempts;
  assert.deepEqual([outcome, error?.name, where], ["preempted", "Preempted", "one"]);
  assert.match((await cli("show", low.uuid)).stdout, /attempt 1 +preempted on one worker/);
  writeFileSync(open, "");
  assert.equal(await low.result({ within: 20 }), 1);
  for (const one of [equal, high]) await one.result({ within: 20 });
});

test("what does not hear that it should stop is killed after its grace, and runs again", async (t) => {
  const { client, node, until } = await cluster(t);
  await node({ name: "one", workers: 2, tasks: FIXTURES, config: { ...CONFIG, resources: { gpu: 1 } } });
  const open = join(tempDir(), "open");
  const asks = { resources: { gpu: 1 } };
  const low = await client.publish("needs#stubborn", [open], { priority: 5, ...asks });
  await until(low.uuid, runs);
  const high = await client.publish("waits#gate", [open], asks);
  await until(high.uuid, runs);
  const { attempts } = await until(low.uuid, ({ state }) => state === "available");
  assert.deepEqual(attempts.map(({ outcome }) => outcome), ["preempted"]);
  writeFileSync(open, "");
  assert.equal(await low.result({ within: 20 }), 1);
});

test("ageing: what is not urgent runs under a flood of what is", async (t) => {
  const { client, node, row } = await cluster(t);
  const calls = (count: number, priority: number) =>
    Array.from({ length: count }, () => ({ task: "examples/sleep", args: [0.05], priority }));
  await client.publishMany(calls(20, 0));
  const [{ uuid }] = await client.publishMany(calls(1, 3));
  await node({ name: "one", workers: 2, config: { ...CONFIG, priority_ageing_seconds: 0.1 } });
  // Five times as many as it can run.
  const waiting = await eventually(async () => {
    await client.publishMany(calls(20, 0));
    const [{ available }] = await client.queues();
    return (await row(uuid)).state === "completed" && available;
  }, { every: 100, within: 20_000 }) as number;
  assert.ok(waiting > 20, `${waiting} more urgent ones wait`);
  await client.purgeQueue("default");
});

test("publish, show, status and node show of the command line know of resources", async (t) => {
  const { node, cli, until } = await cluster(t);
  await node({ name: "one", workers: 1, tasks: FIXTURES, config: { ...CONFIG, resources: { gpu: 1 } } });
  const open = join(tempDir(), "open");
  const flags = ["--resources", "gpu=1", "--preemptible", "--priority", "7"];
  const uuid = (await cli("publish", "waits#gate", JSON.stringify(open), ...flags)).stdout.trim();
  await until(uuid, runs);
  assert.match((await cli("show", uuid)).stdout, /priority +7\n +resources +gpu=1\n +preemptible yes\n/);
  assert.match(
    (await cli("status")).stdout,
    /\n\. {2}resources in use: cpu 0 of \d+, gpu 1 of 1, memoryMb 0 of \d+\n/,
  );
  assert.match(
    (await cli("node", "show", "one")).stdout,
    /resources +cpu 0 of \d+, gpu 1 of 1, memoryMb 0 of \d+ in use/,
  );
  const { code, stderr } = await cli("publish", "waits#gate", "--resources", "gpu");
  assert.equal(code, 2);
  assert.match(stderr, /^Cannot read --resources "gpu": give it as cpu=2,gpu=1$/m);
  writeFileSync(open, "");
  await until(uuid, done);
});

test("a task whose resources cannot be read is discarded, with the reason", async (t) => {
  const { client, node, until } = await cluster(t);
  await node({ name: "one", workers: 1, tasks: FIXTURES, config: CONFIG });
  const { uuid } = await client.publish("needs#odd");
  const { error } = await until(uuid, ({ state }) => state === "discarded");
  assert.equal(error?.name, "ResourcesError");
  assert.match(error!.message, /^The resources of "needs#odd" cannot be read: gpu: /);
});
