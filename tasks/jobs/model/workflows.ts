/**
 * Workflow templates: nodes that run templates, and edges that say after which outcome.
 *
 * @module
 */
import { z } from "zod";
import { type Db, notFound, row, rows } from "./rows.ts";
import { TEMPLATE_KINDS, variables } from "./unified_job.ts";

export const EDGE_KINDS = ["success", "failure", "always"] as const;
export type EdgeKind = (typeof EDGE_KINDS)[number];

export const workflowTemplateSchema = z.object({
  id: z.int(),
  name: z.string(),
  extra_vars: variables,
  allow_simultaneous: z.boolean(),
});
export type WorkflowTemplate = z.infer<typeof workflowTemplateSchema>;

const node = {
  id: z.int(),
  identifier: z.string(),
  template_kind: z.enum(TEMPLATE_KINDS),
  template_id: z.int(),
  all_parents_must_converge: z.boolean(),
  extra_vars: variables,
  host_limit: z.string(),
};
export const workflowNodeSchema = z.object({ ...node, workflow_template_id: z.int() });
export type WorkflowNode = z.infer<typeof workflowNodeSchema>;

/** A running workflow's own copy of a node. */
export const workflowJobNodeSchema = z.object({
  ...node,
  workflow_job_id: z.int(),
  job_id: z.int().nullable(),
  /** Once, also when the job's row is gone since. */
  launched: z.boolean(),
  do_not_run: z.boolean(),
  /** Why no job could be launched; counts as a failure. */
  error: z.string(),
});
export type WorkflowJobNode = z.infer<typeof workflowJobNodeSchema>;

export const edgeSchema = z.object({ parent_id: z.int(), child_id: z.int(), kind: z.enum(EDGE_KINDS) });
export type Edge = z.infer<typeof edgeSchema>;

/** @throws {DispatcherError} `not_found`. */
export async function workflowTemplateById(db: Db, id: number): Promise<WorkflowTemplate> {
  const text = "select * from awx.workflow_template where id = $1::bigint";
  const found = await row(db, workflowTemplateSchema, text, [id]);
  if (!found) throw notFound("workflow template", id);
  return found;
}

/** The copies of nodes and edges that a workflow job runs, by identifier. */
export async function workflowGraph(
  db: Db,
  workflowJobId: number,
): Promise<{ nodes: WorkflowJobNode[]; edges: Edge[] }> {
  const nodes = await rows(
    db,
    workflowJobNodeSchema,
    "select * from awx.workflow_job_node where workflow_job_id = $1::bigint order by id",
    [workflowJobId],
  );
  const edges = await rows(
    db,
    edgeSchema,
    `select e.* from awx.workflow_job_edge e join awx.workflow_job_node n on n.id = e.parent_id
     where n.workflow_job_id = $1::bigint order by e.parent_id, e.child_id`,
    [workflowJobId],
  );
  return { nodes, edges };
}

/** Copy a template's nodes and edges for a job that runs them: later changes of the template are not this job's. */
export async function copyGraph(db: Db, workflowTemplateId: number, workflowJobId: number): Promise<void> {
  await db.unsafe(
    `insert into awx.workflow_job_node (workflow_job_id, identifier, template_kind, template_id,
       all_parents_must_converge, extra_vars, host_limit)
     select $2::bigint, identifier, template_kind, template_id, all_parents_must_converge, extra_vars, host_limit
     from awx.workflow_node where workflow_template_id = $1::bigint order by id`,
    [workflowTemplateId, workflowJobId] as never[],
  );
  await db.unsafe(
    `insert into awx.workflow_job_edge (parent_id, child_id, kind)
     select parent.id, child.id, e.kind
     from awx.workflow_edge e
     join awx.workflow_node p on p.id = e.parent_id join awx.workflow_node c on c.id = e.child_id
     join awx.workflow_job_node parent
       on parent.workflow_job_id = $2::bigint and parent.identifier = p.identifier
     join awx.workflow_job_node child
       on child.workflow_job_id = $2::bigint and child.identifier = c.identifier
     where p.workflow_template_id = $1::bigint`,
    [workflowTemplateId, workflowJobId] as never[],
  );
}
