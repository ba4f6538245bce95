/** graphile-worker as its documentation tunes it: a local queue, completion in batches. */
import { Logger, makeWorkerUtils, run, type WorkerUtils } from "graphile-worker";
import { act } from "../actor.ts";

const QUIET = new Logger(() => () => {});
const BATCH = 1_000;
const LOCAL_QUEUE = 500;

await act(async ({ url }) => {
  const utils: WorkerUtils = await makeWorkerUtils({ connectionString: url, logger: QUIET });
  await utils.migrate();
  let ran = (): void => {};
  const start = () =>
    run({
      preset: {
        worker: {
          connectionString: url,
          concurrentJobs: 24,
          maxPoolSize: 10,
          localQueue: { size: LOCAL_QUEUE },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
      logger: QUIET,
      noHandleSignals: true,
      taskList: { noop: () => ran() },
    });
  return {
    async publish(count: number) {
      for (let from = 0; from < count; from += BATCH) {
        const jobs = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => ({
          identifier: "noop",
          payload: [from + i, 1],
        }));
        await utils.addJobs(jobs);
      }
    },
    /** Run so many, or the few more that it has begun then; the rate is that behind its first batch. */
    async drain(count: number) {
      let done = 0;
      let began = 0;
      let ended = 0;
      const enough = new Promise<void>((resolve) => {
        ran = () => {
          if (++done === LOCAL_QUEUE) began = performance.now();
          if (done !== count) return;
          ended = performance.now();
          resolve();
        };
      });
      const runner = await start();
      await enough;
      await runner.stop();
      return { done, perSecond: (count - LOCAL_QUEUE) / (ended - began) * 1_000 };
    },
    async close() {
      await utils.release();
    },
  };
});
