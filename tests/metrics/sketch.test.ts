import assert from "node:assert/strict";
import { addTo, BOUNDS, bucketOf, BUCKETS, quantile, trimmed } from "../../runtime/sketch.ts";
import { test } from "../harness.ts";

/** A sketch of times in seconds. */
function sketch(times: number[]): Float64Array {
  const counts = new Float64Array(BUCKETS);
  for (const seconds of times) counts[bucketOf(seconds)]++;
  return counts;
}

test("bucketOf() puts a time into the first bucket whose bound it does not exceed", () => {
  BOUNDS.forEach((bound, i) => {
    assert.equal(bucketOf(bound), i, `${bound}`);
    assert.equal(bucketOf(bound * 1.0001), i + 1, `above ${bound}`);
  });
  assert.equal(bucketOf(0), 0);
  assert.equal(bucketOf(1e9), BUCKETS - 1);
});

test("quantile() is right to within its bucket", () => {
  const times = Array.from({ length: 10_000 }, (_, i) => (i + 1) / 1_000);
  for (const [part, exact] of [[0.5, 5], [0.95, 9.5], [0.99, 9.9], [0.01, 0.1]]) {
    const found = quantile(sketch(times), part)!;
    assert.ok(found / exact > 0.6 && found / exact < 1.7, `${part}: ${found} for ${exact}`);
  }
});

test("quantile() of one time lies in its bucket, of none it is null", () => {
  const found = quantile(sketch([0.25]), 0.95)!;
  assert.ok(found > 0.2 && found <= 0.3, `${found}`);
  assert.equal(quantile(new Float64Array(BUCKETS), 0.5), null);
  assert.equal(quantile([], 0.5), null);
});

test("quantile() of what is beyond the last bound is that bound", () => {
  assert.equal(quantile(sketch([1e9]), 0.5), BOUNDS.at(-1));
});

test("sketches add up, and lose nothing when they are kept short", () => {
  const [a, b] = [sketch([0.001, 1, 1]), sketch([1, 300])];
  const sum = new Float64Array(BUCKETS);
  for (const one of [a, b]) addTo(sum, trimmed(one));
  assert.deepEqual(sum, sketch([0.001, 1, 1, 1, 300]));
  assert.ok(trimmed(a).length < BUCKETS);
  assert.deepEqual(trimmed(new Float64Array(3)), []);
});
