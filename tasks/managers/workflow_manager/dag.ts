/**
 * The rules of a workflow's graph, without a database: which nodes start, which never will, whether all is done, and
 * how it ended.
 *
 * ```text
 *              ┌─ no parents ─────────────────────────────► starts
 *  undecided ──┤  all parents decided, and ─ enough ──────► starts ──► success | failure
 *              │  any: one edge followed                       └─ cannot be launched ─► failure
 *              └─ all: each edge followed ── not enough ──► skipped (do_not_run)
 * ```
 *
 * An edge is followed when its parent ended as it says: `success`, `failure` (failed, error, canceled, reaped, could
 * not be launched), or `always` (either of the two). Of a parent that was skipped no edge is followed.
 *
 * @module
 */
import type { EdgeKind } from "../../jobs/model/workflows.ts";
import type { FinalStatus, JobStatus } from "../../jobs/model/unified_job.ts";

/** A node of a running workflow, as far as the rules need it. */
export interface DagNode {
  readonly id: number;
  readonly identifier: string;
  readonly all_parents_must_converge: boolean;
  readonly do_not_run: boolean;
  /** Why no job could be launched; empty when there was no such trouble. */
  readonly error: string;
  /** The job was launched once, whether or not its row is still there. */
  readonly launched: boolean;
  readonly job: { readonly id: number; readonly status: JobStatus } | null;
}

export interface DagEdge {
  readonly parent_id: number;
  readonly child_id: number;
  readonly kind: EdgeKind;
}

/** What became of a node. */
export type Outcome = "success" | "failure" | "skipped" | "running" | "undecided";

/** What is to be done now. */
export interface Plan {
  /** Nodes whose job is to be launched, in an order in which parents go before children. */
  start: number[];
  /** Nodes that can never run any more. */
  skip: number[];
  /** Nothing runs and nothing is to start. */
  done: boolean;
}

/** What became of a node so far. */
export function outcomeOf(node: DagNode): Outcome {
  if (node.do_not_run) return "skipped";
  if (node.error !== "") return "failure";
  if (node.job === null) return node.launched ? "failure" : "undecided";
  if (node.job.status === "successful") return "success";
  return ENDED_BADLY.includes(node.job.status) ? "failure" : "running";
}
const ENDED_BADLY: readonly JobStatus[] = ["failed", "error", "canceled"];

/** Which nodes start now and which never will, given what is known of all of them. */
export function plan(nodes: readonly DagNode[], edges: readonly DagEdge[]): Plan {
  const parents = grouped(edges, "child_id");
  const outcomes = new Map(nodes.map((node) => [node.id, outcomeOf(node)]));
  const start: number[] = [];
  const skip: number[] = [];
  for (const node of inOrder(nodes, edges).order) {
    if (outcomes.get(node.id) !== "undecided") continue;
    const verdict = decide(node, parents.get(node.id) ?? [], outcomes);
    if (verdict === "start") start.push(node.id);
    if (verdict === "skip") {
      skip.push(node.id);
      // What comes after it in the order sees it.
      outcomes.set(node.id, "skipped");
    }
  }
  const open = [...outcomes.values()].some((outcome) => outcome === "running" || outcome === "undecided");
  return { start, skip, done: !open };
}

/** How a finished workflow ended; the explanation names the nodes whose failure nothing handled. */
export function verdictOf(
  nodes: readonly DagNode[],
  edges: readonly DagEdge[],
): { status: Extract<FinalStatus, "successful" | "failed">; explanation: string } {
  const children = grouped(edges, "parent_id");
  const unhandled = nodes.filter((node) =>
    outcomeOf(node) === "failure" &&
    !(children.get(node.id) ?? []).some(({ kind }) => kind === "failure" || kind === "always")
  );
  if (unhandled.length === 0) return { status: "successful", explanation: "" };
  const named = unhandled.slice(0, NAMED).map(naming);
  if (unhandled.length > NAMED) named.push(`and ${unhandled.length - NAMED} more`);
  return {
    status: "failed",
    explanation: `No failure or always edge follows what failed: ${named.join("; ")}`,
  };
}
/** Nodes that an explanation names. */
const NAMED = 10;

function naming({ identifier, job, error }: DagNode): string {
  const what = error !== "" ? error : job === null ? "its job is gone" : `job ${job.id} ${job.status}`;
  return `node "${identifier}" (${what})`;
}

/**
 * The nodes with parents before children, those without parents in the order given; `circle` has those that are in or
 * behind a circle, which have no such order.
 */
export function inOrder<N extends { readonly id: number }>(
  nodes: readonly N[],
  edges: readonly Pick<DagEdge, "parent_id" | "child_id">[],
): { order: N[]; circle: N[] } {
  const children = grouped(edges, "parent_id");
  const waitsFor = new Map(nodes.map(({ id }) => [id, 0]));
  for (const { child_id } of edges) waitsFor.set(child_id, (waitsFor.get(child_id) ?? 0) + 1);
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const order = nodes.filter(({ id }) => waitsFor.get(id) === 0);
  // Grows while it is walked: a child follows its last parent.
  for (const { id } of order) {
    for (const { child_id } of children.get(id) ?? []) {
      const left = waitsFor.get(child_id)! - 1;
      waitsFor.set(child_id, left);
      if (left === 0 && byId.has(child_id)) order.push(byId.get(child_id)!);
    }
  }
  return { order, circle: nodes.filter(({ id }) => waitsFor.get(id)! > 0) };
}

function decide(
  node: DagNode,
  edges: readonly DagEdge[],
  outcomes: ReadonlyMap<number, Outcome>,
): "start" | "skip" | "wait" {
  if (edges.length === 0) return "start";
  const followed = edges.map(({ parent_id, kind }) => follows(kind, outcomes.get(parent_id)!));
  // All must converge: one that did not is enough to know. Any: all are awaited, as AWX does.
  if (node.all_parents_must_converge && followed.includes(false)) return "skip";
  if (followed.includes(undefined)) return "wait";
  return followed.includes(true) ? "start" : "skip";
}

/** Whether an edge is followed; undefined while its parent may still go either way. */
function follows(kind: EdgeKind, parent: Outcome): boolean | undefined {
  if (parent === "running" || parent === "undecided") return undefined;
  if (parent === "skipped") return false;
  return kind === "always" || kind === parent;
}

function grouped<E extends Pick<DagEdge, "parent_id" | "child_id">>(
  edges: readonly E[],
  by: "parent_id" | "child_id",
): Map<number, E[]> {
  const groups = new Map<number, E[]>();
  for (const edge of edges) {
    const group = groups.get(edge[by]);
    if (group) group.push(edge);
    else groups.set(edge[by], [edge]);
  }
  return groups;
}
