/**
 * What the workflow manager reads.
 *
 * @module
 */
import { z } from "zod";
import { type Db, list, rows } from "../../jobs/model/rows.ts";
import { STATUSES, unifiedJobSchema, variables } from "../../jobs/model/unified_job.ts";
import { type Edge, edgeSchema, workflowJobNodeSchema } from "../../jobs/model/workflows.ts";
import type { Leaving } from "./artifacts.ts";

const workflowSchema = unifiedJobSchema.pick({
  id: true,
  name: true,
  status: true,
  template_id: true,
  allow_simultaneous: true,
  extra_vars: true,
  workflow_job_id: true,
  cancel_flag: true,
});
/** A workflow job that is pending or running. */
export type Workflow = z.infer<typeof workflowSchema>;

const nodeSchema = workflowJobNodeSchema.extend({
  job: z.object({ id: z.int(), status: z.enum(STATUSES) }).nullable(),
});
/** A node with the job that it runs. */
export type Node = z.infer<typeof nodeSchema>;

export interface Graph {
  nodes: Node[];
  edges: Edge[];
}

/** The open workflows in the order in which they were launched; by the index of what is open. */
export async function openWorkflows(db: Db): Promise<Workflow[]> {
  return await rows(
    db,
    workflowSchema,
    `select id, name, status, template_id, allow_simultaneous, extra_vars, workflow_job_id, cancel_flag
     from awx.unified_job
     where kind = 'workflow_job' and status in ('pending', 'waiting', 'running')
     order by created, id`,
  );
}

/** The graphs of workflow jobs, in two statements for all of them. */
export async function graphsOf(db: Db, workflowJobIds: readonly number[]): Promise<Map<number, Graph>> {
  const graphs = new Map<number, Graph>(workflowJobIds.map((id) => [id, { nodes: [], edges: [] }]));
  if (graphs.size === 0) return graphs;
  const nodes = await rows(
    db,
    nodeSchema,
    `select n.*, case when j.id is not null then jsonb_build_object('id', j.id, 'status', j.status) end as job
     from awx.workflow_job_node n left join awx.unified_job j on j.id = n.job_id
     where n.workflow_job_id = any($1::text::bigint[]) order by n.id`,
    [list(workflowJobIds)],
  );
  const ownEdge = edgeSchema.extend({ workflow_job_id: z.int() });
  const edges = await rows(
    db,
    ownEdge,
    `select e.*, n.workflow_job_id
     from awx.workflow_job_edge e join awx.workflow_job_node n on n.id = e.parent_id
     where n.workflow_job_id = any($1::text::bigint[]) order by e.parent_id, e.child_id`,
    [list(workflowJobIds)],
  );
  for (const node of nodes) graphs.get(node.workflow_job_id)!.nodes.push(node);
  for (const { workflow_job_id, ...edge } of edges) graphs.get(workflow_job_id)!.edges.push(edge);
  return graphs;
}

/** What jobs have left behind, by id; those that left nothing are not among them. */
export async function leavingsOf(db: Db, jobIds: readonly number[]): Promise<Map<number, Leaving>> {
  const found = await rows(
    db,
    z.object({ id: z.int(), finished: z.string(), artifacts: variables }),
    `select id, finished, artifacts from awx.unified_job
     where id = any($1::text::bigint[]) and finished is not null and artifacts <> '{}'`,
    [list(jobIds)],
  );
  return new Map(found.map(({ id, ...leaving }) => [id, leaving]));
}

/** A job of a workflow that has not ended. */
export interface OpenJob {
  id: number;
  cancel_flag: boolean;
  /** Its envelope, once it was started. */
  task_uuid: string | null;
}

/** A workflow's open jobs, nested workflows among them, in the order in which rows are locked. */
export async function openJobsOf(db: Db, workflowJobId: number): Promise<OpenJob[]> {
  return await rows(
    db,
    z.object({ id: z.int(), cancel_flag: z.boolean(), task_uuid: z.string().nullable() }),
    `select id, cancel_flag, task_uuid from awx.unified_job
     where workflow_job_id = $1::bigint and status in ('pending', 'waiting', 'running') order by id`,
    [workflowJobId],
  );
}
