import assert from "node:assert/strict";
import { draw } from "../../runtime/charts.ts";
import type { RollupPoint } from "../../runtime/store/rollup.ts";
import { test } from "../harness.ts";

const NOW = 1_800_000_030;
const NONE: RollupPoint = {
  at: null,
  now: NOW,
  published: null,
  claimed: null,
  completed: null,
  retry: null,
  cancelled: null,
  discarded: null,
  released: null,
  busy_seconds: null,
  slot_seconds: null,
  wait: null,
  duration: null,
  scheduled: null,
  available: null,
  running: null,
  retryable: null,
  oldest_seconds: null,
};

test("draw() gives a value for every step, zeros where nothing happened", () => {
  const { at, throughput, wait, slots } = draw([NONE], 600, 60);
  assert.equal(at.length, 10);
  assert.equal(at[9], 1_799_999_940, "the minute under way is not there");
  assert.deepEqual(throughput.completed, Array(10).fill(0));
  assert.deepEqual(wait.p95, Array(10).fill(null));
  assert.deepEqual(slots.busy, Array(10).fill(0));
});

test("draw() makes sums rates and means", () => {
  const at = 1_799_999_400;
  const points = [
    { ...NONE, at, completed: 1_200, busy_seconds: 90, slot_seconds: 240, available: 300 },
    NONE,
  ];
  const charts = draw(points, 3_600, 60);
  const i = charts.at.indexOf(at);
  assert.equal(charts.throughput.completed[i], 20);
  assert.equal(charts.slots.busy[i], 1.5);
  assert.equal(charts.slots.total[i], 4);
  assert.equal(charts.states.available[i], 300);
  // Ten minutes, of which one had anything.
  const wide = draw(points, 3_600, 600);
  const j = wide.at.indexOf(at);
  assert.deepEqual([wide.throughput.completed[j], wide.states.available[j]], [2, 30]);
});

test("draw() divides the last step by what of it is over", () => {
  const at = 1_799_999_400;
  const { throughput } = draw([{ ...NONE, at, completed: 600, now: at + 130 }], 3_600, 600);
  assert.equal(throughput.completed.at(-1), 5);
});

test("draw() tells quantiles of the buckets", () => {
  const at = 1_799_999_400;
  const { wait, duration } = draw([{ ...NONE, at, wait: { 4: 90, 12: 10 }, duration: { 99: 1 } }], 3_600, 60);
  const [p50, p95] = [wait.p50, wait.p95].map((series) => series.find((value) => value !== null)!);
  assert.ok(p50 > 0.003 && p50 <= 0.005, `${p50}`);
  assert.ok(p95 > 0.07 && p95 <= 0.1, `${p95}`);
  assert.ok(duration.p50.every((value) => value === null), "a bucket of a newer node");
});
