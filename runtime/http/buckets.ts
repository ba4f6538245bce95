/**
 * Token buckets: so many at once, so many a second, each caller for itself.
 *
 * @module
 */
import type { Clock } from "../clock.ts";

interface Bucket {
  tokens: number;
  /** Of the monotonic clock, in milliseconds: when the tokens were counted. */
  at: number;
}

/** Callers that are remembered; of those beyond, the ones that have waited longest are forgotten. */
const MOST = 10_000;

/** A bucket for each key. */
export class Buckets {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  // In the order of their last use.
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock, { perSecond, burst }: { perSecond: number; burst: number }) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#burst = burst;
  }

  /** Take one; the seconds to wait when there is none, 0 when there was. */
  take(key: string): number {
    const bucket = this.#fill(key);
    if (bucket.tokens < 1) return (1 - bucket.tokens) / this.#perSecond;
    bucket.tokens--;
    return 0;
  }

  /** The seconds to wait until there is one; 0 when there is. Takes none. */
  wait(key: string): number {
    return this.#buckets.has(key) ? Math.max(0, (1 - this.#fill(key).tokens) / this.#perSecond) : 0;
  }

  #fill(key: string): Bucket {
    const now = this.#clock.monotonic();
    const { tokens, at } = this.#buckets.get(key) ?? { tokens: this.#burst, at: now };
    const filled = { tokens: Math.min(this.#burst, tokens + (now - at) / 1000 * this.#perSecond), at: now };
    this.#buckets.delete(key);
    this.#buckets.set(key, filled);
    if (this.#buckets.size > MOST) this.#buckets.delete(this.#buckets.keys().next().value!);
    return filled;
  }
}
