/**
 * Telling the managers that there is something to look at. However many tell them at once, each runs once more: a run
 * that waits behind the one under way sees what they meant. What is lost is found by the schedules of 20 seconds.
 *
 * @module
 */
import type { PublishOptions } from "edge-dispatcher";

/** Publishes: `context.publish`, a client's, or that of a transaction. */
export type Publish = (task: string, args?: unknown[], options?: PublishOptions) => Promise<unknown>;

export const MANAGERS = {
  task: "scheduler/run_task_manager",
  dependency: "scheduler/run_dependency_manager",
  workflow: "scheduler/run_workflow_manager",
} as const;

/** Managers go before what they manage. */
const PRIORITY = -100;

/** Have the managers look: all three, or those that are named. */
export async function trigger(
  publish: Publish,
  which: readonly (keyof typeof MANAGERS)[] = ["dependency", "task", "workflow"],
): Promise<void> {
  for (const manager of which) {
    await publish(MANAGERS[manager], [], { onDuplicate: "queue_one", priority: PRIORITY });
  }
}
