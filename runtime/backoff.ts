/**
 * When a failed attempt is tried again.
 *
 * @module
 */
import { jitter } from "./clock.ts";

/** Shape of the delays; seconds. */
export interface Backoff {
  /** Delay after the first failure, in seconds. */
  base: number;
  /** What each further failure multiplies it by. */
  factor: number;
  /** The longest delay, in seconds. */
  max: number;
  /** Part of the delay that is drawn by lot, 0 to 1, so that what failed together does not return together. */
  jitter: number;
}

export const DEFAULT_BACKOFF: Backoff = { base: 2, factor: 2, max: 3_600, jitter: 0.2 };

/**
 * Seconds to wait after attempt number `attempt` (from 1) failed: exponential, capped, with jitter.
 *
 * @example
 * ```ts
 * backoffSeconds(3, { base: 2, factor: 2, max: 3600, jitter: 0 }); // 8
 * ```
 */
export function backoffSeconds(
  attempt: number,
  shape: Backoff = DEFAULT_BACKOFF,
  random = Math.random,
): number {
  const exponent = Math.min(Math.max(attempt - 1, 0), 60);
  const delay = Math.min(shape.max, shape.base * shape.factor ** exponent);
  return Math.max(0, jitter(delay, shape.jitter, random));
}
