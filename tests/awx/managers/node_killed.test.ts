// @runtimes deno
/** kill -9 of a node whose worker is in the middle of a run. */
import assert from "node:assert/strict";
import { eventually, test } from "../../harness.ts";
import { nodeOf } from "./node.ts";
import { site } from "./site.ts";

test("a node that is killed in the middle of a run leaves all jobs as they were, and goes on when it is back", async (t) => {
  const made = await site(t);
  await made.instance("n1", 1_000);
  for (let n = 0; n < 30; n++) await made.pending();
  const node = await nodeOf(t, made);
  const held = async () => {
    const found = await made.sql.unsafe(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
         and query like 'update awx.unified_job j%'`,
    );
    return found.length;
  };
  // Its envelopes are written, and it comes no further: somebody reads the jobs and lets nobody write.
  await made.client.transaction(async (tx) => {
    await tx.unsafe("lock table awx.unified_job in share mode");
    await made.client.publish("scheduler/run_task_manager");
    await eventually(async () => assert.equal(await held(), 1), { within: 20_000 });
    node.kill("SIGKILL");
    await node.exited;
  });
  await eventually(async () => assert.equal(await held(), 0), { within: 20_000 });
  const states = async () =>
    (await made.sql.unsafe("select distinct status, task_uuid is null fresh from awx.unified_job"))
      .map((row) => ({ ...row }));
  assert.deepEqual(await states(), [{ status: "pending", fresh: true }]);
  assert.deepEqual(await made.sent("jobs/"), []);
  await nodeOf(t, made);
  await eventually(async () => assert.deepEqual(await states(), [{ status: "successful", fresh: false }]), {
    within: 30_000,
  });
});
