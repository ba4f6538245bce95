/**
 * Times in buckets: what is left of many waits and durations when only their quantiles are wanted. Everybody uses the
 * same buckets, so that sketches of seconds, minutes, queues and nodes may be added up.
 *
 * A quantile is right to within the bucket that it lies in, whose bounds are 1.3 to 1.7 times apart.
 *
 * @module
 */

const STEPS = [1, 1.5, 2, 3, 5, 7];
/** A millisecond, the least that waits are told in, to 20 hours. */
const DECADES = [0.001, 0.01, 0.1, 1, 10, 100, 1_000, 10_000];

/** Upper bounds in seconds, each included; what is above the last one has a bucket too. */
export const BOUNDS: readonly number[] = DECADES.flatMap((decade) =>
  STEPS.map((step) => Number((decade * step).toPrecision(2)))
);
/** How many buckets there are. */
export const BUCKETS: number = BOUNDS.length + 1;

/** The bucket of a time in seconds. */
export function bucketOf(seconds: number): number {
  let low = 0;
  let high = BOUNDS.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (seconds <= BOUNDS[middle]) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Add the counts of one sketch to another; one that was cut short goes on with zeros. */
export function addTo(sum: Float64Array, counts: ArrayLike<number>): void {
  const length = Math.min(sum.length, counts.length);
  for (let i = 0; i < length; i++) sum[i] += counts[i];
}

/** The counts without the zeros at their end: how a sketch is kept and sent. */
export function trimmed(counts: ArrayLike<number>): number[] {
  let length = counts.length;
  while (length > 0 && counts[length - 1] === 0) length--;
  return Array.from({ length }, (_, i) => counts[i]);
}

/**
 * The time in seconds that the given part stayed within; null for no times at all.
 *
 * @example
 * ```ts
 * quantile([0, 0, 10, 0, 0, 10], 0.5); // 0.002
 * ```
 */
export function quantile(counts: ArrayLike<number>, part: number): number | null {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i];
  if (total === 0) return null;
  let left = part * total;
  for (let i = 0; i < counts.length; i++) {
    if (counts[i] > 0 && left <= counts[i]) return within(i, left / counts[i]);
    left -= counts[i];
  }
  return BOUNDS[BOUNDS.length - 1];
}

/** A place between the bounds of a bucket. */
function within(bucket: number, place: number): number {
  if (bucket >= BOUNDS.length) return BOUNDS[BOUNDS.length - 1];
  const low = bucket === 0 ? 0 : BOUNDS[bucket - 1];
  return Number((low + (BOUNDS[bucket] - low) * place).toPrecision(6));
}
