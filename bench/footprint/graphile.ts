/** graphile-worker as its documentation tunes it: a local queue, completion in batches, a pool for them. */
import { makeWorkerUtils, run, type WorkerUtils } from "graphile-worker";
import { Logger } from "graphile-worker";
import { compete } from "../contestant.ts";

const QUIET = new Logger(() => () => {});
const BATCH = 1_000;

await compete(async ({ url, queue = 500, concurrency = 24 }) => {
  const utils: WorkerUtils = await makeWorkerUtils({ connectionString: url, logger: QUIET });
  await utils.migrate();
  let done = 0;
  let wanted = Infinity;
  let enough = () => {};
  const noop = () => {
    if (++done >= wanted) enough();
  };
  const start = () =>
    run({
      preset: {
        worker: {
          connectionString: url,
          concurrentJobs: concurrency,
          maxPoolSize: 10,
          localQueue: { size: queue },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
      logger: QUIET,
      noHandleSignals: true,
      taskList: { noop },
    });
  return {
    ready: () => Promise.resolve({}),
    async publish({ count }: { count: number }) {
      for (let from = 0; from < count; from += BATCH) {
        const jobs = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => ({
          identifier: "noop",
          payload: [from + i, 1],
        }));
        await utils.addJobs(jobs);
      }
      return {};
    },
    /** Run so many; resolves when all of them are written as completed. */
    async drain({ count }: { count: number }) {
      [done, wanted] = [0, count];
      const ran = new Promise<void>((resolve) => enough = resolve);
      const runner = await start();
      await ran;
      await runner.stop();
      return {};
    },
    async close() {
      await utils.release();
      return {};
    },
  };
});
