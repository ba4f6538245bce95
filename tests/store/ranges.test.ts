import assert from "node:assert/strict";
import fc from "fast-check";
import { rangesOf, shareOf } from "../../runtime/store/ranges.ts";
import type { Floor } from "../../runtime/store/store.ts";
import { test } from "../harness.ts";

test("rangesOf() gives each queue as a whole where there are no floors", () => {
  assert.deepEqual(rangesOf(["a", "b"]), [
    { queue: "a", low: -32_768, past: -1, high: 32_767 },
    { queue: "b", low: -32_768, past: -1, high: 32_767 },
  ]);
});

const floor = fc.record({
  queue: fc.constantFrom("a", "b", "c"),
  priority: fc.constantFrom(-32_768, -32_767, -1, 0, 1, 5, 32_766, 32_767),
  id: fc.integer({ min: 0, max: 20 }),
});
const floors = fc.uniqueArray(floor, { selector: ({ queue, priority }) => `${queue} ${priority}` });

test("rangesOf() covers, once, all that lies behind no floor, and nothing else", () => {
  const covers = (given: Floor[], queue: string, priority: number, id: number) =>
    rangesOf(["a", "b"], given).filter((r) =>
      r.queue === queue && (priority > r.low || priority === r.low && id > r.past) && priority <= r.high
    ).length;
  fc.assert(fc.property(floors, floor, (given, { queue, priority, id }) => {
    const own = given.find((one) => one.queue === queue && one.priority === priority);
    const wanted = queue !== "c" && (own === undefined || id > own.id);
    assert.equal(covers(given, queue, priority, id), wanted ? 1 : 0);
  }));
});

test("shareOf() gives a few queues the whole claim and each of many twice its part, but some", () => {
  assert.deepEqual([1, 4].map((queues) => shareOf(500, queues)), [500, 500]);
  assert.deepEqual([5, 10, 50].map((queues) => shareOf(500, queues)), [200, 100, 32]);
  assert.equal(shareOf(3, 50), 3);
});
