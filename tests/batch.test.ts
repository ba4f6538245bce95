import assert from "node:assert/strict";
import { BATCH_BYTES, batchOf } from "../runtime/batch.ts";
import { test } from "./harness.ts";

const itself = (bytes: number) => bytes;

test("batchOf() counts items up to a number", () => {
  assert.deepEqual([batchOf([], 2), batchOf([1], 2), batchOf([1, 2, 3], 2)], [0, 1, 2]);
});

test("batchOf() ends with the item that passes what a statement holds", () => {
  const third = Math.ceil(BATCH_BYTES / 3);
  assert.equal(batchOf([third, third, third, third], 10, itself), 3);
  assert.equal(batchOf([third, third, third, third], 2, itself), 2);
  assert.equal(batchOf([BATCH_BYTES * 9, 1], 10, itself), 1, "one at least");
  assert.equal(batchOf([1, 1], 10, itself), 2);
});

test("batchOf() begins where it is told", () => {
  const items = [1, 1, BATCH_BYTES, 1];
  assert.deepEqual([0, 2, 3, 4].map((from) => batchOf(items, 10, itself, from)), [3, 1, 1, 0]);
  assert.equal(batchOf(items, 2, undefined, 3), 1);
});
