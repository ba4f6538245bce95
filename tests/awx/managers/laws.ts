/**
 * What must hold of jobs whatever the managers do, said without the managers' code.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Group, Instance, Job } from "../../../tasks/managers/task_manager/world.ts";

/** A job as it is looked at, at any time. */
export interface SeenJob extends Job {
  status: string;
  execution_node: string;
  instance_group_id: number | null;
  depends_on: readonly number[];
}

interface Site {
  instances: readonly Instance[];
  groups: readonly Group[];
}

/** Check what is under way now. */
export function checkUnderway(jobs: readonly SeenJob[], { instances, groups }: Site): void {
  const active = jobs.filter(({ status }) => status === "waiting" || status === "running");
  const status = new Map(jobs.map((job) => [job.id, job.status]));
  for (const job of active) {
    for (const id of job.depends_on) assert.equal(status.get(id), "successful", `${job.id} before ${id}`);
    for (const other of active) {
      if (other.id > job.id) assert.ok(!exclude(job, other), `${job.id} beside ${other.id}`);
    }
  }
  for (const { hostname, capacity, enabled, offers } of instances) {
    const here = active.filter(({ execution_node }) => execution_node === hostname);
    if (here.length > 0) assert.ok(enabled && capacity > 0, `${hostname} is down`);
    const taken = sum(here, ({ task_impact }) => task_impact);
    assert.ok(taken <= capacity || here.length === 1, `${hostname}: ${taken} of ${capacity}`);
    for (const name of new Set(here.flatMap(({ resources }) => Object.keys(resources)))) {
      const used = sum(here, ({ resources }) => resources[name] ?? 0);
      assert.ok(used <= (offers[name] ?? 0), `${hostname}: ${name} ${used} of ${offers[name]}`);
    }
  }
  for (const { id, max_concurrent_jobs, max_forks } of groups) {
    const here = active.filter(({ instance_group_id }) => instance_group_id === id);
    assert.ok(
      max_concurrent_jobs === 0 || here.length <= max_concurrent_jobs,
      `group ${id}: ${here.length} jobs`,
    );
    const forks = sum(here, ({ task_impact }) => task_impact);
    assert.ok(max_forks === 0 || forks <= max_forks || here.length === 1, `group ${id}: ${forks} forks`);
  }
}

/** Whether two jobs must not be under way together. */
export function exclude(a: Job, b: Job): boolean {
  const same = (key: "project_id" | "inventory_source_id" | "template_id") =>
    a[key] !== null && a[key] === b[key];
  const kinds = [a.kind, b.kind];
  if (kinds.includes("project_update") && !kinds.includes("job") && same("project_id")) return true;
  if (a.kind !== b.kind) return false;
  return a.kind === "system_job" || a.kind === "inventory_update" && same("inventory_source_id") ||
    a.kind === "job" && a.template_kind === b.template_kind && same("template_id") &&
      !(a.allow_simultaneous && b.allow_simultaneous);
}

/** Whether a job has to wait for an update, of its project or its inventory, that is under way. */
export function readsWhatIsUpdated(job: Job, other: Job): boolean {
  if (job.kind === "job" && other.kind === "project_update") {
    return job.project_id !== null && job.project_id === other.project_id;
  }
  return (job.kind === "job" || job.kind === "ad_hoc_command") && other.kind === "inventory_update" &&
    job.inventory_id !== null && job.inventory_id === other.inventory_id;
}

function sum<T>(of: readonly T[], value: (one: T) => number): number {
  return of.reduce((total, one) => total + value(one), 0);
}
