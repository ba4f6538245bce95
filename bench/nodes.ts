/**
 * What do more nodes bring on the same database? All start at the same time before a backlog, and the clock runs from
 * the moment that the last of them is ready: what is left then is what counts.
 *
 * @module
 */
import { settingsFor } from "./backlog.ts";
import { type Contender, graphile, ours } from "./contenders.ts";
import { OURS, type Question, rounded, type Row, spread } from "./question.ts";
import { takeTurns } from "./rounds.ts";

export default {
  question: "no-op tasks/s of one, two and four nodes on one database, with a backlog",
  async run(site) {
    const count = site.quick ? 20_000 : 100_000;
    const contenders = [ours(site), graphile(site)];
    const settings = await settingsFor(site, contenders, { task: "noop", count });
    const all = contenders.flatMap((contender) => [1, 2, 4].map((nodes) => ({ contender, nodes })));
    const measured = await takeTurns(site, all, async ({ contender, nodes }) => {
      const place = await contender.place();
      await place.publisher.call("fill", { task: "noop", count });
      await place.settle();
      await Promise.all(Array.from({ length: nodes }, () => place.worker(settings.get(contender))));
      const began = performance.now();
      const left = await place.publisher.call<number>("left");
      await place.drained();
      const perSecond = left / (performance.now() - began) * 1_000;
      await place.clear();
      site.tell(`${contender.peer}, ${nodes} nodes: ${rounded(perSecond)}/s`);
      return perSecond;
    });
    const rows = all.map((one): Row => ({
      peer: one.contender.peer,
      nodes: one.nodes,
      ...spread("per_second", measured.get(one)!),
      ...settingsOf(one.contender),
    }));
    const of = (peer: string, nodes: number) =>
      Number(rows.find((row) => row.peer === peer && row.nodes === nodes)!.per_second);
    return {
      [site.runtime]: rows.map(({ settings, ...row }) => ({
        ...row,
        ratio: rounded(Number(row.per_second) / of(OURS, Number(row.nodes))),
        ratio_to_one_node: rounded(Number(row.per_second) / of(row.peer, 1)),
        ...(settings ? { settings } : {}),
      })),
    };

    function settingsOf(contender: Contender): Record<string, string> {
      return contender.peer === OURS ? {} : { settings: JSON.stringify(settings.get(contender)) };
    }
  },
} satisfies Question;
