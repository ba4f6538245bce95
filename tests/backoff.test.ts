import assert from "node:assert/strict";
import { type Backoff, backoffSeconds, DEFAULT_BACKOFF } from "../runtime/backoff.ts";
import { test } from "./harness.ts";

const PLAIN: Backoff = { base: 2, factor: 2, max: 3_600, jitter: 0 };

test("backoffSeconds() doubles with each attempt", () => {
  assert.deepEqual([1, 2, 3, 4, 5].map((n) => backoffSeconds(n, PLAIN)), [2, 4, 8, 16, 32]);
});

test("backoffSeconds() takes base and factor from its shape", () => {
  assert.deepEqual([1, 2, 3].map((n) => backoffSeconds(n, { ...PLAIN, base: 0.5, factor: 3 })), [
    0.5,
    1.5,
    4.5,
  ]);
  assert.deepEqual([1, 9].map((n) => backoffSeconds(n, { ...PLAIN, base: 7, factor: 1 })), [7, 7]);
});

test("backoffSeconds() stays at the maximum, however many attempts there were", () => {
  for (const attempt of [12, 100, 1_000_000, Number.MAX_SAFE_INTEGER]) {
    assert.equal(backoffSeconds(attempt, PLAIN), 3_600, `attempt ${attempt}`);
  }
});

test("backoffSeconds() takes an attempt below 1 for the first", () => {
  assert.equal(backoffSeconds(0, PLAIN), 2);
  assert.equal(backoffSeconds(-5, PLAIN), 2);
});

test("backoffSeconds() draws its jitter around the delay", () => {
  const shape = { ...PLAIN, jitter: 0.25 };
  assert.equal(backoffSeconds(3, shape, () => 0), 6);
  assert.equal(backoffSeconds(3, shape, () => 0.5), 8);
  assert.equal(backoffSeconds(3, shape, () => 1), 10);
});

test("backoffSeconds() never becomes negative", () => {
  assert.equal(backoffSeconds(1, { ...PLAIN, jitter: 1 }, () => 0), 0);
});

test("backoffSeconds() spreads what failed together", () => {
  const delays = new Set(Array.from({ length: 50 }, () => backoffSeconds(1)));
  assert.ok(delays.size > 25, `${delays.size} different delays`);
  const { base, jitter } = DEFAULT_BACKOFF;
  for (const delay of delays) assert.ok(Math.abs(delay - base) <= base * jitter, `${delay} s`);
});
