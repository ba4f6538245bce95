/**
 * What do more nodes bring on the same database? They wait for work when all of it is committed at once, and the
 * clock runs from there.
 *
 * @module
 */
import { settingsFor } from "./backlog.ts";
import { type Contender, graphile, ours } from "./contenders.ts";
import { OURS, type Question, rounded, type Row, spread } from "./question.ts";
import { takeTurns } from "./rounds.ts";

const WARM_UP = 2_000;

export default {
  question: "no-op tasks/s of one, two and four nodes on one database, all published in one transaction",
  async run(site) {
    const count = site.quick ? 10_000 : 50_000;
    const contenders = [ours(site), graphile(site)];
    const settings = await settingsFor(site, contenders, { task: "noop", count });
    const all = contenders.flatMap((contender) => [1, 2, 4].map((nodes) => ({ contender, nodes })));
    const measured = await takeTurns(site, all, async ({ contender, nodes }) => {
      const place = await contender.place();
      const one = () => place.worker(settings.get(contender));
      await Promise.all(Array.from({ length: nodes }, one));
      await place.publisher.call("rush", "noop", WARM_UP);
      const perSecond = await place.publisher.call<number>("rush", "noop", count);
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
