/** The tasks of docs/priorities.md: one needs something of its node, the other makes way. */
import { task } from "edge-dispatcher";

/** Needs one of what the node must offer: a node without `resources: { license: 1 }` never runs it. */
export const render = task({ resources: { license: 1, memoryMb: 256 } }, (frames: number): string => {
  return `${frames} frames`;
});

/** Counts days down, slowly, and makes way for whatever is more urgent. */
export const backfill = task(
  { bind: true, preemptible: true, priority: 10 },
  async (context, days: number) => {
    for (let day = days; day > 0; day--) {
      context.signal.throwIfAborted();
      context.progress(day);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return days;
  },
);
