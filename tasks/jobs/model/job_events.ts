/**
 * What jobs said: their events in order, the text of them, and how many there are of which.
 *
 * @module
 */
import { z } from "zod";
import { type Db, row, rows } from "./rows.ts";
import { variables } from "./unified_job.ts";

export const jobEventSchema = z.object({
  job_id: z.int(),
  uuid: z.string(),
  counter: z.int(),
  event: z.string(),
  created: z.string(),
  host: z.string(),
  play: z.string(),
  task: z.string(),
  role: z.string(),
  failed: z.boolean(),
  changed: z.boolean(),
  start_line: z.int(),
  end_line: z.int(),
  stdout: z.string(),
  event_data: variables,
});
export type JobEvent = z.infer<typeof jobEventSchema>;

/** Which events; all that is given must hold. */
export interface JobEventFilter {
  /** With a higher counter than this. */
  after?: number;
  /** With no higher counter than this. */
  upTo?: number;
  event?: string;
  host?: string;
  failed?: boolean;
  limit?: number;
}

/** Events of a job by counter. */
export async function listJobEvents(db: Db, jobId: number, filter: JobEventFilter = {}): Promise<JobEvent[]> {
  const { after = 0, upTo, event, host, failed, limit = 1_000 } = filter;
  return await rows(
    db,
    jobEventSchema,
    `select * from awx.job_event
     where job_id = $1::bigint and counter > $2::int and ($3::text is null or event = $3::text)
       and ($4::text is null or host = $4::text) and ($5::boolean is null or failed = $5::boolean)
       and ($7::int is null or counter <= $7::int)
     order by counter limit $6::int`,
    [jobId, after, event ?? null, host ?? null, failed ?? null, limit, upTo ?? null],
  );
}

const chunkSchema = z.object({ counter: z.int(), stdout: z.string() });
/** A piece of a job's output, and the counter of the last event in it. */
export type OutputChunk = z.infer<typeof chunkSchema>;

/**
 * The next piece of a job's output; undefined when there is none yet. Only up to the first gap while the job runs:
 * events may be written out of order, and what was passed over would never be seen.
 *
 * @param options.whole Whether nothing follows any more, so that a gap stays one.
 */
export async function nextOutput(
  db: Db,
  jobId: number,
  { after = 0, whole = true, limit = 1_000 }: { after?: number; whole?: boolean; limit?: number } = {},
): Promise<OutputChunk | undefined> {
  return await row(
    db,
    chunkSchema,
    `select max(counter) counter, string_agg(stdout, '' order by counter) stdout
     from (select counter, stdout, counter - row_number() over (order by counter) gap
       from (select distinct on (counter) counter, stdout from awx.job_event
         where job_id = $1::bigint and counter > $2::int order by counter limit $4::int) e) n
     where $3::boolean or gap = $2::int
     having count(*) > 0`,
    [jobId, after, whole, limit],
  );
}

/** All of a job's output, piece by piece. */
export async function* outputOf(db: Db, jobId: number): AsyncGenerator<string> {
  for (let after = 0;;) {
    const chunk = await nextOutput(db, jobId, { after });
    if (!chunk) return;
    yield chunk.stdout;
    after = chunk.counter;
  }
}

const countSchema = z.object({ event: z.string(), count: z.int(), failed: z.int() });

/** How many events of which kind a job has, and how many of them failed. */
export async function countJobEvents(db: Db, jobId: number): Promise<z.infer<typeof countSchema>[]> {
  return await rows(
    db,
    countSchema,
    `select event, count(*)::int count, (count(*) filter (where failed))::int failed
     from awx.job_event where job_id = $1::bigint group by event order by event`,
    [jobId],
  );
}

/** Hosts on which a job failed or that it did not reach, by name. */
export async function failedHosts(db: Db, jobId: number): Promise<string[]> {
  const found = await rows(
    db,
    z.object({ host: z.string() }),
    `select distinct host from awx.job_event
     where job_id = $1::bigint and host <> '' and event in ('runner_on_failed', 'runner_on_unreachable')
       and failed and not coalesce((event_data ->> 'ignore_errors')::boolean, false)
     order by host`,
    [jobId],
  );
  return found.map(({ host }) => host);
}
