/**
 * Our store without a pool: the statement that settles and claims, in the dispatcher's batches and two at a time. What
 * was claimed is settled as completed by the next one.
 */
import { connect as connectClient } from "../../mod.ts";
import { DEFAULT_BACKOFF } from "../../runtime/backoff.ts";
import { settlementOf } from "../../runtime/dispatch/settler.ts";
import { connect } from "../../runtime/store/connection.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import type { Claimed, Settlement } from "../../runtime/store/store.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { act } from "../actor.ts";

const BATCH = 500;
const NODE = "claims";

await act(async ({ url, queues }) => {
  const client = await connectClient({ databaseUrl: url });
  const store = new PostgresStore(connect(url, { max: 2 }));
  const instance = uuid7();
  const exchange = (settlements: Settlement[], limit: number) =>
    store.exchange({ node: NODE, instance, settlements, queues, limit });
  return {
    async publish(count: number) {
      await client.publishMany(
        Array.from({ length: count }, (_, i) => ({ task: "examples/add", args: [i, 1] })),
      );
    },
    /** Claim and settle so many, or what there is. */
    async drain(count: number) {
      const began = performance.now();
      let done = 0;
      let asked = 0;
      const lane = async () => {
        let settlements: Settlement[] = [];
        while (asked < count) {
          asked += BATCH;
          const { claimed } = await exchange(settlements, BATCH);
          settlements = claimed.map(completed);
          done += claimed.length;
        }
        await exchange(settlements, 0);
      };
      await Promise.all([lane(), lane()]);
      return { done, perSecond: done / (performance.now() - began) * 1_000 };
    },
    async close() {
      await store.close();
      await client.close();
    },
  };
});

function completed(claimed: Claimed): Settlement {
  const now = Date.now();
  return settlementOf({
    claimed,
    worker: "1.1",
    outcome: "completed",
    text: "2",
    started: now,
    finished: now,
    progress: null,
  }, { node: NODE, backoff: DEFAULT_BACKOFF, maxAttempts: 1 });
}
