/**
 * How a pool that answers with a promise is asked: so many at a time, or one after the other.
 *
 * @module
 */
import { percentile } from "../question.ts";

/** One call, with a signal of its own unless it shall have none. */
export type Call = (signal?: AbortSignal) => Promise<unknown>;

/** What each pool is asked. */
export interface Caller {
  /** Calls a second with so many in flight, or with as many as there is room for. */
  rate(seconds: number, inFlight: number): Promise<number>;
  /** Microseconds of a call when there is no other. */
  latency(calls: number): Promise<number>;
}

/** A caller of a pool of promises. */
export function callerOf(call: Call, { signals }: { signals: boolean }): Caller {
  const once = signals ? () => call(new AbortController().signal) : () => call();
  return {
    async rate(seconds, inFlight) {
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
      return done / (performance.now() - began) * 1_000;
    },
    latency: (calls) => latencyOf(calls, once),
  };
}

/** The median of so many calls, one after the other, in microseconds. */
export async function latencyOf(calls: number, once: () => Promise<unknown>): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < calls; i++) {
    const began = performance.now();
    await once();
    took.push((performance.now() - began) * 1_000);
  }
  return percentile(took, 0.5);
}
