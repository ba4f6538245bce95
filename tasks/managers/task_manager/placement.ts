/**
 * Where a job runs: its groups in order; in a group the node with the most capacity left after it, else the largest that
 * is idle, even if the job is larger than it. So a job always finds a place once a node of its group has none.
 *
 * A job that finds none keeps what it waits for: no later one takes capacity of a node that it could run on. What no
 * node of a group has at all, it does not wait for there.
 *
 * @module
 */
import type { Capacity, GroupRoom, NodeRoom } from "./capacity.ts";
import type { Job } from "./world.ts";

/** A place, or the reason why there is none. */
export type Placement = { node: string; group: number } | { why: string };

/** Nodes that an explanation names at most. */
const SHOWN = 3;

/**
 * Find a place; what is refused is kept for the job.
 *
 * @param preempts Whether the node stops what is less urgent where it lacks what the job asks for by name.
 */
export function place(job: Job, capacity: Capacity, preempts: boolean): Placement {
  const groups = capacity.groupsOf(job);
  if (groups.length === 0) return { why: "There is no instance group for it, not even one named default" };
  const refusals: Refusal[] = [];
  for (const group of groups) {
    const chosen = choose(job, group, preempts);
    if ("node" in chosen) return { node: chosen.node.hostname, group: group.group.id };
    refusals.push(chosen);
  }
  for (const { keep } of refusals) keep?.();
  return { why: sentence(refusals.map(({ why }) => why)) };
}

/** Whether there is a node that could run it, were it idle. What has none need not be waited for by others. */
export function hasPlace(job: Job, capacity: Capacity): boolean {
  return capacity.groupsOf(job).some(({ nodes }) => nodes.some((node) => node.offers(job)));
}

interface Refusal {
  why: string;
  keep?(): void;
}

function choose(job: Job, room: GroupRoom, preempts: boolean): { node: NodeRoom } | Refusal {
  const { name } = room.group;
  if (room.nodes.length === 0) return { why: `no instance of group ${name} is up` };
  const able = room.nodes.filter((node) => node.offers(job));
  if (able.length === 0) return { why: `no instance of group ${name} has ${asked(job)}` };
  if (room.closed) return behind(name);
  const limit = room.limits(job);
  if (limit !== undefined) return { why: limit, keep: () => room.close() };
  const open = able.filter((node) => !node.keptFrom(job));
  const node = best(job, open.filter((node) => node.lacks(job).length === 0)) ??
    (preempts ? best(job, open.filter((node) => !node.lacksEvenSo(job))) : undefined);
  if (node) return { node };
  const keep = () => able.forEach((node) => node.keepFor(job));
  if (open.length === 0) return { ...behind(name), keep };
  return { why: `needs ${needs(job, open)}`, keep };
}

function best(job: Job, nodes: readonly NodeRoom[]): NodeRoom | undefined {
  const fits = nodes.filter(({ remaining }) => remaining >= job.task_impact);
  return largest(fits.length > 0 ? fits : nodes.filter(({ idle }) => idle));
}

/** By what is left; the first name where that is the same, so that a plan can be foretold. */
function largest(nodes: readonly NodeRoom[]): NodeRoom | undefined {
  return [...nodes].sort((a, b) => b.remaining - a.remaining || (a.hostname < b.hostname ? -1 : 1))[0];
}

/** The same for all who come behind: it stays true, and is written once. */
function behind(group: string): Refusal {
  return { why: `waits behind earlier jobs for capacity in group ${group}` };
}

function needs(job: Job, nodes: readonly NodeRoom[]): string {
  const some = nodes.slice(0, SHOWN);
  const forks = nodes.filter((node) => node.roomFor(job)).length === 0;
  const lacking = forks ? [] : [...new Set(nodes.flatMap((node) => node.lacks(job)))];
  const left = some.map((node) => {
    const what = forks
      ? `${Math.max(node.remaining, 0)} of ${node.capacity}`
      : lacking.map((name) => `${name} ${Math.max(node.free(name), 0)}`).join(", ");
    return `${node.hostname} has ${what} left`;
  });
  const more = nodes.length > SHOWN ? ` and ${nodes.length - SHOWN} more have too little` : "";
  return `${forks ? job.task_impact : asked(job)}: ${left.join(", ")}${more}`;
}

function asked({ resources }: Job): string {
  return Object.entries(resources).map(([name, amount]) => `${name} ${amount}`).join(", ");
}

function sentence(parts: readonly string[]): string {
  const text = [...new Set(parts)].join("; ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
