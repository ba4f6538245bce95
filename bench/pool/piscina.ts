/** Piscina with four threads. */
import { Piscina } from "piscina";
import { compete } from "../contestant.ts";
import { callerOf } from "./caller.ts";

await compete(({ signals, atomics, concurrentTasksPerWorker }) => {
  const filename = new URL("./noop.ts", import.meta.url).href;
  const pool = new Piscina({ filename, minThreads: 4, maxThreads: 4, atomics, concurrentTasksPerWorker });
  return Promise.resolve(callerOf((signal) => pool.run([], { signal }), { signals }));
});
