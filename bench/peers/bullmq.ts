/**
 * BullMQ, on Redis or on PostgreSQL by the URL.
 *
 * It keeps what is completed unless it is told to remove it; both are tried, and so is the concurrency, which its
 * documentation leaves to trial.
 *
 * @module
 */
import { createPostgresBackend, Queue, QueueEvents, Worker } from "bullmq";
import { WORKS } from "../works.ts";
import type { Peer, Settings } from "./peer.ts";

const QUEUE = "bench";
/** What it is told of before it reads its stream of events it misses, and would wait for without an end. */
const RESULT_MS = 2_000;
const BACKLOG = ["waiting", "active", "delayed", "prioritized"] as const;

/** The connection's own settings stand in `connection`. */
const keeping = (concurrency: number, connection?: Settings): Settings => ({ concurrency, connection });
const removing = (concurrency: number, connection?: Settings): Settings => ({
  concurrency,
  removeOnComplete: { count: 0 },
  connection,
});

/** Open a queue. */
export function open(url: string): Peer {
  const onPostgres = url.startsWith("postgres");
  const backend = onPostgres ? [createPostgresBackend] : [];
  const connection = onPostgres ? { connectionString: url } : { url, maxRetriesPerRequest: null };
  let queue: Queue;
  let events: QueueEvents | undefined;
  let last = "";
  const listen = async () => {
    const own = new QueueEvents(QUEUE, { connection }, ...backend as []);
    await own.waitUntilReady();
    return own;
  };
  return {
    candidates: onPostgres
      ? [keeping(10), keeping(50, { max: 50 }), keeping(100, { max: 20 }), removing(50, { max: 50 })]
      : [keeping(50), keeping(100), keeping(300), removing(100)],
    quickest: [keeping(4), keeping(1), keeping(50)],
    async prepare() {
      const own = onPostgres ? { migrate: true } : {};
      queue = new Queue(QUEUE, { connection: { ...connection, ...own } }, ...backend as []);
      await queue.waitUntilReady();
    },
    async publish({ task, args }) {
      last = (await queue.add(task, args)).id!;
    },
    async publishMany(calls) {
      last = (await queue.addBulk(calls.map(({ task, args }) => ({ name: task, data: args })))).at(-1)!.id!;
    },
    async publishAndWait({ task, args }) {
      events ??= await listen();
      const job = await queue.add(task, args);
      last = job.id!;
      await job.waitUntilFinished(events, RESULT_MS).catch((error) => {
        if (!/timed out/.test(String(error?.message))) throw error;
      });
    },
    async lastIsDone() {
      // A job that was removed has no state.
      return ["completed", "unknown"].includes(await queue.getJobState(last));
    },
    async left() {
      const counts = await queue.getJobCounts(...BACKLOG);
      return Object.values(counts).reduce((sum, count) => sum + count, 0);
    },
    async work(settings) {
      const run = async (job: { name: string; data: unknown }) =>
        await WORKS[job.name](...job.data as never[]);
      const { connection: more, ...options } = settings as { connection?: object };
      const worker = new Worker(
        QUEUE,
        run,
        { ...options, connection: { ...connection, ...more } },
        ...backend as [],
      );
      worker.on("error", (error) => console.error(error));
      await worker.waitUntilReady();
    },
  };
}
