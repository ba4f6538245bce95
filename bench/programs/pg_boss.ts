/** pg-boss in batches, without its maintenance. */
import { PgBoss } from "pg-boss";
import { act } from "../actor.ts";

const QUEUE = "noop";
const BATCH = 1_000;
const FETCH = 500;

await act(async ({ url }) => {
  const boss = new PgBoss({ connectionString: url, supervise: false, schedule: false });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  await boss.createQueue(QUEUE);
  return {
    async publish(count: number) {
      for (let from = 0; from < count; from += BATCH) {
        const jobs = Array.from(
          { length: Math.min(BATCH, count - from) },
          (_, i) => ({ data: { args: [from + i, 1] } }),
        );
        await boss.insert(QUEUE, jobs);
      }
    },
    /** Run so many: fetch, do nothing, complete; two at a time. */
    async drain(count: number) {
      const began = performance.now();
      let done = 0;
      let asked = 0;
      const lane = async () => {
        while (asked < count) {
          asked += FETCH;
          const jobs = await boss.fetch(QUEUE, { batchSize: FETCH });
          await boss.complete(QUEUE, jobs.map(({ id }) => id));
          done += jobs.length;
          if (jobs.length === 0) return;
        }
      };
      await Promise.all([lane(), lane()]);
      return { done, perSecond: done / (performance.now() - began) * 1_000 };
    },
    async close() {
      await boss.stop({ graceful: false });
    },
  };
});
