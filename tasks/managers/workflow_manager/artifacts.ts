/**
 * What a node's job is told: its own variables, what the jobs before it have left behind (`set_stats`), and those of
 * the workflow, each over the ones before.
 *
 * @module
 */
import type { Variables } from "../../jobs/model/unified_job.ts";
import type { DagEdge, DagNode } from "./dag.ts";

/** What a job has left behind, and when it ended. */
export interface Leaving {
  finished: string;
  artifacts: Variables;
}

/** The ids of a node's ancestors. */
export function ancestorsOf(id: number, edges: readonly DagEdge[]): Set<number> {
  const parents = new Map<number, number[]>();
  for (const { parent_id, child_id } of edges) {
    parents.set(child_id, [...parents.get(child_id) ?? [], parent_id]);
  }
  const found = new Set<number>();
  const todo = [...parents.get(id) ?? []];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    todo.push(...parents.get(next) ?? []);
  }
  return found;
}

/**
 * The variables of a node's job.
 *
 * @param leavings By the id of the job.
 */
export function variablesFor(
  node: DagNode & { readonly extra_vars: Variables },
  graph: { nodes: readonly DagNode[]; edges: readonly DagEdge[] },
  workflowVars: Variables,
  leavings: ReadonlyMap<number, Leaving>,
): Variables {
  const ancestors = ancestorsOf(node.id, graph.edges);
  const before = graph.nodes.filter(({ id }) => ancestors.has(id));
  return { ...node.extra_vars, ...leftBy(before, leavings), ...workflowVars };
}

/**
 * What all of these nodes have left behind; of the same name, what came last: who follows another in the graph also
 * ends after it.
 */
export function leftBy(nodes: readonly DagNode[], leavings: ReadonlyMap<number, Leaving>): Variables {
  const left = nodes.flatMap(({ job }) => job === null ? [] : leavings.get(job.id) ?? []);
  left.sort((a, b) => Date.parse(a.finished) - Date.parse(b.finished));
  const merged: Variables = Object.assign({}, ...left.map(({ artifacts }) => artifacts));
  // Ansible's own mark on what was said with no_log: it is no variable.
  delete merged._ansible_no_log;
  return merged;
}
