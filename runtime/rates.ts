/**
 * How fast queues move now: what nodes answer to the command `rates`, and the sum of their answers.
 *
 * @module
 */
import { z } from "zod";
import { RECENT_SECONDS } from "./recent.ts";
import { addTo, BUCKETS, quantile } from "./sketch.ts";

const count = z.number().nonnegative();
const perSecond = z.array(count).max(RECENT_SECONDS);
const replySchema = z.object({
  node_id: z.string(),
  enabled: z.boolean(),
  queues: z.record(
    z.string(),
    z.object({
      claimed: perSecond,
      settled: perSecond,
      failed: perSecond,
      wait: z.array(count).max(BUCKETS),
    }),
  ),
});

/** One queue over all nodes that answered. */
export interface QueueRate {
  queue: string;
  /** Attempts that ended, a second, over the last 10 and 60 seconds. */
  settled_10s: number;
  settled_60s: number;
  /** Claims a second. */
  claimed_10s: number;
  claimed_60s: number;
  /** Of what ended in the last minute, what failed: it is tried again, or was discarded. */
  failed_60s: number;
  /** Seconds from due to start, of what ended in the last minute; null when nothing did. */
  wait_p50: number | null;
  wait_p95: number | null;
  /** What ended in each of the last 60 seconds, the oldest first. */
  sparkline: number[];
}

/** The sum of what nodes answer to `rates`; an answer of another shape, as of an older node, counts for nothing. */
export function mergeRates(replies: readonly unknown[]): QueueRate[] {
  const sums = new Map<string, Sum>();
  for (const reply of replies) {
    const read = replySchema.safeParse(reply);
    if (!read.success) continue;
    for (const [queue, counts] of Object.entries(read.data.queues)) {
      const sum = sums.get(queue) ?? newSum();
      sums.set(queue, sum);
      for (const key of ["claimed", "settled", "failed", "wait"] as const) addTo(sum[key], counts[key]);
    }
  }
  return [...sums].sort(([a], [b]) => a < b ? -1 : 1).map(([queue, sum]) => rateOf(queue, sum));
}

interface Sum {
  claimed: Float64Array;
  settled: Float64Array;
  failed: Float64Array;
  wait: Float64Array;
}

function newSum(): Sum {
  const seconds = () => new Float64Array(RECENT_SECONDS);
  return { claimed: seconds(), settled: seconds(), failed: seconds(), wait: new Float64Array(BUCKETS) };
}

function rateOf(queue: string, { claimed, settled, failed, wait }: Sum): QueueRate {
  return {
    queue,
    settled_10s: mean(settled, 10),
    settled_60s: mean(settled, RECENT_SECONDS),
    claimed_10s: mean(claimed, 10),
    claimed_60s: mean(claimed, RECENT_SECONDS),
    failed_60s: failed.reduce((sum, n) => sum + n, 0),
    wait_p50: quantile(wait, 0.5),
    wait_p95: quantile(wait, 0.95),
    sparkline: [...settled],
  };
}

/** Over the last so many seconds. */
function mean(counts: Float64Array, seconds: number): number {
  return counts.subarray(-seconds).reduce((sum, n) => sum + n, 0) / seconds;
}
