/** Piscina with four threads. */
import { Piscina } from "piscina";
import { act } from "../actor.ts";
import { callerOf } from "./caller.ts";

await act(({ signals, atomics, concurrentTasksPerWorker }) => {
  const filename = new URL("./noop.ts", import.meta.url).href;
  const pool = new Piscina({ filename, minThreads: 4, maxThreads: 4, atomics, concurrentTasksPerWorker });
  return callerOf((signal) => pool.run([], { signal }), { signals });
});
