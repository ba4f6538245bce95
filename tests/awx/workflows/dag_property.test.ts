// @runtimes deno
/** Random graphs with random outcomes, walked to their end by another reading of the rules. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "../../harness.ts";
import {
  type DagEdge,
  type DagNode,
  outcomeOf,
  plan,
  verdictOf,
} from "../../../tasks/managers/workflow_manager/dag.ts";

const ENDS = ["successful", "failed", "error", "canceled", "untold"] as const;
type End = (typeof ENDS)[number];
type Mutable = { -readonly [K in keyof DagNode]: DagNode[K] };

interface Case {
  nodes: { all: boolean; end: End }[];
  edges: DagEdge[];
  /** Which of the running jobs ends next. */
  turns: number[];
}

const cases: fc.Arbitrary<Case> = fc.integer({ min: 1, max: 12 }).chain((size) =>
  fc.record({
    nodes: fc.array(fc.record({ all: fc.boolean(), end: fc.constantFrom(...ENDS) }), {
      minLength: size,
      maxLength: size,
    }),
    // From a smaller to a larger id: no circle.
    edges: fc.uniqueArray(
      fc.record({
        parent_id: fc.nat(size - 1),
        child_id: fc.nat(size - 1),
        kind: fc.constantFrom("success", "failure", "always"),
      }),
      { maxLength: 2 * size, selector: ({ parent_id, child_id }) => `${parent_id} ${child_id}` },
    ).map((edges) => edges.filter(({ parent_id, child_id }) => parent_id < child_id) as DagEdge[]),
    turns: fc.array(fc.nat(), { minLength: size, maxLength: size }),
  })
);

/** Walk a case to its end; gives the nodes and in which order they were launched. */
function walk({ nodes: given, edges, turns }: Case): { nodes: Mutable[]; launched: number[] } {
  const nodes: Mutable[] = given.map(({ all }, id) => ({
    id,
    identifier: `n${id}`,
    all_parents_must_converge: all,
    do_not_run: false,
    error: "",
    launched: false,
    job: null,
  }));
  const launched: number[] = [];
  let steps = 0;
  for (let turn = 0;;) {
    assert.ok(steps++ <= 3 * nodes.length, "it comes to an end");
    const { start, skip, done } = plan(nodes, edges);
    for (const id of skip) {
      assert.equal(outcomeOf(nodes[id]), "undecided", "what is skipped was undecided");
      nodes[id].do_not_run = true;
    }
    if (done) return { nodes, launched };
    for (const id of start) {
      assert.ok(!launched.includes(id), `node ${id} runs once`);
      assert.ok(mayRun(nodes, edges, id), `node ${id} runs when its parents' outcome allows it`);
      launched.push(id);
      if (given[id].end === "untold") nodes[id].error = "Cannot find job template";
      else Object.assign(nodes[id], { launched: true, job: { id, status: "running" } });
    }
    const running = nodes.filter(({ job }) => job?.status === "running");
    if (running.length === 0) continue;
    const ended = running[turns[turn++ % turns.length] % running.length];
    ended.job = { id: ended.id, status: given[ended.id].end as Exclude<End, "untold"> };
  }
}

/** The rule of a node as the documentation has it, for one that has all it needs to know. */
function mayRun(nodes: readonly DagNode[], edges: readonly DagEdge[], id: number): boolean {
  const own = edges.filter(({ child_id }) => child_id === id);
  const met = own.filter(({ parent_id, kind }) => {
    const parent = nodes[parent_id];
    const good = parent.job?.status === "successful";
    const bad = parent.error !== "" || ["failed", "error", "canceled"].includes(parent.job?.status ?? "");
    return (kind !== "failure" && good) || (kind !== "success" && bad);
  });
  if (own.length === 0) return true;
  return nodes[id].all_parents_must_converge ? met.length === own.length : met.length > 0;
}

test("random graphs end, each node runs at most once and only when it may, and the verdict is by the rule", () => {
  fc.assert(
    fc.property(cases, (one) => {
      const { nodes, launched } = walk(one);
      for (const node of nodes) {
        const ran = launched.includes(node.id);
        assert.equal(ran, !node.do_not_run, "every node ran or is marked");
        assert.equal(ran, mayRun(nodes, one.edges, node.id), "and what may run in the end has run");
      }
      const unhandled = launched.filter((id) =>
        one.nodes[id].end !== "successful" &&
        !one.edges.some(({ parent_id, kind }) => parent_id === id && kind !== "success")
      );
      const { status, explanation } = verdictOf(nodes, one.edges);
      assert.equal(status, unhandled.length === 0 ? "successful" : "failed");
      unhandled.sort((a, b) => a - b);
      for (const id of unhandled.slice(0, 10)) assert.ok(explanation.includes(`"n${id}"`), explanation);
    }),
    { numRuns: 2_000 },
  );
});
