/**
 * Lists of jobs for people. However many jobs there are, a page costs about the same: each statement goes through the
 * newest of each status by its index, and through no more than {@link LOOKED} rows where it must look at each.
 *
 * @module
 */
import { COUNT_CAP } from "edge-dispatcher/view";
import { z } from "zod";
import { type Db, rows } from "../../jobs/model/rows.ts";
import {
  FINAL_STATUSES,
  isFinal,
  type JobStatus,
  STATUSES,
  unifiedJobSchema,
} from "../../jobs/model/unified_job.ts";
import type { JobSearch } from "../search.ts";

/** A job as a line of a list. */
export const jobLineSchema = unifiedJobSchema.pick({
  id: true,
  kind: true,
  name: true,
  status: true,
  template_kind: true,
  template_id: true,
  launch_type: true,
  created: true,
  started: true,
  finished: true,
  elapsed: true,
  execution_node: true,
  cancel_flag: true,
  job_explanation: true,
});
export type JobLine = z.infer<typeof jobLineSchema>;

const EXPLANATION_CHARS = 300;
/** The columns of a line, of a row `j`. */
export const LINE =
  `j.id, j.kind, j.name, j.status, j.template_kind, j.template_id, j.launch_type, j.created, j.started, j.finished,
   j.elapsed, j.execution_node, j.cancel_flag, left(j.job_explanation, ${EXPLANATION_CHARS}) as job_explanation`;

/** Rows that one page looks at where no index answers. */
export const LOOKED = 20_000;

/** What runs, then what is to run, then what has ended; in each the newest first. */
const PHASES: readonly (readonly JobStatus[])[] = [["running", "waiting"], ["pending"], FINAL_STATUSES];

export interface JobPage {
  rows: JobLine[];
  /** Where the next page begins; null at the end. */
  next: string | null;
  /** It begins there because enough was looked at. */
  cut: boolean;
}

/** One page, after the place that the page before named. */
export async function jobPage(db: Db, search: JobSearch, size: number, after?: string): Promise<JobPage> {
  const [, phase = "0", before = ""] = /^(\d)\.(\d{1,16})$/.exec(after ?? "") ?? [];
  const found: JobLine[] = [];
  for (let at = Number(phase); at < PHASES.length; at++) {
    const statuses = PHASES[at].filter((status) => search.status?.includes(status) ?? true);
    if (statuses.length === 0) continue;
    const from = at === Number(phase) && before !== "" ? Number(before) : null;
    const { lines, edge } = await look(db, search, statuses, from, size + 1 - found.length);
    found.push(...lines);
    if (found.length > size) {
      const page = found.slice(0, size);
      // The last of this page may be of an earlier phase than the first of the next.
      const last = page.at(-1)!;
      return { rows: page, next: `${phaseOf(last.status)}.${last.id}`, cut: false };
    }
    if (edge !== null) return { rows: found, next: `${at}.${edge}`, cut: true };
  }
  return { rows: found, next: null, cut: false };
}

function phaseOf(status: JobStatus): number {
  return PHASES.findIndex((statuses) => statuses.includes(status));
}

/** The newest of some statuses that match; `edge` is the id below which nothing was looked at. */
async function look(
  db: Db,
  { kind, template, node, name }: JobSearch,
  statuses: readonly JobStatus[],
  before: number | null,
  limit: number,
): Promise<{ lines: JobLine[]; edge: number | null }> {
  const isPlain = !kind && !template && node === undefined && name === undefined;
  // Open ones are few; of a template's there is an index of all that have ended.
  const byTemplate = template !== undefined && statuses.every(isFinal);
  const each = isPlain ? limit : byTemplate ? LOOKED : Math.floor(LOOKED / statuses.length);
  const params = [
    `{${statuses.join(",")}}`,
    before,
    each,
    kind?.join(",") ?? null,
    template?.kind ?? null,
    template?.id ?? null,
    node ?? null,
    name ?? null,
    limit,
  ];
  const looked = byTemplate
    ? `select id, '' as status from awx.unified_job
       where template_kind = $5::text and template_id = $6::bigint and ($2::bigint is null or id < $2::bigint)
       order by id desc limit $3::int`
    : eachStatus(statuses, (status) =>
      `select id, status from awx.unified_job
       where status = '${status}' and ($2::bigint is null or id < $2::bigint) order by id desc limit $3::int`);
  const found = await rows(
    db,
    z.object({ lines: z.array(jobLineSchema), edge: z.int().nullable() }),
    `with looked as materialized (${looked}),
       edges as (select max(lowest) as edge
         from (select min(id) as lowest, count(*) as n from looked group by status) e where n >= $3::int),
       lines as (select ${LINE} from looked join awx.unified_job j on j.id = looked.id
         where looked.id >= coalesce((select edge from edges), 0) and j.status = any($1::text::text[])
           and ($4::text is null or j.kind = any(string_to_array($4::text, ',')))
           and ($5::text is null or (j.template_kind = $5::text and j.template_id = $6::bigint))
           and ($7::text is null or j.execution_node = $7::text)
           and ($8::text is null or starts_with(lower(j.name), lower($8::text)))
         order by looked.id desc limit $9::int)
     select coalesce((select jsonb_agg(to_jsonb(l) order by l.id desc) from lines l), '[]') as lines,
       (select edge from edges) as edge`,
    params,
  );
  const [{ lines, edge }] = found;
  // Of plain ones the limit is the page's own.
  return { lines, edge: isPlain ? null : edge };
}

/**
 * The same of each status. They stand in the statement: for one that comes as a value the planner has one plan, which
 * reads the whole table for a rare one.
 */
function eachStatus(statuses: readonly JobStatus[], select: (status: JobStatus) => string): string {
  return statuses.map((status) => `(${select(status)})`).join(" union all ");
}

const countSchema = z.object({ status: z.enum(STATUSES), n: z.int() });

/** How many there are of each status, up to {@link COUNT_CAP} and one more. */
export async function statusCounts(db: Db): Promise<Record<JobStatus, number>> {
  const found = await rows(
    db,
    countSchema,
    eachStatus(STATUSES, (status) =>
      `select '${status}' as status, count(*)::int as n from (
         select 1 from awx.unified_job where status = '${status}' limit ${COUNT_CAP + 1}) one`),
  );
  return Object.fromEntries(found.map(({ status, n }) => [status, n])) as Record<JobStatus, number>;
}

/** Why a job is in front of all others. */
export type Trouble = "failed" | "waits long" | "node is gone";
const troubleSchema = jobLineSchema.extend({
  trouble: z.enum(["failed", "waits long", "node is gone"]),
  all: z.int(),
});
export type TroubledJob = z.infer<typeof troubleSchema>;

/** Jobs of one trouble that are named, and those that are counted. */
const [SHOWN, COUNTED] = [5, 100];

/**
 * What needs attention: what runs on a node that is not heard any more, what failed within the last hour (a workflow
 * tells of its own), what has been pending for more than five minutes.
 *
 * @param grace Seconds that a node may be silent.
 */
export async function troubledJobs(db: Db, grace: number): Promise<TroubledJob[]> {
  return await rows(
    db,
    troubleSchema,
    `select * from (
       (select ${LINE}, 'node is gone' as trouble, count(*) over ()::int as all
        from awx.unified_job j join awx.instance i on i.hostname = j.execution_node
        where j.status in ('waiting', 'running')
          and i.last_seen < now() - make_interval(secs => $1::float8) order by j.id desc limit ${SHOWN})
       union all
       (select f.*, 'failed', count(*) over ()::int from (
          select ${LINE} from (${
      eachStatus(["error", "failed"], (status) =>
        `select * from awx.unified_job where status = '${status}' order by id desc limit ${COUNTED}`)
    }) j
          where j.finished > now() - interval '1 hour'
            and j.launch_type <> 'workflow') f order by f.id desc limit ${SHOWN})
       union all
       (select p.*, 'waits long', count(*) over ()::int from (
          select ${LINE} from awx.unified_job j where j.status = 'pending'
            and j.created < now() - interval '5 minutes' order by j.created, j.id limit ${COUNTED}) p
        order by p.created, p.id limit ${SHOWN})
     ) every`,
    [grace],
  );
}
