// @runtimes deno
/** Thousands of pending jobs. */
import assert from "node:assert/strict";
import type { Transaction } from "../../../mod.ts";
import type { Publish } from "../../../tasks/jobs/model/trigger.ts";
import { runDependencyManager } from "../../../tasks/managers/dependency_manager/run.ts";
import { runTaskManager } from "../../../tasks/managers/task_manager/run.ts";
import { test } from "../../harness.ts";
import { type Site, site } from "./site.ts";

const JOBS = 5_000;
/** Milliseconds of manager time for all of them. */
const BOUND = 10_000;
/** On a machine that has other things to do: so many times as long as it takes to write as much at that time. */
const BUSY = 10;

async function launchMany({ sql }: Site, impact: number): Promise<void> {
  await sql.unsafe(
    `with t as (insert into awx.job_template (name, kind) select 't' || n, 'command' from generate_series(1, 50) n
       returning id)
     insert into awx.unified_job (kind, name, template_kind, template_id, allow_simultaneous, dependencies_processed,
       task_impact, priority, created)
     select 'job', 'j' || n, 'job_template', (select min(id) from t) + n % 50, true, true, $2::int, n % 3,
       now() - n % 300 * interval '1 second' from generate_series(1, $1::int) n`,
    [JOBS, impact],
  );
  await sql.unsafe("analyze awx.unified_job");
}

/** Milliseconds that it takes to publish a hundred envelopes in a transaction now. */
async function floor({ client }: Site): Promise<number> {
  const begun = performance.now();
  await client.transaction((_, publish) =>
    Promise.all(Array.from({ length: 100 }, (_, n) => publish("jobs/RunJob", [n], { queue: "other" })))
  );
  return performance.now() - begun;
}

test(`${JOBS} pending jobs are started in less than ${BOUND / 1_000} s of manager time`, async (t) => {
  const made = await site(t);
  for (const host of ["n1", "n2", "n3"]) await made.instance(host, 2 * JOBS);
  await launchMany(made, 1);
  const runs: number[] = [];
  let least = 0;
  for (let started = 0; started < JOBS;) {
    least += await floor(made);
    const begun = performance.now();
    const report = await made.taskManager();
    runs.push(performance.now() - begun);
    assert.ok("started" in report && report.started > 0, JSON.stringify(report));
    started += report.started;
  }
  const total = runs.reduce((sum, ms) => sum + ms, 0);
  assert.equal(runs.length, JOBS / 100);
  assert.ok(total < BOUND || total < BUSY * least, `${total} ms, publishing alone ${least}`);
  const [{ nodes }] = await made.sql.unsafe(
    "select array_agg(distinct n)::text nodes from (select count(*) n from awx.unified_job group by execution_node) c",
  );
  assert.equal(nodes, "{1666,1667}");
});

test(`a run that finds ${JOBS} pending jobs and no room is over at once, and writes nothing new`, async (t) => {
  const made = await site(t);
  await made.instance("n1", 5);
  await launchMany(made, 4);
  await made.taskManager();
  const runs: number[] = [];
  for (let n = 0; n < 5; n++) {
    const begun = performance.now();
    const report = await made.taskManager();
    runs.push(performance.now() - begun);
    // Those whose turn has come before that of others, a minute being over, are told so.
    assert.ok(
      "explained" in report && report.explained < 10 && report.seen === JOBS - 1,
      JSON.stringify(report),
    );
  }
  assert.ok(Math.min(...runs) < 1_000, `${runs}`);
});

test("what is final is not read, however much there is of it", async (t) => {
  const made = await site(t);
  await made.instance("n1", 100);
  await made.insert("project", {
    name: "p",
    scm_type: "git",
    update_on_launch: true,
    update_cache_timeout: 60,
  });
  await made.sql.unsafe(
    `insert into awx.unified_job (kind, name, status, project_id, finished, dependencies_processed)
     select case n % 2 when 0 then 'job' else 'project_update' end, 'j' || n, 'successful', 1,
       now() - n * interval '1 minute', true from generate_series(1, 20000) n`,
  );
  await made.sql.unsafe("vacuum analyze awx.unified_job");
  await made.pending({ kind: "job", project_id: 1, dependencies_processed: false });
  const read = (run: (tx: Transaction, publish: Publish) => Promise<unknown>) =>
    made.client.transaction(async (tx, publish) => {
      await run(tx, publish);
      const [counts] = await tx.unsafe(
        `select seq_scan::int scans, (seq_tup_read + idx_tup_fetch)::int rows from pg_stat_xact_user_tables
         where schemaname = 'awx' and relname = 'unified_job'`,
      );
      return counts;
    });
  for (const run of [runDependencyManager, runTaskManager]) {
    const { scans, rows } = await read(run);
    assert.equal(scans, 0, run.name);
    assert.ok(rows < 50, `${run.name}: ${rows} rows`);
  }
  assert.equal((await made.sent("jobs/RunProjectUpdate")).length, 1);
});
