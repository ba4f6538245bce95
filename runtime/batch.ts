/**
 * How much goes into one statement. A number of items alone does not bound it: a thousand of 1 MB are more than V8 has
 * strings for, and several times that in the server.
 *
 * @module
 */

/** Bytes (characters of JSON) of one statement, but for one item that has more. */
export const BATCH_BYTES = 2 ** 24;

/**
 * How many of the first items make one batch.
 *
 * @param most Items at most.
 * @param sizeOf Bytes of one; by default nobody counts them.
 * @param from Where to begin.
 *
 * @example
 * ```ts
 * batchOf(["a", "b", "c"], 2); // 2
 * batchOf([9e6, 9e6, 9e6], 1_000, (bytes) => bytes); // 2: the second passes 16 MiB
 * ```
 */
export function batchOf<T>(
  items: readonly T[],
  most: number,
  sizeOf?: (item: T) => number,
  from = 0,
): number {
  const many = Math.min(most, items.length - from);
  if (!sizeOf) return many;
  let count = 0;
  for (let bytes = 0; count < many && bytes < BATCH_BYTES; count++) bytes += sizeOf(items[from + count]);
  return count;
}
