/** Settings as the workers see them. */
import { setTimeout } from "node:timers/promises";
import { task } from "edge-dispatcher";
import { settings } from "../../../../tasks/jobs/model/settings.ts";

/** Reads one again and again until it has this value; returns who saw it, and when. */
export default task({ bind: true }, async (context, value: number) => {
  const sql = await context.database();
  const before: number[] = [];
  for (;;) {
    context.signal.throwIfAborted();
    const seen = await settings(sql).then(({ START_TASK_LIMIT }) => START_TASK_LIMIT, () => undefined);
    if (seen === value) return { worker: `${context.node} ${context.workerId}`, at: Date.now(), before };
    if (seen !== undefined && seen !== before.at(-1)) context.progress(before[before.push(seen) - 1]);
    await setTimeout(10);
  }
});
