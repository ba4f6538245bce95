import assert from "node:assert/strict";
import { median, percentile, rounded, type Row, spread, withRatio } from "../../bench/question.ts";
import { test } from "../harness.ts";

test("median() is the middle one, or half way between two", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
});

test("percentile() is a value that was measured, the greatest at most", () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.equal(percentile(values, 0.5), 51);
  assert.equal(percentile(values, 0.99), 100);
  assert.equal(percentile([7], 1), 7);
});

test("spread() names the median and the range, in four digits", () => {
  assert.deepEqual(spread("per_second", [12_345.6, 10, 20_000]), {
    per_second: 12_350,
    per_second_min: 10,
    per_second_max: 20_000,
  });
  assert.equal(rounded(0.000123456), 0.0001235);
});

test("withRatio() sets every row against the first, or against what is given", () => {
  const rows: Row[] = [{ peer: "a", n: 200 }, { peer: "b", n: 50 }, { peer: "c" }];
  assert.deepEqual(withRatio(rows, "n").map(({ ratio }) => ratio), [1, 0.25, undefined]);
  assert.deepEqual(withRatio(rows.slice(1, 2), "n", 100, "ratio_to_node"), [{
    peer: "b",
    n: 50,
    ratio_to_node: 0.5,
  }]);
});
