/**
 * The parts of queues that a claim looks through: from a list of places to begin behind, to ranges of the index.
 *
 * The index orders by (queue, priority, number). Behind the place of one priority come the later ones of that priority
 * and then whatever has a priority between it and the next place: one walk, which passes over nothing that lies before
 * a place.
 *
 * @module
 */
import type { Floor } from "./store.ts";

/** From behind (low, past) to the end of the priority `high`. */
export interface Range {
  queue: string;
  low: number;
  past: number;
  high: number;
}

/** The whole range of a smallint. */
const PRIORITY = { least: -32_768, most: 32_767 };

/**
 * Cut queues into ranges.
 *
 * @example
 * ```ts
 * import { rangesOf } from "./ranges.ts";
 * rangesOf(["q"], [{ queue: "q", priority: 0, id: 70 }]);
 * // what is more urgent than 0, all of it; of 0 what comes after 70, and all that is less urgent
 * // [{ queue: "q", low: -32768, past: -1, high: -1 }, { queue: "q", low: 0, past: 70, high: 32767 }]
 * ```
 */
export function rangesOf(queues: readonly string[], floors: readonly Floor[] = []): Range[] {
  return queues.flatMap((queue) => {
    const own = floors.filter((floor) => floor.queue === queue).sort((a, b) => a.priority - b.priority);
    const begins = [{ low: PRIORITY.least, past: -1 }, ...own.map((f) => ({ low: f.priority, past: f.id }))];
    return begins.map((begin, i) => ({
      queue,
      ...begin,
      high: (begins[i + 1]?.low ?? PRIORITY.most + 1) - 1,
    }))
      .filter(({ low, high }) => low <= high);
  });
}

/** So few queues give a whole claim each. */
const FEW = 4;
const LEAST_SHARE = 32;

/** How much of a claim one of so many queues gives at most: twice its part, since others may be empty. */
export function shareOf(limit: number, queues: number): number {
  if (queues <= FEW) return limit;
  return Math.min(limit, Math.max(LEAST_SHARE, Math.ceil(2 * limit / queues)));
}
