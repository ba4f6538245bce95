/**
 * System jobs: they clean up, a batch a statement, so that nothing is locked for long.
 *
 * @module
 */
import { z } from "zod";
import type { Db } from "../model/rows.ts";
import { verbose } from "./output.ts";
import { JobError, type Outcome, type Run } from "./perform.ts";

const BATCH = 1_000;
const DAYS = 90;

/** Jobs that nothing is waiting for: a workflow's nodes go with the workflow. */
const OLD_JOBS = `with recursive old as (
    select id from awx.unified_job
    where status in ('successful', 'failed', 'error', 'canceled') and workflow_job_id is null and id <> $3::bigint
      and finished < clock_timestamp() - make_interval(days => $1::int)
    order by id limit $2::int),
  family as (
    select id from old
    union select j.id from awx.unified_job j join family f on j.workflow_job_id = f.id),
  events as (delete from awx.job_event e using family f where e.job_id = f.id),
  jobs as (delete from awx.unified_job j using family f where j.id = f.id returning 1)
  select count(*)::int as count from jobs`;
/** The event stays, without its text. */
const OLD_OUTPUT = `with old as (
    select job_id, uuid, created from awx.job_event
    where created < clock_timestamp() - make_interval(secs => $1::float8 * 86400) and stdout <> ''
    limit $2::int),
  emptied as (
    update awx.job_event e set stdout = '' from old
    where e.job_id = old.job_id and e.uuid = old.uuid and e.created = old.created returning 1)
  select count(*)::int as count from emptied`;

/** Run it. */
export async function runSystemJob(run: Run): Promise<Outcome> {
  const { db, job, settings, tell } = run;
  switch (job.spec.system) {
    case "cleanup_jobs": {
      const parsed = z.coerce.number().int().min(0).default(DAYS).safeParse(job.extra_vars.days);
      if (!parsed.success) {
        throw new JobError(
          `Cannot clean up: extra_vars.days ${JSON.stringify(job.extra_vars.days)} is no number of days`,
        );
      }
      const count = await batches(db, run, OLD_JOBS, [parsed.data, BATCH, job.id]);
      await tell([verbose(`Deleted ${count} jobs that ended more than ${parsed.data} days ago\n`)]);
      return { status: "successful", artifacts: { deleted: count } };
    }
    case "purge_old_stdout_files": {
      const days = settings.STDOUT_RETENTION_DAYS;
      const count = await batches(db, run, OLD_OUTPUT, [days, BATCH]);
      await tell([verbose(`Deleted the output of ${count} events older than ${days} days\n`)]);
      return { status: "successful", artifacts: { purged: count } };
    }
    default:
      throw new JobError(
        `Cannot run system job ${JSON.stringify(job.spec.system)}: there is none of that name`,
      );
  }
}

async function batches(db: Db, { signal }: Run, text: string, params: unknown[]): Promise<number> {
  for (let all = 0;;) {
    signal.throwIfAborted();
    const [{ count }] = await db.unsafe(text, params as never[]);
    all += count as number;
    if (count === 0) return all;
  }
}
