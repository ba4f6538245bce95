/**
 * pg-boss.
 *
 * Tried are its workers, with batches that are fetched without a pause while they come back full, and a bare loop of
 * `fetch()` and `complete()`, the least that it can do for a job.
 *
 * @module
 */
import { setTimeout as rest } from "node:timers/promises";
import { PgBoss } from "pg-boss";
import { WORKS } from "../works.ts";
import type { Call, Peer, Settings } from "./peer.ts";

const QUEUE = "bench";
/** The rest of a loop that found nothing. */
const EMPTY_MS = 20;

const working = (batchSize: number, localConcurrency: number): Settings => ({
  work: { batchSize, localConcurrency, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true },
});
// In batches, too: one that fetches a single job for each NOTIFY stays behind for good once two come at the same time.
const waking = (batchSize: number, localConcurrency: number): Settings => ({
  work: { batchSize, localConcurrency, pollingIntervalSeconds: 0.5, notifyPollingIntervalSeconds: 0.5 },
});
const looping = (batchSize: number, loops: number): Settings => ({ fetch: { batchSize, loops } });

/** Open an instance; what it maintains, a worker does. */
export async function open(connectionString: string): Promise<Peer> {
  const boss = new PgBoss({ connectionString, supervise: false, schedule: false });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  const db = boss.getDb();
  let last = "";
  return {
    candidates: [working(500, 1), working(1_000, 1), working(500, 4), looping(500, 1), looping(1_000, 2)],
    quickest: [waking(100, 1), waking(100, 4), waking(10, 4)],
    prepare: (settings) => boss.createQueue(QUEUE, settings),
    async publish(call) {
      last = (await boss.send(QUEUE, call))!;
    },
    async publishMany(calls) {
      last = (await boss.insert(QUEUE, calls.map((data) => ({ data })), { returnId: true }))!.at(-1)!;
    },
    async lastIsDone() {
      const state = "select state from pgboss.job where name = $1 and id = $2";
      return (await db.executeSql(state, [QUEUE, last])).rows[0].state === "completed";
    },
    async left() {
      const count = "select count(*)::int n from pgboss.job where name = $1 and state < 'completed'";
      return (await db.executeSql(count, [QUEUE])).rows[0].n;
    },
    work: (settings) => work(connectionString, settings),
  };
}

async function work(connectionString: string, settings: Settings): Promise<void> {
  const boss = new PgBoss({ connectionString, useListenNotify: true });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  const run = ({ data }: { data: Call }) => WORKS[data.task](...data.args as never[]);
  const { work, fetch } = settings as { work?: object; fetch?: { batchSize: number; loops: number } };
  if (work) {
    // deno-lint-ignore require-await
    await boss.work<Call>(QUEUE, work, async (jobs) => {
      for (const job of jobs) run(job);
    });
  }
  const { batchSize, loops } = fetch ?? { batchSize: 0, loops: 0 };
  for (let i = 0; i < loops; i++) void loop();

  async function loop(): Promise<never> {
    for (;;) {
      const jobs = await boss.fetch<Call>(QUEUE, { batchSize });
      if (jobs.length === 0) {
        await rest(EMPTY_MS);
        continue;
      }
      for (const job of jobs) run(job);
      await boss.complete(QUEUE, jobs.map(({ id }) => id));
    }
  }
}
