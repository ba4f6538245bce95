/**
 * graphile-worker.
 *
 * The settings are those under which its own documentation measures (worker.graphile.org/docs/performance): a local
 * queue of 500, completions in batches, 24 jobs at a time and a connection more than that. `NO_LOG_SUCCESS` spares it
 * a line for each job.
 *
 * @module
 */
import process from "node:process";
import { Logger, makeWorkerUtils, run, WorkerPreset } from "graphile-worker";
import pg from "pg";
import { WORKS } from "../works.ts";
import type { Peer, Settings } from "./peer.ts";

process.env.NO_LOG_SUCCESS = "1";

const batched = (concurrentJobs: number): Settings => ({
  concurrentJobs,
  maxPoolSize: concurrentJobs + 1,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
});

/** Open the utilities that publish. */
export async function open(connectionString: string): Promise<Peer> {
  const logger = new Logger(() => () => {});
  const utils = await makeWorkerUtils({ connectionString, logger });
  const pool = new pg.Pool({ connectionString, max: 1 });
  let last = "0";
  return {
    candidates: [batched(24), batched(4), batched(10), batched(50)],
    quickest: [{ concurrentJobs: 4 }, batched(4), batched(24)],
    prepare: () => utils.migrate(),
    async publish({ task, args }) {
      last = (await utils.addJob(task, args)).id;
    },
    async publishMany(calls) {
      const jobs = await utils.addJobs(calls.map(({ task, args }) => ({ identifier: task, payload: args })));
      last = jobs.at(-1)!.id;
    },
    async lastIsDone() {
      const { rowCount } = await pool.query(
        "select from graphile_worker._private_jobs where id = $1",
        [last],
      );
      return rowCount === 0;
    },
    async left() {
      const { rows } = await pool.query("select count(*)::int n from graphile_worker._private_jobs");
      return rows[0].n;
    },
    async work(settings, idle) {
      const works = Object.entries(WORKS).map(([name, work]) => {
        const run = (args: unknown) => void work(...args as never[]);
        return [idle ? `another_${name}` : name, run] as const;
      });
      const worker = { ...settings, connectionString, logger };
      await run({
        preset: { extends: [WorkerPreset], worker },
        taskList: Object.fromEntries(works),
        noHandleSignals: true,
      });
    },
  };
}
