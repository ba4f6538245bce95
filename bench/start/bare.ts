/** Workers as the runtime has them, in one process, of a module that only says that it is there. */
import { compete } from "../contestant.ts";
import { bareWorker } from "./bare_worker.mjs";

await compete(async () => {
  let have = 0;
  await Promise.resolve();
  return {
    /** Milliseconds until there are so many. */
    async grow({ to }: { to: number }) {
      const began = performance.now();
      const started: Promise<void>[] = [];
      for (; have < to; have++) started.push(bareWorker());
      await Promise.all(started);
      return { ms: performance.now() - began };
    },
  };
});
