/**
 * The workflow manager: takes every running workflow as far as it goes now. Published whenever a job begins or ends, and
 * every 20 s; docs/control-plane/workflows.md tells the rules.
 *
 * @module
 */
import { task, type TaskContext } from "edge-dispatcher";

/** The part of its time after which a manager commits what it has. */
const DEADLINE = 0.9;

export default task({ bind: true, maxAttempts: 3, backoff: 1 }, async function runWorkflowManager(
  context: TaskContext,
) {
  const { manageWorkflows } = await import("../managers/workflow_manager/run.ts");
  const { settings } = await import("../jobs/model/settings.ts");
  const { TASK_MANAGER_TIMEOUT } = await settings(await context.database());
  const deadline = performance.now() + TASK_MANAGER_TIMEOUT * 1000 * DEADLINE;
  let canceled: string[] = [];
  const done = await context.transaction(async (tx, publish) => {
    const late = () => context.signal.aborted || performance.now() > deadline;
    const summary = await manageWorkflows(tx, publish, { late });
    canceled = [...summary?.cancel ?? []];
    return summary === undefined ? "another run is under way" : { ...summary, cancel: canceled.length };
  });
  // After the commit: what runs must find the flag. If this is lost, the next run asks again.
  if (canceled.length > 0) await (await (await import("edge-dispatcher")).client()).cancel(canceled);
  return done;
});
