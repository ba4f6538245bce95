/** What fails, crashes or gives up, and an operator's hands on it. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir, test } from "../harness.ts";
import { cluster, FIXTURES } from "./cluster.ts";

const CRASHES = 4;
const ADDS = 40;
const QUICK = { backoff: { base: 0.05, factor: 1, max: 0.05, jitter: 0 }, pool: { abort_grace: 0.2 } };

test("tasks that kill their hosts die alone, each after its attempts, and starve nobody", {
  timeout: 180_000,
}, async (t) => {
  const { client, node, cli, until, row } = await cluster(t);

  const calls = Array.from({ length: ADDS }, (_, i) => ({ task: "examples/add", args: [i, 1] }));
  const crashes: { uuid: string }[] = [];
  const adds: { uuid: string }[] = [];
  for (let i = 0; i < CRASHES; i++) {
    crashes.push(await client.publish("examples/crash", [], { maxAttempts: 3 }));
    adds.push(...await client.publishMany(calls.slice(i * ADDS / CRASHES, (i + 1) * ADDS / CRASHES)));
  }
  await node({ name: "n1", workers: 4, config: QUICK });
  for (const [i, { uuid }] of adds.entries()) {
    const { result, attempt } = await until(uuid, ({ state }) => state === "completed", 60_000);
    assert.deepEqual([result, attempt], [i + 1, 1], "a neighbour's crash is not charged");
  }
  for (const { uuid } of crashes) {
    const { attempt, attempts, error } = await until(uuid, ({ state }) => state === "discarded", 60_000);
    const charged = attempts.filter(({ outcome }) => outcome !== "released");
    assert.deepEqual(charged.map(({ outcome }) => outcome), ["retry", "retry", "discarded"]);
    assert.deepEqual([attempt, charged.map((one) => one.attempt), error?.name], [3, [1, 2, 3], "HostDied"]);
  }
  const listed = (await cli("failures")).stdout.split("\t");
  assert.deepEqual([listed[0], listed[3]], [`${CRASHES}`, "examples/crash"]);

  const { uuid } = crashes[0];
  assert.equal((await cli("retry", uuid)).stdout, `${uuid} retried\n`);
  const again = await until(uuid, ({ state, attempt }) => state === "discarded" && attempt === 6, 60_000);
  assert.equal(again.attempts.filter(({ outcome }) => outcome !== "released").length, 6);
  assert.deepEqual((await row(crashes[1].uuid)).attempt, 3, "the others lie still");
});

test("Retry and Discard decide, from the task to the archive", async (t) => {
  const { client, node, until } = await cluster(t);
  await node({ name: "n1", workers: 2, tasks: FIXTURES, config: QUICK });
  const again = await client.publish("verdicts#retry", [3, { delay: 0.05 }], { maxAttempts: 5 });
  assert.equal(await again.result({ within: 30 }), 3);
  const { attempts } = await until(again.uuid, ({ state }) => state === "completed");
  assert.deepEqual(attempts.map(({ outcome, error }) => [outcome, error?.name]), [
    ["retry", "Retry"],
    ["retry", "Retry"],
    ["completed", undefined],
  ]);
  const polled = await client.publish("verdicts#poll", [join(tempDir(), "seen")]);
  assert.equal(await polled.result({ within: 30 }), 1, "no attempt was used up");
  assert.equal((await until(polled.uuid, ({ state }) => state === "completed")).attempts.length, 1);
  const over = await client.publish("verdicts#discard", ["the account is closed"]);
  const { attempt, error } = await until(over.uuid, ({ state }) => state === "discarded");
  assert.deepEqual([attempt, error?.name, error?.message], [1, "Discard", "the account is closed"]);
  const due = await client.publish("verdicts#fixed");
  const { due_at, attempts: [first] } = await until(due.uuid, ({ state }) => state === "retryable");
  const waits = Date.parse(due_at!) - Date.parse(first.finished_at);
  assert.ok(waits > 6_000 && waits < 60_000, `${waits} ms`);
});

test("discard reaches what runs, and retry brings it back with its history", async (t) => {
  const { client, node, cli, until } = await cluster(t);
  await node({ name: "n1", workers: 1, tasks: FIXTURES, config: QUICK });
  const open = join(tempDir(), "open");
  const { uuid } = await client.publish("waits#gate", [open]);
  await until(uuid, ({ progress }) => progress === "waiting");
  assert.match(
    (await cli("why", uuid)).stdout,
    /^ {2}It runs on node "n1", worker \d+\.\d+, since .+Z, attempt 1$/m,
  );
  const { code, stdout } = await cli("discard", uuid, "--reason", "wrong customer");
  assert.deepEqual([code, stdout], [0, `${uuid} discard requested on n1\n`]);
  const { error, attempts } = await until(uuid, ({ state }) => state === "discarded");
  assert.deepEqual(error, { name: "Discarded", message: "wrong customer" });
  assert.deepEqual(attempts.map(({ outcome }) => outcome), ["cancelled"]);
  writeFileSync(open, "");
  assert.deepEqual(await client.retry([uuid]), [{ uuid, did: "retried", node: null }]);
  const done = await until(uuid, ({ state }) => state === "completed");
  assert.deepEqual(done.attempts.map(({ attempt, outcome }) => [attempt, outcome]), [
    [1, "cancelled"],
    [2, "completed"],
  ]);
});

test("a paused queue keeps what it has until it is resumed, and wakes its nodes then", async (t) => {
  const { client, node, cli, until } = await cluster(t);
  assert.equal(await client.pauseQueue("default"), true);
  const { uuid } = await client.publish("examples/add", [1, 1]);
  await node({ name: "n1", workers: 1 });
  const own = await client.publish("examples/add", [2, 2], { queue: "n1" });
  assert.equal(await own.result({ within: 30 }), 4);
  assert.deepEqual((await client.why(uuid))[0].why.map(({ code }) => code), ["paused"]);
  assert.equal((await cli("queue", "resume", "default")).stdout, "default resumed\n");
  await until(uuid, ({ state }) => state === "completed");
});
