/**
 * The last minute of one queue on one node, second by second: rates, a small chart, and the waits.
 *
 * @module
 */
import { addTo, BUCKETS, trimmed } from "./sketch.ts";

/** Seconds that are told. */
export const RECENT_SECONDS = 60;
/** A power of two, with room for the second that is under way. */
const SLOTS = 64;

/** What one queue did in the last whole seconds, the oldest first. */
export interface RecentCounts {
  claimed: number[];
  settled: number[];
  /** Of those, what failed: it is tried again, or was discarded. */
  failed: number[];
  /** Counts of the waits by bucket, see sketch.ts. */
  wait: number[];
}

/** A ring of seconds; each is cleared when it comes around again, so that nobody has to come by. */
export class Recent {
  readonly #seconds = new Float64Array(SLOTS);
  readonly #claimed = new Uint32Array(SLOTS);
  readonly #settled = new Uint32Array(SLOTS);
  readonly #failed = new Uint32Array(SLOTS);
  readonly #waits = new Uint32Array(SLOTS * BUCKETS);

  /** @param at Milliseconds since 1970. */
  claim(at: number): void {
    this.#claimed[this.#slot(at)]++;
  }

  settle(at: number, failed: boolean): void {
    const slot = this.#slot(at);
    this.#settled[slot]++;
    if (failed) this.#failed[slot]++;
  }

  wait(at: number, bucket: number): void {
    this.#waits[this.#slot(at) * BUCKETS + bucket]++;
  }

  #slot(at: number): number {
    const second = Math.floor(at / 1000);
    const slot = second & (SLOTS - 1);
    if (this.#seconds[slot] !== second) {
      this.#seconds[slot] = second;
      this.#claimed[slot] = this.#settled[slot] = this.#failed[slot] = 0;
      this.#waits.fill(0, slot * BUCKETS, (slot + 1) * BUCKETS);
    }
    return slot;
  }

  /** The whole seconds before `now`; undefined when nothing happened in them. */
  read(now: number): RecentCounts | undefined {
    const end = Math.floor(now / 1000);
    const told: RecentCounts = { claimed: [], settled: [], failed: [], wait: [] };
    const waits = new Float64Array(BUCKETS);
    let any = false;
    for (let second = end - RECENT_SECONDS; second < end; second++) {
      const slot = second & (SLOTS - 1);
      const holds = this.#seconds[slot] === second;
      told.claimed.push(holds ? this.#claimed[slot] : 0);
      told.settled.push(holds ? this.#settled[slot] : 0);
      told.failed.push(holds ? this.#failed[slot] : 0);
      if (holds) addTo(waits, this.#waits.subarray(slot * BUCKETS, (slot + 1) * BUCKETS));
      any ||= holds;
    }
    return any ? { ...told, wait: trimmed(waits) } : undefined;
  }
}
