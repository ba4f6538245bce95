// @runtimes node
/** System jobs: what they delete, and what they leave. */
import assert from "node:assert/strict";
import { test } from "../../harness.ts";
import { launch } from "../../../tasks/jobs/model/launch.ts";
import { jobById } from "../../../tasks/jobs/model/unified_job.ts";
import { perform } from "../../../tasks/jobs/run/perform.ts";
import { runSystemJob } from "../../../tasks/jobs/run/system_job.ts";
import type { AwxDatabase } from "../database.ts";
import { contextOf, NEVER, place, started } from "./alone.ts";

async function run(own: AwxDatabase, id: number, extraVars = {}) {
  const job = await started(own, await launch(own.sql, { kind: "system", id }, { extraVars }));
  await perform(contextOf(own, job.uuid, NEVER), job.id, runSystemJob);
  return await jobById(own.sql, job.id);
}

/** A job that ended so many days ago, with an event. */
async function old(
  { sql }: AwxDatabase,
  days: number,
  values: { status?: string; parent?: number } = {},
): Promise<number> {
  const { status = "successful", parent = null } = values;
  const [{ id }] = await sql.unsafe(
    `with j as (
       insert into awx.unified_job (kind, name, status, finished, workflow_job_id)
       values ('job', 'old', $1::text, clock_timestamp() - make_interval(days => $2::int), $3::bigint) returning id)
     insert into awx.job_event (job_id, uuid, counter, event, created, stdout)
     select id, gen_random_uuid(), 1, 'verbose', clock_timestamp() - make_interval(days => $2::int), 'text' from j
     returning job_id::int id`,
    [status, days, parent],
  );
  return id;
}

test("cleanup_jobs deletes what ended long ago, with all that belongs to it", async (t) => {
  const own = await place(t);
  const { sql } = own;
  const gone = await old(own, 100);
  // Of a workflow the parts go with it, however old they are, and not without it.
  await old(own, 1, { parent: await old(own, 1, { parent: gone }) });
  const kept = [await old(own, 80), await old(own, 100, { status: "running" })];
  kept.push(await old(own, 100, { parent: kept[0] }));
  const first = await run(own, 1);
  assert.deepEqual([first.status, first.artifacts], ["successful", { deleted: 3 }], first.job_explanation);
  const ids = async (text: string) => (await sql.unsafe(text)).map(({ id }) => id);
  assert.deepEqual(await ids("select id::int from awx.unified_job where name = 'old' order by id"), kept);
  assert.deepEqual(
    await ids("select job_id::int id from awx.job_event where stdout = 'text' order by 1"),
    kept,
  );
  assert.deepEqual((await run(own, 1, { days: 70 })).artifacts, { deleted: 2 });
  const wrong = await run(own, 1, { days: "many" });
  assert.equal(wrong.status, "error");
  assert.match(wrong.job_explanation, /extra_vars\.days "many" is no number of days/);
});

test("purge_old_stdout_files empties old output and keeps the events", async (t) => {
  const own = await place(t, { STDOUT_RETENTION_DAYS: 30 });
  await old(own, 40);
  await old(own, 20);
  assert.deepEqual((await run(own, 2)).artifacts, { purged: 1 });
  const events = await own.sql.unsafe(
    "select stdout from awx.job_event where counter = 1 and event = 'verbose' order by created",
  );
  assert.deepEqual(events.map(({ stdout }) => stdout).slice(0, 2), ["", "text"]);
});
