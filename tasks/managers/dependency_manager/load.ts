/**
 * Reading what the dependency manager plans with: the jobs that it has not looked at, and what they could need.
 *
 * @module
 */
import { z } from "zod";
import { type Db, list, rows } from "../../jobs/model/rows.ts";
import type { Known, Launched } from "./plan.ts";

const launchedSchema = z.object({
  id: z.int(),
  kind: z.enum(["job", "inventory_update"]),
  project_id: z.int().nullable(),
  inventory_id: z.int().nullable(),
  priority: z.int(),
});
const LAUNCHED = `select id, kind, project_id, inventory_id, priority from awx.unified_job
  where status = 'pending' and not dependencies_processed and kind in ('job', 'inventory_update')
  order by created, id`;
// Whom somebody cancels just now is final soon.
const LOCK = `select id::int from awx.unified_job
  where id = any($1::text::bigint[]) and status = 'pending' and not dependencies_processed
  order by id for no key update skip locked`;

/**
 * Columns of {@link Updatable}, for `u`, by what its updates are found: the last success by unified_job_project or
 * unified_job_source, in the order of the index; what is under way by unified_job_open. The least number by an aggregate
 * that has no index: min(id) would be looked for in the primary key, through all jobs that ever were.
 */
const updatable = (kind: string, column: string) =>
  `u.id, u.update_on_launch,
  u.update_cache_timeout > 0 and coalesce((select j.finished from awx.unified_job j where j.kind = '${kind}'
    and j.${column} = u.id and j.status = 'successful' order by j.finished desc limit 1)
    > now() - u.update_cache_timeout * interval '1 second', false) fresh,
  (select (array_agg(j.id order by j.id))[1] from awx.unified_job j where j.kind = '${kind}'
    and j.${column} = u.id and j.status in ('pending', 'waiting', 'running') and not j.cancel_flag) underway`;

const updatableSchema = {
  id: z.int(),
  update_on_launch: z.boolean(),
  fresh: z.boolean(),
  underway: z.int().nullable(),
};
const PROJECTS = `select ${updatable("project_update", "project_id")} from awx.project u
  where u.scm_type = 'git' and u.update_on_launch and u.id = any($1::text::bigint[])`;

const sourceSchema = z.object({
  ...updatableSchema,
  inventory_id: z.int(),
  project_id: z.int().nullable(),
});
const SOURCES = `select ${updatable("inventory_update", "inventory_source_id")}, u.inventory_id,
    case when u.kind = 'project' then u.project_id end project_id
  from awx.inventory_source u where u.update_on_launch and u.inventory_id = any($1::text::bigint[]) order by u.id`;

/** Jobs that wait for a look, by creation; they are locked until the transaction ends. */
export async function lockLaunched(tx: Db): Promise<Launched[]> {
  const found = await rows(tx, launchedSchema, LAUNCHED);
  if (found.length === 0) return [];
  const locked = await tx.unsafe(LOCK, [list(found.map(({ id }) => id))] as never[]);
  const ours = new Set(locked.map(({ id }) => id));
  return found.filter(({ id }) => ours.has(id));
}

/** What these jobs could need. */
export async function loadKnown(tx: Db, launched: readonly Launched[]): Promise<Known> {
  const inventories = distinct(launched.filter(({ kind }) => kind === "job"), "inventory_id");
  const sources = await rows(tx, sourceSchema, SOURCES, [list(inventories)]);
  const ids = [...new Set([...distinct(launched, "project_id"), ...distinct(sources, "project_id")])];
  return { sources, projects: await rows(tx, z.object(updatableSchema), PROJECTS, [list(ids)]) };
}

function distinct<K extends string>(of: readonly Record<K, number | null>[], key: K): number[] {
  return [...new Set(of.flatMap((one) => one[key] ?? []))];
}
