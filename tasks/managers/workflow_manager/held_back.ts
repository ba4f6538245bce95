/**
 * What is published at the end of a run instead of in its middle. Whoever tells a manager holds the lock of that name
 * until its commit; told at once, every job that ends meanwhile would wait for this run. Rows are locked before names,
 * and names in the order of the alphabet, as `trigger` does: of two who lock both none waits for the other in a circle.
 *
 * @module
 */
import type { Publish } from "../../jobs/model/trigger.ts";

export interface HeldBack {
  /** Keep it for later; what is the same as before is sent once. */
  publish: Publish;
  /** Send what was kept. */
  send(publish: Publish): Promise<void>;
}

export function holdBack(): HeldBack {
  const kept = new Map<string, Parameters<Publish>>();
  return {
    publish(...call) {
      kept.set(JSON.stringify(call), call);
      return Promise.resolve();
    },
    async send(publish) {
      const calls = [...kept.values()].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
      for (const call of calls) await publish(...call);
      kept.clear();
    },
  };
}
