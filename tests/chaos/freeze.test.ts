import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, tempDir, test } from "../harness.ts";
import { cluster, FIXTURES } from "../integration/cluster.ts";
import { times } from "./node_on.ts";

const config = {
  lease_seconds: 2,
  heartbeat_seconds: 0.4,
  leader_seconds: 2,
  safety_poll_seconds: 1,
  pool: { abort_grace: 0.3 },
};

test("a node that is stopped past its lease changes nothing when it goes on, aborts what it lost, and works again", async (t) => {
  const { client, node, until } = await cluster(t);
  const [gate, never] = ["gate", "never"].map((name) => join(tempDir(), name));
  const one = await node({ name: "one", workers: 2, tasks: FIXTURES, config });
  const ends = await client.publish("waits#gate", [gate, "by whom"]);
  const aborted = await client.publish("waits#gate", [never]);
  for (const { uuid } of [ends, aborted]) await until(uuid, ({ progress }) => progress === "waiting");
  const [{ instance }] = await client.nodes();
  const two = await node({ name: "two", workers: 2, tasks: FIXTURES, config });
  one.kill("SIGSTOP");
  for (const { uuid } of [ends, aborted]) {
    await until(uuid, ({ node, progress }) => node === "two" && progress === "waiting", 20_000);
  }
  // Its host goes on, and has an outcome for it when it wakes; the other node is the one that counts.
  writeFileSync(gate, "");
  const row = await until(ends.uuid, ({ state }) => state === "completed");
  one.kill("SIGCONT");
  await eventually(() => one.stderr().includes("lost its lease: its attempts are aborted"), {
    within: 20_000,
  });
  await eventually(() => one.stderr().includes("Settled nothing: the attempt was stale"), { within: 20_000 });
  assert.deepEqual(await until(ends.uuid, () => true), row, "the stale node changed nothing");
  assert.deepEqual([row.node, row.attempt], ["two", 1]);
  assert.deepEqual(row.attempts.map(({ node, outcome, error }) => [node, outcome, error?.name]), [
    ["one", "released", "NodeLost"],
    ["two", "completed", undefined],
  ]);
  const still = await until(aborted.uuid, () => true);
  assert.deepEqual([still.state, still.node], ["running", "two"]);
  // A new instance of the same name, with the slots free again.
  const after = await client.publish("waits#gate", [gate, "again"], { queue: "one" });
  assert.equal(await after.result({ within: 20 }), "again");
  const again = (await client.nodes()).find(({ name }) => name === "one")!;
  assert.ok(again.alive && again.instance !== instance);
  assert.equal(times(one.stderr(), "lost its lease"), 1);
  writeFileSync(never, "");
  await until(aborted.uuid, ({ state, node }) => state === "completed" && node === "two");
  assert.doesNotMatch(two.stderr(), /stale|lost its lease/);
});
