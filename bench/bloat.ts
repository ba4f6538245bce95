/**
 * Does an old transaction slow the queue down? One that is held open keeps PostgreSQL from forgetting the rows that
 * were claimed and settled since, and whatever walks an index from its beginning walks over all of them.
 *
 * Publishes 1,000 envelopes/s for ten minutes beside such a transaction; every minute a burst tells what the node can
 * do.
 *
 * @module
 */
import { setTimeout as rest } from "node:timers/promises";
import { openLoad } from "./load.ts";
import { median, type Question, rounded, type Row } from "./question.ts";

const RATE = 1_000;
const BURST = 5_000;

export default {
  question: `envelopes/s of a burst of ${BURST}, beside a REPEATABLE READ transaction that is held open`,
  async run(site) {
    const url = await site.database();
    const load = await openLoad(url);
    const node = await site.node(url, "bloat", { tasks: "tasks" });
    for (let i = 0; i < 3; i++) await load.burst(BURST);
    const holder = await load.sql.reserve();
    await holder`begin isolation level repeatable read`;
    await holder`select count(*) from dispatcher.envelope`;
    const measured: [peer: string, perSecond: number][] = [];
    const measure = async (peer: string) => {
      const bursts = [await load.burst(BURST), await load.burst(BURST), await load.burst(BURST)];
      site.tell(`${peer}: ${median(bursts).toFixed(0)}/s`);
      measured.push([peer, median(bursts)]);
    };
    await measure("at the start");
    for (let minute = 1; minute <= (site.quick ? 2 : 10); minute++) {
      await steadily(60, load.publish);
      await measure(`after ${minute} min`);
    }
    await holder`commit`;
    holder.release();
    await node.stop();
    await load.close();
    const first = measured[0][1];
    const rows = measured.map(([peer, perSecond]): Row => ({
      peer,
      per_second: rounded(perSecond),
      share_of_start: rounded(perSecond / first),
    }));
    return { [site.runtime]: rows };
  },
} satisfies Question;

/** Publish at the rate for so many seconds. */
async function steadily(seconds: number, publish: (count: number) => Promise<void>): Promise<void> {
  const began = performance.now();
  let sent = 0;
  for (;;) {
    const passed = (performance.now() - began) / 1_000;
    const due = Math.floor(Math.min(passed, seconds) * RATE) - sent;
    if (due > 0) await publish(due);
    sent += due;
    if (passed >= seconds) return;
    await rest(20);
  }
}
