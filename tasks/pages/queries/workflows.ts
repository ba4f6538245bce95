/**
 * Workflows as they are listed, and the jobs of one that runs.
 *
 * @module
 */
import { z } from "zod";
import { type Db, rows } from "../../jobs/model/rows.ts";
import { STATUSES } from "../../jobs/model/unified_job.ts";
import { type JobLine, jobLineSchema, LINE } from "./jobs.ts";

const templateSchema = z.object({
  id: z.int(),
  name: z.string(),
  nodes: z.int(),
  last_id: z.int().nullable(),
  last_status: z.enum(STATUSES).nullable(),
  last_created: z.string().nullable(),
});
export type WorkflowTemplateLine = z.infer<typeof templateSchema>;

/** Templates by name, each with its last run. */
export async function workflowTemplates(db: Db, limit: number): Promise<WorkflowTemplateLine[]> {
  return await rows(
    db,
    templateSchema,
    `select t.id, t.name, (select count(*) from awx.workflow_node n where n.workflow_template_id = t.id)::int as nodes,
       last.id as last_id, last.status as last_status, last.created as last_created
     from (select id, name from awx.workflow_template order by name limit $1::int) t left join lateral (
       select id, status, created from awx.unified_job
       where template_kind = 'workflow_template' and template_id = t.id order by id desc limit 1) last on true
     order by t.name`,
    [limit],
  );
}

/** Runs of any workflow, the newest first. */
export async function workflowRuns(db: Db, before: number | undefined, limit: number): Promise<JobLine[]> {
  return await rows(
    db,
    jobLineSchema,
    `select ${LINE} from awx.unified_job j
     where j.kind = 'workflow_job' and ($1::bigint is null or j.id < $1::bigint) order by j.id desc limit $2::int`,
    [before ?? null, limit],
  );
}

const nodeSchema = jobLineSchema.partial().extend({
  node_id: z.int(),
  identifier: z.string(),
  node_template_kind: z.string(),
  template_name: z.string().nullable(),
  do_not_run: z.boolean(),
  all_parents_must_converge: z.boolean(),
  id: z.int().nullable(),
  name: z.string().nullable(),
  kind: jobLineSchema.shape.kind.nullable(),
  status: jobLineSchema.shape.status.nullable(),
  launch_type: jobLineSchema.shape.launch_type.nullable(),
  created: z.string().nullable(),
  elapsed: z.number().nullable(),
  execution_node: z.string().nullable(),
  cancel_flag: z.boolean().nullable(),
  job_explanation: z.string().nullable(),
});
export type NodeLine = z.infer<typeof nodeSchema>;

/** Each node of a workflow that runs, with its job where it has one. */
export async function workflowNodes(db: Db, workflowJobId: number): Promise<NodeLine[]> {
  return await rows(
    db,
    nodeSchema,
    `select n.id as node_id, n.identifier, n.template_kind as node_template_kind, n.do_not_run,
       n.all_parents_must_converge,
       case n.template_kind
         when 'job_template' then (select name from awx.job_template where id = n.template_id)
         when 'workflow_template' then (select name from awx.workflow_template where id = n.template_id)
         when 'project' then (select name from awx.project where id = n.template_id)
         when 'inventory_source' then (select name from awx.inventory_source where id = n.template_id) end
         as template_name,
       ${LINE}
     from awx.workflow_job_node n left join awx.unified_job j on j.id = n.job_id
     where n.workflow_job_id = $1::bigint order by n.id`,
    [workflowJobId],
  );
}
