/**
 * Reading what the task manager plans with: the world in three statements, and what is pending by turn through a cursor,
 * so that a run that may start 100 does not read 5,000.
 *
 * @module
 */
import { z } from "zod";
import { type Db, rows } from "../../jobs/model/rows.ts";
import { JOB_KINDS, STATUSES, unifiedJobSchema } from "../../jobs/model/unified_job.ts";
import { ORDER_BY } from "./order.ts";
import type { PendingJob, World } from "./world.ts";

const amounts = z.record(z.string(), z.number());

const instanceSchema = z.object({
  hostname: z.string(),
  enabled: z.boolean(),
  capacity: z.int(),
  // What cannot be read is not offered: one node must not keep jobs from all others.
  offers: amounts.catch({}),
});
const INSTANCES = `select hostname, enabled, capacity,
    jsonb_build_object('cpu', cpu, 'memoryMb', memory_mb) || resources offers
  from awx.instance order by hostname`;

const groupSchema = z.object({
  id: z.int(),
  name: z.string(),
  max_concurrent_jobs: z.int(),
  max_forks: z.int(),
  hostnames: z.array(z.string()),
});
const GROUPS = `select id, name, max_concurrent_jobs, max_forks,
    array(select hostname from awx.instance i where g.all_instances or exists (
      select from awx.instance_group_member m where m.instance_group_id = g.id and m.hostname = i.hostname)
      order by hostname) hostnames
  from awx.instance_group g order by id`;

const jobSchema = unifiedJobSchema.pick({
  id: true,
  kind: true,
  name: true,
  template_kind: true,
  template_id: true,
  project_id: true,
  inventory_id: true,
  inventory_source_id: true,
  instance_group_ids: true,
  allow_simultaneous: true,
  resources: true,
  task_impact: true,
  priority: true,
  preemptible: true,
});
const JOB = Object.keys(jobSchema.shape).join(", ");

const activeSchema = jobSchema.extend({
  execution_node: z.string(),
  instance_group_id: z.int().nullable(),
});
// Workflow jobs take nothing of a node, and are another manager's.
const ACTIVE = `select ${JOB}, execution_node, instance_group_id from awx.unified_job
  where status in ('waiting', 'running') and kind <> 'workflow_job' order by id`;

const pendingSchema = jobSchema.extend({
  task_uuid: z.string().nullable(),
  waited: z.number(),
  cancel_flag: z.boolean(),
  job_explanation: z.string(),
  dependencies: z.array(z.object({
    id: z.int(),
    kind: z.enum(JOB_KINDS).nullable(),
    name: z.string().nullable(),
    status: z.enum(STATUSES).nullable(),
  })),
});
const PENDING = `declare pending no scroll cursor for
  select to_jsonb(r) as row from (
    select ${JOB}, task_uuid, extract(epoch from now() - created)::float8 waited, cancel_flag,
      job_explanation, case when depends_on = '{}' then '[]' else (
        select jsonb_agg(jsonb_build_object('id', dep.id, 'kind', d.kind, 'name', d.name, 'status', d.status))
        from unnest(depends_on) dep (id) left join awx.unified_job d using (id)) end dependencies
    from awx.unified_job
    where status = 'pending' and kind <> 'workflow_job'
      and (dependencies_processed or kind not in ('job', 'inventory_update'))
    order by ${ORDER_BY}) r`;

/** What is pending is read in portions of so many. */
const PORTION = 250;

/** All but what is pending. */
export async function loadWorld(tx: Db): Promise<World> {
  const [instances, groups, active] = await Promise.all([
    rows(tx, instanceSchema, INSTANCES),
    rows(tx, groupSchema, GROUPS),
    rows(tx, activeSchema, ACTIVE),
  ]);
  return { instances, groups, active };
}

/** What is pending and has its dependencies, by turn, in portions. Within a transaction. */
export async function* pendingByTurn(tx: Db): AsyncGenerator<PendingJob[]> {
  await tx.unsafe(PENDING);
  for (;;) {
    const found = await tx.unsafe(`fetch ${PORTION} from pending`);
    yield found.map(({ row }) => pendingSchema.parse(row));
    if (found.length < PORTION) break;
  }
  await tx.unsafe("close pending");
}
