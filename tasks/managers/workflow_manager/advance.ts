/**
 * One step of one workflow: its graph is looked at, what can start is launched, what never will is marked, and when all
 * is done it gets its verdict.
 *
 * @module
 */
import { cancelJob, finish } from "../../jobs/model/endings.ts";
import { launch } from "../../jobs/model/launch.ts";
import type { Db } from "../../jobs/model/rows.ts";
import type { Publish } from "../../jobs/model/trigger.ts";
import type { FinalStatus, Variables } from "../../jobs/model/unified_job.ts";
import { type Leaving, leftBy, variablesFor } from "./artifacts.ts";
import { inOrder, outcomeOf, plan, verdictOf } from "./dag.ts";
import { type Graph, leavingsOf, type Node, openJobsOf, type Workflow } from "./load.ts";
import { nestingFault } from "./nesting.ts";
import { writeError, writeLaunch, writeSkips } from "./write.ts";

/** What one step did. */
export interface Step {
  launched: number;
  /** The workflow has its verdict. */
  ended: boolean;
  /** Other workflows have something to do now: one was launched, canceled, or ended. */
  concernsOthers: boolean;
  /** Envelopes to be canceled after the commit. */
  cancel: string[];
  /** The time was over before all was launched. */
  late: boolean;
}

export interface StepOptions {
  publish: Publish;
  /** Whether the run's time is over. */
  late(): boolean;
}

/** Take a running workflow as far as it goes now. */
export async function advance(
  db: Db,
  workflow: Workflow,
  graph: Graph,
  { publish, late }: StepOptions,
): Promise<Step> {
  const step: Step = { launched: 0, ended: false, concernsOthers: false, cancel: [], late: false };
  const { circle } = inOrder(graph.nodes, graph.edges);
  if (circle.length > 0) {
    const names = circle.map(({ identifier }) => `"${identifier}"`).join(", ");
    const explanation = `Cannot run this workflow: its nodes wait for each other in a circle: ${names}`;
    await end(db, workflow, graph, publish, "failed", explanation);
    return { ...step, ended: true, concernsOthers: true };
  }
  const left = once(() => leavingsOf(db, jobsOf(graph)));
  for (;;) {
    const { start, skip, done } = plan(graph.nodes, graph.edges);
    await markSkipped(db, graph, skip);
    if (done) {
      const { status, explanation } = verdictOf(graph.nodes, graph.edges);
      await end(db, workflow, graph, publish, status, explanation);
      return { ...step, ended: true, concernsOthers: true };
    }
    // What cannot be launched is a failure, which others may follow at once.
    let failed = false;
    for (const node of graph.nodes.filter(({ id }) => start.includes(id))) {
      if (step.launched > 0 && late()) return { ...step, late: true };
      const launched = await launchNode(db, workflow, { graph, node, left });
      failed ||= !launched;
      if (launched) step.launched++;
      if (launched && node.template_kind === "workflow_template") step.concernsOthers = true;
    }
    if (!failed) return step;
  }
}

/** Have what a canceled workflow runs end, and end it when nothing runs any more. */
export async function cancel(
  db: Db,
  workflow: Workflow,
  graph: Graph,
  { publish, explanation }: { publish: Publish; explanation: string },
): Promise<Step> {
  const step: Step = { launched: 0, ended: false, concernsOthers: false, cancel: [], late: false };
  let open = 0;
  for (const job of await openJobsOf(db, workflow.id)) {
    let { task_uuid } = job;
    // What was asked already is not asked again, but its envelope is: the first time may have been lost.
    if (!job.cancel_flag) {
      const asked = await cancelJob(db, publish, job.id, `Canceled with workflow job ${workflow.id}`);
      step.concernsOthers ||= asked.job.kind === "workflow_job";
      if (asked.did !== "canceling") continue;
      task_uuid = asked.job.task_uuid;
    }
    open++;
    if (task_uuid !== null) step.cancel.push(task_uuid);
  }
  const undecided = graph.nodes.filter((node) => outcomeOf(node) === "undecided");
  await markSkipped(db, graph, undecided.map(({ id }) => id));
  if (open > 0) return step;
  await end(db, workflow, graph, publish, "canceled", explanation);
  return { ...step, ended: true, concernsOthers: true };
}

/** A node, and what it is launched among. */
interface Place {
  graph: Graph;
  node: Node;
  /** What the graph's jobs have left behind. */
  left(): Promise<Map<number, Leaving>>;
}

/** Launch a node's job. False when that cannot be done, which is noted with the node. */
async function launchNode(db: Db, workflow: Workflow, place: Place): Promise<boolean> {
  const { node } = place;
  const { template_kind: kind, template_id: id, host_limit } = node;
  const fault = kind === "workflow_template" ? await nestingFault(db, id, workflow.id) : undefined;
  if (fault !== undefined) return await fail(db, node, fault);
  const extraVars = await variablesOf(workflow, place);
  // A statement that fails inside would otherwise take the whole run with it.
  await db.unsafe("savepoint launch");
  try {
    const job = await launch(db, { kind, id }, {
      launchType: "workflow",
      workflowJobId: workflow.id,
      extraVars,
      hostLimit: host_limit === "" ? undefined : host_limit,
    });
    await writeLaunch(db, node.id, job.id);
    await db.unsafe("release savepoint launch");
    node.job = { id: job.id, status: job.status };
    node.launched = true;
    return true;
  } catch (error) {
    await db.unsafe("rollback to savepoint launch");
    return await fail(db, node, (error as Error).message);
  }
}

async function fail(db: Db, node: Node, error: string): Promise<false> {
  await writeError(db, node.id, error);
  node.error = error;
  return false;
}

/** Updates take no variables, so what others have left is for jobs and nested workflows only. */
async function variablesOf({ extra_vars }: Workflow, { graph, node, left }: Place): Promise<Variables> {
  if (node.template_kind !== "job_template" && node.template_kind !== "workflow_template") {
    return node.extra_vars;
  }
  return variablesFor(node, graph, extra_vars, await left());
}

async function markSkipped(db: Db, graph: Graph, ids: readonly number[]): Promise<void> {
  await writeSkips(db, ids);
  for (const node of graph.nodes) if (ids.includes(node.id)) node.do_not_run = true;
}

/** What its jobs have left behind is the workflow's own then, for who nests it. */
async function end(
  db: Db,
  { id }: Workflow,
  graph: Graph,
  publish: Publish,
  status: FinalStatus,
  explanation: string,
): Promise<void> {
  const artifacts = leftBy(graph.nodes, await leavingsOf(db, jobsOf(graph)));
  await finish(db, publish, {
    jobId: id,
    taskUuid: null,
    status,
    explanation,
    artifacts,
    closesEvents: true,
  });
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => made ??= make();
}

function jobsOf({ nodes }: Graph): number[] {
  return nodes.flatMap(({ job }) => job === null ? [] : [job.id]);
}
