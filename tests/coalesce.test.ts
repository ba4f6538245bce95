import assert from "node:assert/strict";
import { BATCH_BYTES } from "../runtime/batch.ts";
import { coalesce } from "../runtime/coalesce.ts";
import { test } from "./harness.ts";

/** A batch function whose batches end when the test says so. */
function gated() {
  const batches: { items: number[]; end: () => void; fail: (error: Error) => void }[] = [];
  const batch = (items: number[]) =>
    new Promise<number[]>((resolve, reject) => {
      batches.push({ items, end: () => resolve(items.map((n) => n * 2)), fail: reject });
    });
  return { batches, batch };
}

/** What has been called has reached the batch function. */
const started = () => new Promise((resolve) => setImmediate(resolve));

test("coalesce() gives one call its result", async () => {
  const double = coalesce((items: number[]) => Promise.resolve(items.map((n) => n * 2)), { max: 10 });
  assert.equal(await double(21), 42);
});

test("coalesce() folds the calls of one turn into one batch, results in their order", async () => {
  const { batches, batch } = gated();
  const double = coalesce(batch, { max: 10 });
  const results = Promise.all([double(1), double(2), double(3)]);
  await started();
  assert.deepEqual(batches.map((b) => b.items), [[1, 2, 3]]);
  batches[0].end();
  assert.deepEqual(await results, [2, 4, 6]);
});

test("coalesce() makes the next batch of what comes while one is under way", async () => {
  const { batches, batch } = gated();
  const double = coalesce(batch, { max: 10 });
  const results = [double(1)];
  await started();
  results.push(double(2), double(3));
  await started();
  assert.deepEqual(batches.map((b) => b.items), [[1]]);
  batches[0].end();
  await results[0];
  await started();
  assert.deepEqual(batches.map((b) => b.items), [[1], [2, 3]]);
  batches[1].end();
  assert.deepEqual(await Promise.all(results), [2, 4, 6]);
});

test("coalesce() puts no more than max items into a batch", async () => {
  const sizes: number[] = [];
  const double = coalesce((items: number[]) => {
    sizes.push(items.length);
    return Promise.resolve(items.map((n) => n * 2));
  }, { max: 4 });
  const results = await Promise.all(Array.from({ length: 10 }, (_, i) => double(i)));
  assert.deepEqual(sizes, [4, 4, 2]);
  assert.deepEqual(results, [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]);
});

test("coalesce() puts no more into a batch than a statement holds, and one that is larger by itself", async () => {
  const batches: number[][] = [];
  const keep = coalesce((items: number[]) => {
    batches.push(items);
    return Promise.resolve(items);
  }, { max: 4, sizeOf: (bytes) => bytes });
  const half = BATCH_BYTES / 2;
  const items = [1, half, half, half, 2 * half, 5 * half, 1, 1, 1, 1, 1];
  await Promise.all(items.map((item) => keep(item)));
  assert.deepEqual(batches, [[1, half, half], [half, 2 * half], [5 * half], [1, 1, 1, 1], [1]]);
});

test("coalesce() has no more batches under way than its concurrency", async () => {
  const { batches, batch } = gated();
  const double = coalesce(batch, { max: 1, concurrency: 2 });
  const results = [1, 2, 3, 4].map(double);
  await started();
  assert.deepEqual(batches.map((b) => b.items), [[1], [2]]);
  // The later one may end first.
  batches[1].end();
  await results[1];
  await started();
  assert.deepEqual(batches.map((b) => b.items), [[1], [2], [3]]);
  batches[0].end();
  batches[2].end();
  await results[2];
  await started();
  batches[3].end();
  assert.deepEqual(await Promise.all(results), [2, 4, 6, 8]);
});

test("coalesce() rejects the calls of a failed batch and no others", async () => {
  const { batches, batch } = gated();
  const double = coalesce(batch, { max: 2 });
  const calls = [double(1), double(2), double(3)].map((call) => call.catch((error: Error) => error.message));
  await started();
  batches[0].fail(new Error("refused"));
  await calls[0];
  await started();
  batches[1].end();
  assert.deepEqual(await Promise.all(calls), ["refused", "refused", 6]);
});

test("coalesce() rejects when the batch function throws at once", async () => {
  const double = coalesce((_items: number[]): Promise<number[]> => {
    throw new Error("at once");
  }, { max: 2 });
  await assert.rejects(double(1), /at once/);
  await assert.rejects(double(2), /at once/);
});
