/**
 * Jobs, nodes and groups for tests of rules, with what does not matter filled in.
 *
 * @module
 */
import type {
  ActiveJob,
  Group,
  Instance,
  PendingJob,
  World,
} from "../../../tasks/managers/task_manager/world.ts";
import { Planner, type Verdict } from "../../../tasks/managers/task_manager/plan.ts";

let last = 0;

/** A pending ad hoc command of one fork, unless told. */
export function pending(values: Partial<PendingJob> = {}): PendingJob {
  return {
    id: ++last,
    kind: "ad_hoc_command",
    name: "",
    template_kind: null,
    template_id: null,
    project_id: null,
    inventory_id: null,
    inventory_source_id: null,
    instance_group_ids: [],
    allow_simultaneous: false,
    resources: {},
    task_impact: 1,
    priority: 0,
    preemptible: false,
    task_uuid: null,
    waited: 0,
    cancel_flag: false,
    job_explanation: "",
    dependencies: [],
    ...values,
  };
}

/** One that runs on n1 by the right of the default group. */
export function active(values: Partial<ActiveJob> = {}): ActiveJob {
  return { ...pending(values), execution_node: "n1", instance_group_id: 1, ...values };
}

export function instance(hostname: string, capacity: number, values: Partial<Instance> = {}): Instance {
  return { hostname, capacity, enabled: true, offers: {}, ...values };
}

export function group(id: number, hostnames: string[], values: Partial<Group> = {}): Group {
  const name = id === 1 ? "default" : `g${id}`;
  return { id, name, max_concurrent_jobs: 0, max_forks: 0, hostnames, ...values };
}

/** Nodes, all of them in the default group, and what runs on them. */
export function world(instances: Instance[], values: Partial<World> = {}): World {
  return { instances, groups: [group(1, instances.map(({ hostname }) => hostname))], active: [], ...values };
}

/** What becomes of the jobs, in this order. */
export function plan(
  given: World,
  jobs: readonly PendingJob[],
  { starts = 1_000, pendingTimeout = 0, preempts = false } = {},
): Verdict[] {
  const planner = new Planner(given, { starts, pendingTimeout, preempts });
  const verdicts: Verdict[] = [];
  for (const job of jobs) if (!planner.full) verdicts.push(planner.consider(job));
  return verdicts;
}

/** A verdict in a word: the node, the status, or the explanation. */
export function brief(verdict: Verdict): string {
  if (verdict.do === "start") return verdict.node;
  return verdict.do === "end" ? `${verdict.status}: ${verdict.explanation}` : verdict.explanation;
}
