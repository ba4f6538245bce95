/** Our pool alone: claimed envelopes in, as many as it says that it has room for, outcomes out. */
import type { Pool } from "../../runtime/pool/pool.ts";
import type { Claimed } from "../../runtime/store/store.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { act } from "../actor.ts";
import { type Caller, latencyOf } from "./caller.ts";
import { type Ears, ownPool } from "./own_pool.ts";

/** What the dispatcher claims at most at once. */
const BATCH = 500;

const ears: Ears = { finished: () => {}, room: () => {} };

/** An envelope as the store hands it over; its timeout has a clock of its own. */
function claim(): Claimed {
  return {
    uuid: uuid7(),
    fence: 1,
    task: "noop",
    queue: "default",
    args: "[]",
    kwargs: "{}",
    options: "{}",
    priority: 0,
    attempt: 1,
    forgiven: 0,
    maxAttempts: null,
    timeout: 60,
    solo: false,
    origin: null,
    keyed: false,
  };
}

function callerOf(pool: Pool): Caller {
  // Made beforehand: of the database's rows that is not the pool's work.
  const spare = Array.from({ length: 4 * BATCH }, claim);
  const one = () =>
    new Promise<void>((resolve) => {
      ears.finished = ({ claimed }) => {
        spare.push(claimed);
        resolve();
      };
      pool.submit([spare.shift()!]);
    });
  return {
    async rate(seconds) {
      let done = 0;
      let open = true;
      let drained = () => {};
      ears.finished = ({ claimed, outcome, text }) => {
        if (outcome !== "completed") throw new Error(`It ${outcome}: ${text}`);
        spare.push(claimed);
        done++;
        if (!open && spare.length === 4 * BATCH) drained();
      };
      ears.room = () => {
        const batch = Math.min(pool.room(), BATCH, spare.length);
        if (open && batch > 0) pool.submit(spare.splice(0, batch));
      };
      const began = performance.now();
      ears.room();
      await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
      open = false;
      if (spare.length < 4 * BATCH) await new Promise<void>((resolve) => drained = resolve);
      const perSecond = done / (performance.now() - began) * 1_000;
      ears.room = () => {};
      return perSecond;
    },
    latency: (calls) => latencyOf(calls, one),
  };
}

await act(async ({ slots }) => {
  const pool = await ownPool(slots, slots, ears);
  await pool.start();
  return callerOf(pool);
});
