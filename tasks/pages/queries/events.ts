/**
 * The events of a job, and its output, which is what they printed. Events are kept by day: the job's own times say in
 * which days to look.
 *
 * @module
 */
import { z } from "zod";
import { jobEventSchema } from "../../jobs/model/job_events.ts";
import { type Db, row, rows } from "../../jobs/model/rows.ts";
import type { UnifiedJob } from "../../jobs/model/unified_job.ts";

/** Of one event, and of all that are shown at once. */
const [TEXT_CHARS, ALL_CHARS] = [20_000, 400_000];
/** Events that a page of filtered ones looks at. */
const LOOKED = 20_000;

/** Clocks of events are those of nodes: a day around. */
const OF_JOB = `e.job_id = $1::bigint and e.created >= $2::timestamptz - interval '1 day'
  and e.created < coalesce($3::timestamptz, now()) + interval '1 day'`;
const ofJob = ({ id, created, finished }: UnifiedJob) => [id, created, finished];

const textSchema = z.object({
  counter: z.int(),
  stdout: z.string(),
  cut: z.boolean(),
  start_line: z.int(),
  end_line: z.int(),
});
export type EventText = z.infer<typeof textSchema>;

/** What was printed last, before an event; in the order in which it was printed. */
export async function lastTexts(
  db: Db,
  job: UnifiedJob,
  before: number | undefined,
  events: number,
): Promise<EventText[]> {
  return await rows(
    db,
    textSchema,
    `select counter, right(stdout, ${TEXT_CHARS}) as stdout, length(stdout) > ${TEXT_CHARS} as cut, start_line, end_line
     from (select e.*, sum(least(length(e.stdout), ${TEXT_CHARS})) over (order by e.counter desc) as total
           from (select counter, stdout, start_line, end_line from awx.job_event e
                 where ${OF_JOB} and ($4::int is null or e.counter < $4::int) and e.stdout <> ''
                 order by e.counter desc limit $5::int) e) t
     where total - least(length(stdout), ${TEXT_CHARS}) < ${ALL_CHARS} order by counter`,
    [...ofJob(job), before ?? null, events],
  );
}

const eventSchema = jobEventSchema.pick({
  counter: true,
  event: true,
  created: true,
  host: true,
  play: true,
  task: true,
  failed: true,
  changed: true,
});
export type EventLine = z.infer<typeof eventSchema>;

/** Which events; all that is given must hold. */
export interface EventFilter {
  host?: string;
  failed?: boolean;
  /** Before this one. */
  before?: number;
}

export interface EventPage {
  rows: EventLine[];
  next: number | null;
  /** Enough was looked at. */
  cut: boolean;
}

/** Events, the newest first. */
export async function eventPage(
  db: Db,
  job: UnifiedJob,
  { host, failed, before }: EventFilter,
  size: number,
): Promise<EventPage> {
  const isPlain = host === undefined && !failed;
  const looked = isPlain ? size + 1 : LOOKED;
  const found = (await row(
    db,
    z.object({ events: z.array(eventSchema), lowest: z.int().nullable(), n: z.int() }),
    `with looked as (select e.counter, e.event, e.created, e.host, e.play, e.task, e.failed, e.changed
         from awx.job_event e where ${OF_JOB} and ($4::int is null or e.counter < $4::int) and e.event <> 'EOF'
         order by e.counter desc limit $5::int),
       found as (select * from looked where ($6::text is null or host = $6::text)
         and (not $7::boolean or failed) order by counter desc limit $8::int)
     select coalesce((select jsonb_agg(to_jsonb(f) order by f.counter desc) from found f), '[]') as events,
       (select min(counter) from looked) as lowest, (select count(*) from looked)::int as n`,
    [...ofJob(job), before ?? null, looked, host ?? null, failed ?? false, size + 1],
  ))!;
  const rows = found.events.slice(0, size);
  if (found.events.length > size) return { rows, next: rows.at(-1)!.counter, cut: false };
  const cut = !isPlain && found.n >= LOOKED;
  return { rows, next: cut ? found.lowest : null, cut };
}

const hostCounts = z.record(z.string(), z.number()).optional();
const statsSchema = z.object({ failures: hostCounts, dark: hostCounts });

/** Hosts on which a job failed: as its last event sums them up, else those of its failed events. */
export async function failedHosts(db: Db, job: UnifiedJob): Promise<string[]> {
  const stats = await row(
    db,
    z.object({ event_data: z.unknown() }),
    `select event_data from (select e.event, e.event_data from awx.job_event e where ${OF_JOB}
       order by e.counter desc limit 100) last where event = 'playbook_on_stats' limit 1`,
    ofJob(job),
  );
  const summed = statsSchema.safeParse(stats?.event_data);
  if (summed.success && (summed.data.failures || summed.data.dark)) {
    const counts = [...Object.entries(summed.data.failures ?? {}), ...Object.entries(summed.data.dark ?? {})];
    return [...new Set(counts.filter(([, n]) => n > 0).map(([host]) => host))].sort();
  }
  const found = await rows(
    db,
    z.object({ host: z.string() }),
    `select distinct host from (select e.host, e.failed, e.event from awx.job_event e where ${OF_JOB}
       order by e.counter desc limit ${LOOKED}) last
     where host <> '' and (failed or event = 'runner_on_unreachable') order by host limit 1000`,
    ofJob(job),
  );
  return found.map(({ host }) => host);
}
