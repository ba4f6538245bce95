/**
 * Nodes as the control plane sees them.
 *
 * @module
 */
import { z } from "zod";
import { type Db, rows } from "../../jobs/model/rows.ts";
import { jobLineSchema, LINE } from "./jobs.ts";

const instanceSchema = z.object({
  hostname: z.string(),
  enabled: z.boolean(),
  cpu: z.number(),
  memory_mb: z.int(),
  cpu_capacity: z.int(),
  mem_capacity: z.int(),
  capacity_adjustment: z.number(),
  capacity: z.int(),
  resources: z.record(z.string(), z.unknown()),
  version: z.string(),
  errors: z.string(),
  last_seen: z.string().nullable(),
  groups: z.array(z.string()),
  used: z.int(),
  jobs: z.int(),
});
export type InstanceLine = z.infer<typeof instanceSchema>;
const MOST = 500;

/** All nodes by name, with the capacity that open jobs take. */
export async function instanceLines(db: Db): Promise<InstanceLine[]> {
  return await rows(
    db,
    instanceSchema,
    `with work as (select execution_node, sum(task_impact)::int as used, count(*)::int as jobs from awx.unified_job
       where status in ('waiting', 'running') and execution_node <> '' group by execution_node)
     select i.hostname, i.enabled, i.cpu, i.memory_mb, i.cpu_capacity, i.mem_capacity, i.capacity_adjustment,
       i.capacity, i.resources, i.version, left(i.errors, 500) as errors, i.last_seen,
       array(select g.name from awx.instance_group g where g.all_instances
         union select g.name from awx.instance_group_member m join awx.instance_group g on g.id = m.instance_group_id
           where m.hostname = i.hostname order by 1) as groups,
       coalesce(w.used, 0) as used, coalesce(w.jobs, 0) as jobs
     from awx.instance i left join work w on w.execution_node = i.hostname order by i.hostname limit ${MOST}`,
  );
}

const groupSchema = z.object({
  id: z.int(),
  name: z.string(),
  max_concurrent_jobs: z.int(),
  max_forks: z.int(),
  all_instances: z.boolean(),
  members: z.int(),
  capacity: z.int(),
  used: z.int(),
  jobs: z.int(),
});
export type GroupLine = z.infer<typeof groupSchema>;

/** Groups by name, with what their nodes have and what jobs were given from them. */
export async function groupLines(db: Db): Promise<GroupLine[]> {
  return await rows(
    db,
    groupSchema,
    `with work as (select instance_group_id, sum(task_impact)::int as used, count(*)::int as jobs from awx.unified_job
       where status in ('waiting', 'running') and instance_group_id is not null group by instance_group_id)
     select g.id, g.name, g.max_concurrent_jobs, g.max_forks, g.all_instances, has.members, has.capacity,
       coalesce(w.used, 0) as used, coalesce(w.jobs, 0) as jobs
     from (select * from awx.instance_group order by name limit ${MOST}) g cross join lateral (
       select count(*)::int as members, coalesce(sum(i.capacity) filter (where i.enabled), 0)::int as capacity
       from awx.instance i where g.all_instances or i.hostname in (
         select hostname from awx.instance_group_member m where m.instance_group_id = g.id)) has
     left join work w on w.instance_group_id = g.id order by g.name`,
  );
}

const runningSchema = jobLineSchema.extend({ task_impact: z.int() });
export type RunningLine = z.infer<typeof runningSchema>;
/** Of one node. */
const MOST_JOBS = 20;

/** What was started on each node and has not ended; the longest first. */
export async function runningJobs(db: Db): Promise<RunningLine[]> {
  return await rows(
    db,
    runningSchema,
    `select ${LINE}, j.task_impact from (select *, row_number() over (partition by execution_node order by id) as n
       from awx.unified_job where status in ('waiting', 'running') and execution_node <> '') j
     where n <= ${MOST_JOBS} order by j.execution_node, j.id`,
  );
}
