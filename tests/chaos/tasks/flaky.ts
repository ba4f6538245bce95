/** Fails until it is tried often enough, and leaves a trace of every try. */
import { task } from "edge-dispatcher";
import { begin, end } from "./run_log.ts";

export default task({ bind: true }, async (context, succeedsAt: number): Promise<number> => {
  const mark = await begin(context.uuid, context.attempt, context.workerId, null);
  await end(mark);
  if (context.attempt < succeedsAt) throw new RangeError(`attempt ${context.attempt} fails`);
  return context.attempt;
});
