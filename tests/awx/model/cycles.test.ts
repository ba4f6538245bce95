// @runtimes deno
import assert from "node:assert/strict";
import fc from "fast-check";
import { drawn, findCycle } from "../../../tasks/jobs/model/cycles.ts";
import { test } from "../../harness.ts";

test("findCycle() finds a cycle as the steps from a node back to itself, and none where there is none", () => {
  assert.equal(findCycle([["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"]]), undefined);
  assert.deepEqual(findCycle([["a", "b"], ["b", "c"], ["c", "b"]]), ["b", "c", "b"]);
  assert.deepEqual(findCycle([["a", "a"]]), ["a", "a"]);
  assert.equal(drawn(["a", "b", "a"]), '"a" → "b" → "a"');
});

test("findCycle() walks a chain of 100,000 without running out of stack", () => {
  const chain = Array.from({ length: 100_000 }, (_, i) => [i, i + 1] as const);
  assert.equal(findCycle(chain), undefined);
  assert.equal(findCycle([...chain, [100_000, 0]])!.length, 100_002);
});

test("findCycle() returns edges of the graph, and nothing for a graph that can be ordered", () => {
  const edge = fc.tuple(fc.nat(7), fc.nat(7));
  fc.assert(fc.property(fc.array(edge, { maxLength: 20 }), (edges) => {
    const cycle = findCycle(edges);
    if (!cycle) return ordered(edges);
    assert.equal(cycle[0], cycle.at(-1));
    for (let i = 1; i < cycle.length; i++) {
      assert.ok(edges.some(([from, to]) => from === cycle[i - 1] && to === cycle[i]));
    }
  }));
});

/** Another way to the same answer: take away what nothing leads to, until nothing is left. */
function ordered(edges: [number, number][]): boolean {
  let left = edges;
  for (;;) {
    const rest = left.filter(([from]) => left.some(([, to]) => to === from));
    if (rest.length === left.length) return left.length === 0;
    left = rest;
  }
}
