/** The rules of a workflow's graph, one at a time. */
import assert from "node:assert/strict";
import { test } from "../../harness.ts";
import { leftBy, variablesFor } from "../../../tasks/managers/workflow_manager/artifacts.ts";
import {
  type DagEdge,
  type DagNode,
  inOrder,
  plan,
  verdictOf,
} from "../../../tasks/managers/workflow_manager/dag.ts";
import type { JobStatus } from "../../../tasks/jobs/model/unified_job.ts";

/** Nodes are letters; a job's id is a hundred times its node's. */
type Ends = Record<string, JobStatus | "skipped" | "untold" | "gone" | "">;

function idOf(letter: string): number {
  return letter.charCodeAt(0) - 96;
}

/** Of `{a: "successful", b: ""}` and `"a-success>b"` a graph; a name in capitals must have all parents converge. */
function graph(ends: Ends, ...edges: string[]): { nodes: DagNode[]; edges: DagEdge[] } {
  const nodes = Object.entries(ends).map(([name, end]) => ({
    id: idOf(name.toLowerCase()),
    identifier: name.toLowerCase(),
    all_parents_must_converge: name !== name.toLowerCase(),
    do_not_run: end === "skipped",
    error: end === "untold" ? "Cannot find job template 9" : "",
    launched: end !== "" && end !== "skipped" && end !== "untold",
    job: ["", "skipped", "untold", "gone"].includes(end)
      ? null
      : { id: idOf(name.toLowerCase()) * 100, status: end as JobStatus },
  }));
  return {
    nodes,
    edges: edges.map((edge) => {
      const [, parent, kind, child] = /^(\w)-(\w+)>(\w)$/.exec(edge)!;
      return { parent_id: idOf(parent), child_id: idOf(child), kind: kind as DagEdge["kind"] };
    }),
  };
}

/** What is to be done, in letters. */
function planned(ends: Ends, ...given: string[]): { start: string; skip: string; done: boolean } {
  const { nodes, edges } = graph(ends, ...given);
  const { start, skip, done } = plan(nodes, edges);
  const letters = (ids: number[]) => ids.map((id) => String.fromCharCode(96 + id)).join("");
  return { start: letters(start), skip: letters(skip), done };
}

test("nodes without parents start at once, the others wait", () => {
  assert.deepEqual(planned({ a: "", b: "", c: "" }, "a-success>c"), { start: "ab", skip: "", done: false });
  assert.deepEqual(planned({ a: "running", b: "" }, "a-always>b"), { start: "", skip: "", done: false });
  assert.deepEqual(planned({ a: "waiting" }), { start: "", skip: "", done: false });
  assert.deepEqual(planned({}), { start: "", skip: "", done: true });
});

test("an edge is followed by its parent's outcome: success, failure, always", () => {
  const edges = ["a-success>b", "a-failure>c", "a-always>d"];
  const undecided = { b: "", c: "", d: "" } as const;
  assert.deepEqual(planned({ a: "successful", ...undecided }, ...edges), {
    start: "bd",
    skip: "c",
    done: false,
  });
  for (const end of ["failed", "error", "canceled", "untold", "gone"] as const) {
    assert.deepEqual(
      planned({ a: end, ...undecided }, ...edges),
      { start: "cd", skip: "b", done: false },
      end,
    );
  }
});

test("what can never run is skipped, and so is all that only it leads to", () => {
  assert.deepEqual(
    planned(
      { a: "failed", b: "", c: "", d: "", e: "running", f: "" },
      ...["a-success>b", "b-always>c", "c-failure>d", "d-success>f", "e-success>f"],
    ),
    { start: "", skip: "bcd", done: false },
  );
  assert.deepEqual(planned({ a: "failed", b: "" }, "a-success>b"), { start: "", skip: "b", done: true });
});

test("any: a node waits for all parents, and one edge that is followed is enough", () => {
  const edges = ["a-success>c", "b-success>c"];
  assert.equal(planned({ a: "successful", b: "running", c: "" }, ...edges).start, "");
  assert.equal(planned({ a: "successful", b: "failed", c: "" }, ...edges).start, "c");
  assert.equal(planned({ a: "successful", b: "skipped", c: "" }, ...edges).start, "c");
  assert.equal(planned({ a: "failed", b: "skipped", c: "" }, ...edges).skip, "c");
});

test("all: each edge must be followed, and the first that is not decides", () => {
  const edges = ["a-success>c", "b-failure>c"];
  assert.equal(planned({ a: "successful", b: "running", C: "" }, ...edges).start, "");
  assert.equal(planned({ a: "successful", b: "error", C: "" }, ...edges).start, "c");
  assert.equal(planned({ a: "successful", b: "successful", C: "" }, ...edges).skip, "c");
  assert.equal(planned({ a: "failed", b: "running", C: "" }, ...edges).skip, "c");
  assert.equal(planned({ a: "skipped", b: "failed", C: "" }, ...edges).skip, "c");
});

test("verdictOf() is failed when nothing handles a failure, and names where", () => {
  const verdict = (ends: Ends, ...edges: string[]) => {
    const { nodes, edges: own } = graph(ends, ...edges);
    return verdictOf(nodes, own);
  };
  assert.deepEqual(verdict({ a: "successful", b: "skipped" }, "a-failure>b"), {
    status: "successful",
    explanation: "",
  });
  assert.equal(verdict({ a: "failed", b: "successful" }, "a-failure>b").status, "successful");
  assert.equal(verdict({ a: "error", b: "successful" }, "a-always>b").status, "successful");
  assert.deepEqual(
    verdict({ a: "failed", b: "skipped", c: "untold", d: "gone", e: "canceled" }, "a-success>b"),
    {
      status: "failed",
      explanation: 'No failure or always edge follows what failed: node "a" (job 100 failed); ' +
        'node "c" (Cannot find job template 9); node "d" (its job is gone); node "e" (job 500 canceled)',
    },
  );
  const many = Object.fromEntries([..."abcdefghijkl"].map((name) => [name, "failed" as const]));
  assert.match(verdict(many).explanation, /node "j" \(job 1000 failed\); and 2 more$/);
});

test("inOrder() gives parents before children, and what stands in or behind a circle", () => {
  const { nodes, edges } = graph(
    { d: "", a: "", b: "", c: "", e: "" },
    ...["a-success>b", "b-always>c", "c-failure>b", "c-success>d"],
  );
  const { order, circle } = inOrder(nodes, edges);
  assert.deepEqual(order.map(({ identifier }) => identifier), ["a", "e"]);
  assert.deepEqual(circle.map(({ identifier }) => identifier), ["d", "b", "c"]);
});

test("a job is told its node's variables, what its ancestors left, and the workflow's, in this order", () => {
  const { nodes, edges } = graph(
    { a: "successful", b: "successful", c: "", d: "successful" },
    ...["a-success>b", "b-success>c"],
  );
  const leavings = new Map([
    [100, { finished: "2026-01-01T00:00:00Z", artifacts: { from: "a", a: 1, _ansible_no_log: false } }],
    [200, { finished: "2026-01-01T00:00:00.5+00:00", artifacts: { from: "b", over: "artifact" } }],
    [400, { finished: "2026-01-02T00:00:00Z", artifacts: { from: "no ancestor" } }],
  ]);
  const node = { ...nodes[2], extra_vars: { own: true, a: 0, over: "node" } };
  assert.deepEqual(variablesFor(node, { nodes, edges }, { over: "workflow" }, leavings), {
    own: true,
    a: 1,
    from: "b",
    over: "workflow",
  });
  assert.deepEqual(leftBy(nodes, leavings), { from: "no ancestor", a: 1, over: "artifact" });
});
