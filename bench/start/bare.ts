/** Workers as the runtime has them, in one process, of a module that only says that it is there. */
import { act } from "../actor.ts";
import { bareWorker } from "./bare_worker.mjs";

await act(() => {
  let have = 0;
  return {
    /** Milliseconds until there are so many. */
    async grow(to: number) {
      const began = performance.now();
      const started: Promise<void>[] = [];
      for (; have < to; have++) started.push(bareWorker());
      await Promise.all(started);
      return performance.now() - began;
    },
  };
});
