/** Runs for a while and leaves a trace of it, whether it is aborted or not. */
import { task } from "edge-dispatcher";
import { begin, end } from "./run_log.ts";

export default task(
  { bind: true },
  async (context, group: string | null, seconds: number): Promise<string> => {
    const mark = await begin(context.uuid, context.attempt, context.workerId, group);
    try {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(resolve, seconds * 1000);
        context.signal.addEventListener("abort", () => {
          clearTimeout(timer);
          reject(context.signal.reason);
        });
      });
      return "recorded";
    } finally {
      await end(mark);
    }
  },
);
