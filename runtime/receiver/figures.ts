/**
 * What a receiver has done, in plain numbers: written by its loop, read by reports, metrics and `status`.
 *
 * @module
 */
import { addTo, bucketOf, BUCKETS, quantile } from "../sketch.ts";
import type { Written } from "./writer.ts";

/** As `receiver_status` answers. */
export interface ReceiverStatus {
  node_id: string;
  kind: "receiver";
  pid: number;
  source: "redis" | "postgres";
  state: "running" | "draining";
  workers: number;
  popped: number;
  saved: number;
  known: number;
  set_aside: number;
  in_memory: number;
  /** Null while the source does not answer. */
  queue_size: number | null;
  /** Seconds from an event's own time to its commit, of the last minute; null when none came. */
  lag_p95: number | null;
  /** ISO. */
  started_at: string;
  /** Bytes. */
  rss: number;
}

/** Lags of the last minute are kept in halves. */
const HALF_MS = 30_000;

/** The figures of one receiver. */
export class Figures {
  popped = 0;
  saved = 0;
  /** Events that were written before. */
  known = 0;
  setAside = 0;
  batches = 0;
  /** Streams of jobs that were closed here. */
  closed = 0;
  /** Events of dead receivers that were given back. */
  recovered = 0;
  /** Taken, and left to others or for later. */
  returned = 0;
  /** Held now. */
  inMemory = 0;
  /** How often writing or taking failed for the database's or the source's sake. */
  readonly outages: { database: number; source: number } = { database: 0, source: 0 };
  readonly lag: { counts: Float64Array; sum: number } = { counts: new Float64Array(BUCKETS), sum: 0 };
  #halves: { since: number; now: Float64Array; before: Float64Array };

  constructor(now: number = Date.now()) {
    this.#halves = { since: now, now: new Float64Array(BUCKETS), before: new Float64Array(BUCKETS) };
  }

  /** A batch was committed. @param now Milliseconds since 1970. */
  wrote({ saved, known, setAside, times }: Written, now: number): void {
    this.batches++;
    this.saved += saved;
    this.known += known;
    this.setAside += setAside;
    const recent = this.#half(now);
    for (const at of times) {
      // Clocks of two machines.
      const seconds = Math.max(0, now - at) / 1_000;
      const bucket = bucketOf(seconds);
      recent[bucket]++;
      this.lag.counts[bucket]++;
      this.lag.sum += seconds;
    }
  }

  /** Seconds that 95 of 100 events of the last minute stayed within; null when there were none. */
  lagP95(now: number): number | null {
    const sum = Float64Array.from(this.#half(now));
    addTo(sum, this.#halves.before);
    return quantile(sum, 0.95);
  }

  #half(now: number): Float64Array {
    const age = now - this.#halves.since;
    if (age >= HALF_MS) {
      const before = age < 2 * HALF_MS ? this.#halves.now : new Float64Array(BUCKETS);
      this.#halves = { since: now, now: new Float64Array(BUCKETS), before };
    }
    return this.#halves.now;
  }
}
