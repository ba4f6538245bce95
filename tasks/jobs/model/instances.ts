/**
 * Instances: the nodes as the control plane sees them. Their heartbeats write them; operators switch them on and off
 * and say how much of them is used.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { z } from "zod";
import { type Db, notFound, row, rows } from "./rows.ts";
import { settings } from "./settings.ts";
import { checked } from "./table.ts";

export const instanceSchema = z.object({
  hostname: z.string(),
  enabled: z.boolean(),
  cpu: z.number(),
  memory_mb: z.number(),
  cpu_capacity: z.int(),
  mem_capacity: z.int(),
  capacity_adjustment: z.number(),
  capacity: z.int(),
  resources: z.record(z.string(), z.number()),
  version: z.string(),
  errors: z.string(),
  last_seen: z.string().nullable(),
});
export type Instance = z.infer<typeof instanceSchema>;

const shownSchema = instanceSchema.extend({
  /** Of capacity, by jobs that run there or will. */
  consumed: z.int(),
  jobs: z.int(),
  groups: z.array(z.string()),
});
/** An instance with what is used of it. */
export type ShownInstance = z.infer<typeof shownSchema>;

const SHOWN = `select i.*, coalesce(j.consumed, 0)::int consumed, coalesce(j.jobs, 0)::int jobs,
    array(select g.name from awx.instance_group g
      where g.all_instances or exists (select from awx.instance_group_member m
        where m.instance_group_id = g.id and m.hostname = i.hostname)
      order by g.id) groups
  from awx.instance i
  left join (select execution_node, sum(task_impact) consumed, count(*) jobs from awx.unified_job
    where status in ('waiting', 'running') group by 1) j on j.execution_node = i.hostname
  where $1::text is null or i.hostname = $1::text order by i.hostname`;

/** All instances by name. */
export async function listInstances(db: Db): Promise<ShownInstance[]> {
  return await rows(db, shownSchema, SHOWN, [null]);
}

/** @throws {DispatcherError} `not_found`. */
export async function instanceByName(db: Db, hostname: string): Promise<ShownInstance> {
  const found = await row(db, shownSchema, SHOWN, [hostname]);
  if (!found) throw notFound("instance", hostname);
  return found;
}

export const instancePatch = z.strictObject({
  enabled: z.boolean().optional(),
  /** 0: what the smaller of cores and memory allow, 1: the larger. */
  capacity_adjustment: z.number().min(0).max(1).optional(),
});

/** What an instance takes: between what its cores and its memory allow; nothing when it is off or silent. */
const CHANGE = `update awx.instance set enabled = new.enabled, capacity_adjustment = new.adjustment,
    capacity = case when new.enabled and last_seen > clock_timestamp() - make_interval(secs => $4::float8)
      then least(cpu_capacity, mem_capacity) + floor(abs(cpu_capacity - mem_capacity) * new.adjustment)::int
      else 0 end
  from (select coalesce($2::boolean, enabled) enabled, coalesce($3::numeric, capacity_adjustment) adjustment
    from awx.instance where hostname = $1::text for update) new
  where hostname = $1::text returning instance.*`;

/**
 * Switch an instance on or off, or say how much of it is used. It takes effect with the next start of a job; what runs
 * there goes on.
 *
 * @throws {DispatcherError} `not_found`, `usage`.
 */
export async function changeInstance(db: Db, hostname: string, patch: unknown): Promise<Instance> {
  const { enabled, capacity_adjustment } = checked(
    instancePatch,
    patch,
    `change instance ${JSON.stringify(hostname)}`,
  );
  const { HEARTBEAT_GRACE } = await settings(db);
  const changed = await row(db, instanceSchema, CHANGE, [
    hostname,
    enabled ?? null,
    capacity_adjustment ?? null,
    HEARTBEAT_GRACE,
  ]);
  if (!changed) throw notFound("instance", hostname);
  return changed;
}

/**
 * Forget an instance that is gone; one that lives would be back with its next heartbeat.
 *
 * @throws {DispatcherError} `not_found`; `refused` while it is heard of, or has jobs.
 */
export async function deleteInstance(db: Db, hostname: string): Promise<Instance> {
  const instance = await instanceByName(db, hostname);
  const { HEARTBEAT_GRACE } = await settings(db);
  const seconds = (Date.now() - Date.parse(instance.last_seen ?? "")) / 1_000;
  const why = instance.jobs > 0
    ? `${instance.jobs} job${instance.jobs === 1 ? " is" : "s are"} there`
    : seconds < HEARTBEAT_GRACE
    ? `it was heard of ${seconds.toFixed(0)} s ago`
    : undefined;
  if (why) throw new DispatcherError("refused", `Cannot delete instance ${JSON.stringify(hostname)}: ${why}`);
  await db.unsafe("delete from awx.instance where hostname = $1::text", [hostname] as never[]);
  return instance;
}
