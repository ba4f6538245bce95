// @runtimes bun
/** Workflows and schedules on a real node: what tells its managers, and what they cancel. Jobs end by hand. */
import assert from "node:assert/strict";
import { connect } from "../../../mod.ts";
import { eventually, test } from "../../harness.ts";
import { cluster } from "../../integration/cluster.ts";
import { cancelJob, finish } from "../../../tasks/jobs/model/endings.ts";
import { launch } from "../../../tasks/jobs/model/launch.ts";
import { MIGRATIONS } from "../../../tasks/jobs/model/migrations.ts";
import { trigger } from "../../../tasks/jobs/model/trigger.ts";
import { jobById, listJobs } from "../../../tasks/jobs/model/unified_job.ts";
import { siteOf } from "./site.ts";

test("a node runs the managers when they are told, cancels what a canceled workflow runs, and launches schedules", async (t) => {
  const { url, node, until } = await cluster(t);
  const client = await connect({ databaseUrl: url, migrations: MIGRATIONS });
  t.after(() => client.close());
  const sql = client.database();
  const own = await siteOf({ url, client, sql });
  // Nothing is given to it: jobs end by hand here.
  await sql.unsafe("insert into awx.instance (hostname, enabled) values ('n1', false)");
  await node({ name: "n1", workers: 2, extension: true });
  const names = (await client.schedules()).map(({ name }) => name);
  for (const name of ["awx: workflow manager", "awx: periodic scheduler"]) {
    assert.ok(names.includes(name), name);
  }

  // From the schedule, over the workflow that it launches, to its first job: each told by the one before.
  const id = await own.flow({ nodes: { a: {}, b: {} }, edges: ["a-success>b"] });
  await sql.unsafe(
    `insert into awx.schedule (name, rrule, template_kind, template_id, next_run)
     values ('once', 'DTSTART:20200101T000000Z RRULE:FREQ=DAILY', 'workflow_template', $1::bigint, clock_timestamp()),
            ('gone', 'DTSTART:20200101T000000Z RRULE:FREQ=DAILY', 'job_template', 999, clock_timestamp())`,
    [id],
  );
  const published = await client.publish<{ jobs: number[] }>("scheduler/awx_periodic_scheduler");
  const { jobs } = await published.result({ within: 20 });
  const workflow = await jobById(sql, jobs[0]);
  await eventually(async () => assert.deepEqual(await own.look(workflow), { a: "pending", b: "" }));
  const logged = await client.logs(published.uuid);
  assert.match(JSON.stringify(logged), /Schedule \\"gone\\" was turned off: Cannot find job template 999/);

  // A job's end tells the manager.
  const first = await own.job(workflow, "a");
  await client.transaction((tx, publish) =>
    finish(tx, publish, { jobId: first.id, taskUuid: null, status: "successful", closesEvents: true })
  );
  await eventually(async () => assert.deepEqual(await own.look(workflow), { a: "successful", b: "pending" }));

  // The next one is run by an envelope, which ends with the workflow.
  const sleeping = await client.publish("examples/sleep", [60]);
  await until(sleeping.uuid, ({ state }) => state === "running");
  const second = await own.job(workflow, "b");
  await sql.unsafe(
    "update awx.unified_job set status = 'running', task_uuid = $1::uuid where id = $2::bigint",
    [sleeping.uuid, second.id],
  );
  await client.transaction((tx, publish) => cancelJob(tx, publish, workflow.id));
  await until(sleeping.uuid, ({ state }) => state === "cancelled");
  await client.transaction((tx, publish) =>
    finish(tx, publish, { jobId: second.id, taskUuid: sleeping.uuid, status: "canceled", closesEvents: true })
  );
  await eventually(async () => assert.equal((await jobById(sql, workflow.id)).status, "canceled"));
  assert.equal((await listJobs(sql, { status: ["pending", "waiting", "running"] })).length, 0);

  // Told ten times at once, it runs a few times, and every workflow runs.
  const simultaneous = await own.flow({ nodes: { only: {} }, simultaneous: true });
  const many = await Promise.all(
    Array.from({ length: 10 }, async () =>
      await client.transaction(async (tx, publish) => {
        const job = await launch(tx, { kind: "workflow_template", id: simultaneous });
        await trigger(publish);
        return job;
      })),
  );
  await eventually(async () => {
    for (const job of many) assert.equal((await own.look(job)).only, "pending");
  });
});
