/**
 * Does history slow the queue down? What is final lies in a table of its own, by day.
 *
 * @module
 */
import { openLoad } from "./load.ts";
import { median, type Question, rounded, type Row, spread } from "./question.ts";

const BURST = 5_000;
const ROUNDS = 5;

export default {
  question: `envelopes/s of a burst of ${BURST}, with nothing, a million and ten million rows in the archive`,
  async run(site) {
    const url = await site.database();
    const load = await openLoad(url);
    const node = await site.node(url, "history", { tasks: "tasks" });
    await load.burst(BURST);
    const rows: Row[] = [];
    let first: number | undefined;
    let archived = 0;
    for (const size of site.quick ? [0, 100_000] : [0, 1_000_000, 10_000_000]) {
      // Like what runs leave: completed just now, with uuids in the order of time.
      for (; archived < size; archived += 100_000) {
        await load.sql`
          insert into dispatcher.archive (uuid, queue, task, args, kwargs, options, state, priority, attempt,
            created_at, node, claimed_at, finished_at, result, attempts)
          select dispatcher.uuid7(), 'default', 'examples/add', '[1,1]', '{}', '{}', 'completed', 0, 1, now(),
            'history', now(), now(), '2', '{}' from generate_series(1, 100000)`;
      }
      await load.sql`vacuum analyze dispatcher.archive`;
      const bursts: number[] = [];
      for (let i = 0; i < ROUNDS; i++) bursts.push(await load.burst(BURST));
      first ??= median(bursts);
      const peer = `${size.toLocaleString("en")} archived`;
      rows.push({ peer, ...spread("per_second", bursts), share_of_start: rounded(median(bursts) / first) });
      site.tell(`${peer}: ${median(bursts).toFixed(0)}/s`);
    }
    await node.stop();
    await load.close();
    return { [site.runtime]: rows };
  },
} satisfies Question;
