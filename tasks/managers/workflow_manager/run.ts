/**
 * One run of the workflow manager, in the caller's transaction.
 *
 * ```text
 *  lock ──► begin what is pending, FIFO a template ──► a step of each workflow that runs ──► tell the managers
 *    │              ▲                                              │
 *    │              └── again, while one workflow's step concerns others (nested, ended) ──┘
 *    └── somebody has it: nothing is done
 * ```
 *
 * | what fails | what then |
 * |---|---|
 * | a node's job cannot be launched | rolled back to the savepoint; the node counts as failed and says why |
 * | the time is over | what was done is committed, and the manager publishes itself once more |
 * | it is killed, or the database goes away | nothing was done; the next run, at most 20 s later, does it |
 * | a job ends while it runs | its ending publishes another run, which waits for this one |
 *
 * @module
 */
import { notify } from "../../jobs/model/notify.ts";
import type { Db } from "../../jobs/model/rows.ts";
import { type Publish, trigger } from "../../jobs/model/trigger.ts";
import { advance, cancel, type Step } from "./advance.ts";
import { holdBack } from "./held_back.ts";
import { type Graph, graphsOf, openWorkflows, type Workflow } from "./load.ts";
import { beginWorkflow } from "./write.ts";

/** What a run did. */
export interface Summary {
  begun: number;
  launched: number;
  ended: number;
  late: boolean;
  /** Envelopes that are to be canceled after the commit. */
  cancel: Set<string>;
}

export interface RunOptions {
  /** Whether the time is over; asked before each launch but the first. */
  late?(): boolean;
}

/** The key of its lock; of the managers each has another. */
const LOCK = "select pg_try_advisory_xact_lock(hashtextextended('awx.workflow_manager', 0)) as locked";

/** Take all workflows as far as they go now. Undefined when another run is under way. */
export async function manageWorkflows(
  db: Db,
  publish: Publish,
  { late = () => false }: RunOptions = {},
): Promise<Summary | undefined> {
  const [{ locked }] = await db.unsafe(LOCK);
  if (!locked) return undefined;
  const held = holdBack();
  const summary: Summary = { begun: 0, launched: 0, ended: 0, late: false, cancel: new Set() };
  while (await pass(db, { publish: held.publish, late }, summary));
  if (summary.launched > 0) await trigger(held.publish, ["dependency", "task"]);
  if (summary.late) await trigger(held.publish, ["workflow"]);
  await held.send(publish);
  return summary;
}

/** A step of every workflow. True when another pass has something to do. */
async function pass(
  db: Db,
  options: { publish: Publish; late(): boolean },
  summary: Summary,
): Promise<boolean> {
  const open = await openWorkflows(db);
  const running = await beginPending(db, open, options.publish, summary);
  const graphs = await graphsOf(db, running.map(({ id }) => id));
  const canceled = new Set(open.filter(({ cancel_flag }) => cancel_flag).map(({ id }) => id));
  let again = false;
  for (const workflow of running) {
    // One that came too late for anything would publish the next one for ever.
    if (summary.launched + summary.ended > 0 && options.late()) summary.late = true;
    if (summary.late) return false;
    const step = await stepOf(db, workflow, graphs.get(workflow.id)!, canceled, options);
    summary.launched += step.launched;
    summary.ended += step.ended ? 1 : 0;
    summary.late = step.late;
    for (const uuid of step.cancel) summary.cancel.add(uuid);
    again ||= step.concernsOthers;
  }
  return again && !summary.late;
}

/** Begin what waits for nothing. Gives what runs then, and what was canceled before it ran. */
async function beginPending(
  db: Db,
  open: readonly Workflow[],
  publish: Publish,
  summary: Summary,
): Promise<Workflow[]> {
  const running: Workflow[] = [];
  const taken = new Set<number>();
  for (const workflow of open) {
    const { id, status, template_id, allow_simultaneous, cancel_flag } = workflow;
    const free = template_id === null || allow_simultaneous || !taken.has(template_id);
    if (template_id !== null) taken.add(template_id);
    if (status === "pending" && !cancel_flag) {
      if (!free || !await beginWorkflow(db, id)) continue;
      summary.begun++;
      await notify(publish, id, "started");
    }
    running.push(workflow);
  }
  return running;
}

function stepOf(
  db: Db,
  workflow: Workflow,
  graph: Graph,
  canceled: ReadonlySet<number>,
  options: { publish: Publish; late(): boolean },
): Promise<Step> {
  if (!workflow.cancel_flag) return advance(db, workflow, graph, options);
  const around = workflow.workflow_job_id;
  const explanation = around !== null && canceled.has(around)
    ? `Canceled with workflow job ${around}`
    : "Canceled by an operator";
  return cancel(db, workflow, graph, { publish: options.publish, explanation });
}
