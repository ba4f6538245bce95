/** Tinypool with four threads or four processes. */
import { Tinypool } from "tinypool";
import { act } from "../actor.ts";
import { callerOf } from "./caller.ts";

await act(({ signals, runtime, concurrentTasksPerWorker }) => {
  const filename = new URL("./noop.ts", import.meta.url).href;
  const pool = new Tinypool({ filename, runtime, minThreads: 4, maxThreads: 4, concurrentTasksPerWorker });
  return callerOf((signal) => pool.run([], { signal }), { signals });
});
