/**
 * How a job travels: which task runs it, and what of it the dispatcher is told.
 *
 * @module
 */
import type { PublishOptions } from "edge-dispatcher";
import type { JobKind } from "../../jobs/model/unified_job.ts";
import type { PendingJob } from "./world.ts";

/** What runs each kind of job on its node; workflow jobs run in their manager. */
export const RUNNERS: Readonly<Record<Exclude<JobKind, "workflow_job">, string>> = {
  job: "jobs/RunJob",
  ad_hoc_command: "jobs/RunAdHocCommand",
  project_update: "jobs/RunProjectUpdate",
  inventory_update: "jobs/RunInventoryUpdate",
  system_job: "jobs/RunSystemJob",
};

/** What the dispatcher takes as a priority; a job may have any. */
const RANGE = { least: -32_768, most: 32_767 };

/**
 * What the dispatcher is told of a job besides its number. It counts what is asked for by name for itself, and stops what is
 * preemptible for what is more urgent.
 */
export function deliveryOf(job: PendingJob, node: string): PublishOptions {
  const priority = Math.min(Math.max(job.priority, RANGE.least), RANGE.most);
  const { resources, preemptible } = job;
  const asks = Object.keys(resources).length > 0;
  return { queue: node, priority, ...(asks && { resources }), ...(preemptible && { preemptible }) };
}
