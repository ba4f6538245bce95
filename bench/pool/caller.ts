/**
 * How a pool that answers with a promise is asked: so many at a time, or one after the other.
 *
 * @module
 */
import type { Answers } from "../contestant.ts";
import { percentile } from "../question.ts";

/** One call, with a signal of its own unless it shall have none. */
export type Call = (signal?: AbortSignal) => Promise<unknown>;

/** Answers for a pool of promises. */
export function callerOf(call: Call, { signals }: { signals: boolean }): Answers {
  const once = signals ? () => call(new AbortController().signal) : () => call();
  return {
    /** Calls a second with so many in flight. */
    async rate({ seconds, inFlight }: { seconds: number; inFlight: number }) {
      const began = performance.now();
      const end = began + seconds * 1_000;
      let done = 0;
      const lane = async () => {
        while (performance.now() < end) {
          await once();
          done++;
        }
      };
      await Promise.all(Array.from({ length: inFlight }, lane));
      return { perSecond: done / (performance.now() - began) * 1_000 };
    },
    /** Microseconds of a call when there is no other. */
    async latency({ calls }: { calls: number }) {
      const took: number[] = [];
      for (let i = 0; i < calls; i++) {
        const began = performance.now();
        await once();
        took.push((performance.now() - began) * 1_000);
      }
      return { p50: percentile(took, 0.5) };
    },
  };
}
