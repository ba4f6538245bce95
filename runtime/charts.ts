/**
 * Charts of the last hours, ready to be drawn: from the rollup's points to series of equal length, one value a step.
 *
 * @module
 */
import { z } from "zod";
import { issueText, queueName } from "./envelope.ts";
import { DispatcherError } from "./errors.ts";
import { BUCKETS, quantile } from "./sketch.ts";
import type { RollupPoint, RollupStore } from "./store/rollup.ts";

/** What to chart. */
export interface ChartOptions {
  /** How far back, by default 1; at most as far as `rollup_days` goes. */
  hours?: number;
  /** Minutes of one value, by default as many as make about 150 values. */
  step?: number;
  /** One queue instead of all; slots are not told apart by queue. */
  queue?: string;
}

/** A value a step; null where there is none, as a quantile of nothing. */
export type Series = (number | null)[];

/** Series of equal length. Nothing that happened is 0, not a gap. */
export interface Charts {
  /** Seconds of one step. */
  step: number;
  /** Seconds since 1970 at which each step begins. */
  at: number[];
  /** A second. */
  throughput: Record<"published" | "claimed" | "completed" | "retry" | "cancelled" | "discarded", Series>;
  /** Seconds from due to start, of attempts that ended in the step. */
  wait: { p50: Series; p95: Series };
  /** Seconds from start to end. */
  duration: { p50: Series; p95: Series };
  /** How many stood so, on average. */
  states: Record<"scheduled" | "available" | "running" | "retryable", Series>;
  /** Seconds that the oldest available envelope had waited. */
  oldest: Series;
  /** Slots on average; `total` only where anything ran. */
  slots: { busy: Series; total: Series };
}

const optionsSchema = z.strictObject({
  hours: z.number().positive().max(24 * 366).default(1),
  step: z.int().min(1).max(24 * 60).optional(),
  queue: queueName.optional(),
});
/** Values of one chart, about; a person sees no more. */
const VALUES = 150;
const MOST_VALUES = 10_000;
const MINUTE = 60;
/** By then all nodes have written the minute that is over. */
const WRITTEN_SECONDS = 5;

/**
 * Read and draw up.
 *
 * @throws {DispatcherError} `usage`, naming the value.
 */
export async function chartsOf(store: Pick<RollupStore, "read">, given: ChartOptions): Promise<Charts> {
  const parsed = optionsSchema.safeParse(given);
  if (!parsed.success) {
    throw new DispatcherError("usage", `Cannot draw a chart: ${issueText(parsed.error, given)}`);
  }
  const { hours, queue } = parsed.data;
  const seconds = hours * 3600;
  const step = MINUTE * (parsed.data.step ?? Math.max(1, Math.ceil(seconds / MINUTE / VALUES)));
  if (seconds / step > MOST_VALUES) {
    throw new DispatcherError(
      "usage",
      `Cannot draw a chart: hours ${hours} in steps of ${step} s are too many`,
    );
  }
  return draw(await store.read({ seconds, step, queue }), seconds, step);
}

/** The series of these points. */
export function draw(points: RollupPoint[], seconds: number, step: number): Charts {
  const now = points[0].now;
  // What is over, in whole minutes: the one under way is not written yet.
  const end = Math.floor((now - WRITTEN_SECONDS) / MINUTE) * MINUTE;
  const byTime = new Map(points.map((point) => [point.at, point]));
  const at: number[] = [];
  for (let time = Math.floor((now - seconds) / step) * step; time < end; time += step) at.push(time);
  const each = (value: (point: RollupPoint | undefined, seconds: number) => number | null) =>
    at.map((time) => value(byTime.get(time), Math.min(step, end - time)));
  return { step, at, ...series(each) };
}

type Each = (value: (point: RollupPoint | undefined, seconds: number) => number | null) => Series;

function series(each: Each): Omit<Charts, "step" | "at"> {
  type Counted = Exclude<keyof RollupPoint, "wait" | "duration" | "at" | "now">;
  const rate = (key: Counted) => each((point, seconds) => (point?.[key] ?? 0) / seconds);
  // Of each minute that had any there is one count.
  const mean = (key: Counted) => each((point, seconds) => (point?.[key] ?? 0) * MINUTE / seconds);
  const part = (key: "wait" | "duration", of: number) => each((point) => quantileOf(point?.[key], of));
  return {
    throughput: {
      published: rate("published"),
      claimed: rate("claimed"),
      completed: rate("completed"),
      retry: rate("retry"),
      cancelled: rate("cancelled"),
      discarded: rate("discarded"),
    },
    wait: { p50: part("wait", 0.5), p95: part("wait", 0.95) },
    duration: { p50: part("duration", 0.5), p95: part("duration", 0.95) },
    states: {
      scheduled: mean("scheduled"),
      available: mean("available"),
      running: mean("running"),
      retryable: mean("retryable"),
    },
    oldest: each((point) => point?.oldest_seconds ?? null),
    slots: {
      busy: rate("busy_seconds"),
      total: each((point, seconds) => point?.slot_seconds == null ? null : point.slot_seconds / seconds),
    },
  };
}

function quantileOf(counts: Record<string, number> | null | undefined, part: number): number | null {
  if (!counts) return null;
  const dense = new Float64Array(BUCKETS);
  for (const [bucket, count] of Object.entries(counts)) {
    if (Number(bucket) < BUCKETS) dense[Number(bucket)] = Number(count);
  }
  return quantile(dense, part);
}
