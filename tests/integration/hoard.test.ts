/** What a node has claimed and cannot run is run by another. */
import assert from "node:assert/strict";
import { test } from "../harness.ts";
import { cluster } from "./cluster.ts";

test("short tasks that a node claimed behind a long one are run by a node that is free", async (t) => {
  const { client, node, until } = await cluster(t);
  await node({ name: "held", workers: 1 });
  const quick = Array.from({ length: 60 }, (_, i) => ({ task: "examples/add", args: [i, 1] }));
  // It learns that tasks are short, and claims ahead from then on.
  for (const { uuid } of await client.publishMany(quick)) {
    await until(uuid, (row) => row.state === "completed");
  }
  const [long, ...behind] = await client.publishMany([{ task: "examples/sleep", args: [600] }, ...quick]);
  const held = await until(long.uuid, (row) => row.state === "running");
  assert.equal(held.node, "held");
  await node({ name: "free", workers: 1 });
  for (const { uuid } of behind) {
    const { node } = await until(uuid, (row) => row.state === "completed", 15_000);
    assert.ok(node === "free" || node === "held");
  }
  await client.cancel([long.uuid]);
});
