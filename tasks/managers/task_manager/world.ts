/**
 * What the task manager knows when it plans: nodes, groups, what is under way, and what waits. Plain data, so that the
 * rules beside it are functions of it.
 *
 * @module
 */
import type { JobKind, JobStatus } from "../../jobs/model/unified_job.ts";

/** A node, as its heartbeat and its operators describe it. */
export interface Instance {
  hostname: string;
  enabled: boolean;
  /** Forks that it may run; 0 when it is offline or draining. */
  capacity: number;
  /** What jobs may ask for by name: cpu, memoryMb and whatever else it offers. */
  offers: Readonly<Record<string, number>>;
}

/** An instance group with the names of its members. */
export interface Group {
  id: number;
  name: string;
  /** 0: any number. */
  max_concurrent_jobs: number;
  max_forks: number;
  hostnames: readonly string[];
}

/** The group of jobs that name none. */
export const DEFAULT_GROUP = "default";

/** What the rules look at in any job. */
export interface Job {
  id: number;
  kind: JobKind;
  name: string;
  template_kind: string | null;
  template_id: number | null;
  project_id: number | null;
  inventory_id: number | null;
  inventory_source_id: number | null;
  instance_group_ids: readonly number[];
  allow_simultaneous: boolean;
  resources: Readonly<Record<string, number>>;
  task_impact: number;
  /** Smaller runs earlier. */
  priority: number;
  /** Whether it may be stopped for what is more urgent. */
  preemptible: boolean;
}

/** One that waits on a node or runs there. */
export interface ActiveJob extends Job {
  execution_node: string;
  instance_group_id: number | null;
}

/** A job that must be successful first; without a status where it is no more. */
export interface Dependency {
  id: number;
  kind: JobKind | null;
  name: string | null;
  status: JobStatus | null;
}

/** One that waits to be started. */
export interface PendingJob extends Job {
  /** Of an earlier start that came to nothing. */
  task_uuid: string | null;
  /** Seconds since it was launched. */
  waited: number;
  cancel_flag: boolean;
  job_explanation: string;
  dependencies: readonly Dependency[];
}

/** All but what waits. */
export interface World {
  instances: readonly Instance[];
  groups: readonly Group[];
  active: readonly ActiveJob[];
}

/** A job in a sentence: `project update 12 (site)`. */
export function labelOf({ id, kind, name }: Dependency | Job): string {
  return `${(kind ?? "job").replaceAll("_", " ")} ${id}${name ? ` (${name})` : ""}`;
}
