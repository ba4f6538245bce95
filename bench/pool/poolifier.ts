/** Poolifier with four threads and a queue. */
import { fileURLToPath } from "node:url";
import { FixedThreadPool } from "poolifier";
import { act } from "../actor.ts";
import { callerOf } from "./caller.ts";

await act(({ signals, concurrency }) => {
  const worker = fileURLToPath(new URL("./poolifier_worker.ts", import.meta.url));
  const pool = new FixedThreadPool<unknown[]>(4, worker, {
    enableTasksQueue: true,
    tasksQueueOptions: { concurrency },
  });
  return callerOf((signal) => pool.execute([], undefined, signal), { signals });
});
