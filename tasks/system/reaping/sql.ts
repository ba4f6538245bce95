/**
 * The statements of reaping.
 *
 * @module
 */
import { z } from "zod";
import { type Db, json, row, rows } from "../../jobs/model/rows.ts";
import { type UnifiedJob, unifiedJobSchema } from "../../jobs/model/unified_job.ts";
import type { Lease } from "./fate.ts";

const seenSchema = z.object({
  hostname: z.string(),
  /** ISO; null when it was never heard of. */
  last_seen: z.string().nullable(),
  silence: z.number().nullable(),
  jobs: z.int(),
});
/** A node that has a row here, or jobs. */
export type Seen = z.infer<typeof seenSchema>;

/** Every node that is known here, or that open jobs name. */
export async function seenNodes(db: Db): Promise<Seen[]> {
  return await rows(
    db,
    seenSchema,
    `select hostname, last_seen, extract(epoch from clock_timestamp() - last_seen)::float8 silence,
       coalesce(jobs, 0) jobs
     from awx.instance full join (
       select execution_node hostname, count(*)::int jobs from awx.unified_job
       where status in ('waiting', 'running') and execution_node <> '' group by 1
     ) busy using (hostname) order by hostname`,
  );
}

/** Say of a node that it takes nothing, unless its heartbeat came in between; true when that is news. */
export async function takeCapacity(db: Db, { hostname, last_seen }: Seen, errors: string): Promise<boolean> {
  return await change(db, "capacity = 0, errors = $2::text", "capacity <> 0 or errors <> $2::text", [
    hostname,
    errors,
    last_seen,
  ]);
}

/** Say what is odd with a node, and nothing more. */
export async function writeErrors(db: Db, { hostname, last_seen }: Seen, errors: string): Promise<boolean> {
  return await change(db, "errors = $2::text", "errors <> $2::text", [hostname, errors, last_seen]);
}

/** By way of a text: as a time the parameter would lose its microseconds on its way. */
async function change(db: Db, set: string, unless: string, params: unknown[]): Promise<boolean> {
  const changed = await row(
    db,
    z.object({ hostname: z.string() }),
    `update awx.instance set ${set} where hostname = $1::text
       and last_seen is not distinct from $3::text::timestamptz and (${unless}) returning hostname`,
    params,
  );
  return changed !== undefined;
}

/** Open jobs of these nodes, locked; those that somebody has locked are left to the next look. */
export async function lockJobs(db: Db, hostnames: readonly string[], most: number): Promise<UnifiedJob[]> {
  return await rows(
    db,
    unifiedJobSchema,
    `select * from awx.unified_job where status in ('waiting', 'running')
       and execution_node in (select jsonb_array_elements_text($1::text::jsonb))
     order by id limit $2::int for update skip locked`,
    [json(hostnames), most],
  );
}

/** Jobs that nodes ran before they were started anew, locked. A job that only waits there waits on. */
export async function lockLeftJobs(db: Db, leases: readonly Lease[], most: number): Promise<UnifiedJob[]> {
  return await rows(
    db,
    unifiedJobSchema,
    `select j.* from awx.unified_job j
     join jsonb_to_recordset($1::text::jsonb) n (name text, started_at timestamptz)
       on n.name = j.execution_node and j.started < n.started_at
     where j.status = 'running' order by j.id limit $2::int for update of j skip locked`,
    [json(leases.map(({ name, started_at }) => ({ name, started_at }))), most],
  );
}

/** Make jobs pending again that these nodes have not begun; returns the uuids of their envelopes. */
export async function giveBack(
  db: Db,
  hostnames: readonly string[],
): Promise<{ id: number; uuid: string }[]> {
  return await rows(
    db,
    z.object({ id: z.int(), uuid: z.string() }),
    `update awx.unified_job j set status = 'pending', task_uuid = null, execution_node = '', instance_group_id = null
     from (
       select id, task_uuid uuid from awx.unified_job where status = 'waiting' and not cancel_flag
         and execution_node in (select jsonb_array_elements_text($1::text::jsonb))
       order by id for update skip locked
     ) had where j.id = had.id returning j.id, had.uuid`,
    [json(hostnames)],
  );
}
