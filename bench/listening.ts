/**
 * What does it cost a publisher that somebody listens? A NOTIFY in the transaction that publishes takes a lock of the
 * whole cluster until it is committed.
 *
 * @module
 */
import { type Contender, graphile, ours } from "./contenders.ts";
import { publishFor } from "./publish.ts";
import { OURS, type Question, rounded, type Row, spread } from "./question.ts";
import { takeTurns } from "./rounds.ts";

/** Nobody; three nodes that listen, but do not run what is published; three that do. */
const STATES = ["none", "idle", "busy"] as const;

export default {
  question: "publishes/s of 4 processes while three nodes listen, and as a part of it without them",
  async run(site) {
    const all = [ours(site), graphile(site)].flatMap((contender) =>
      STATES.map((nodes) => ({ contender, nodes }))
    );
    const measured = await takeTurns(site, all, async ({ contender, nodes }) => {
      const place = await contender.place();
      const one = () => place.worker({}, { idle: nodes === "idle" });
      await Promise.all(Array.from({ length: nodes === "none" ? 0 : 3 }, one));
      const perSecond = await publishFor(place, site.quick ? 1_000 : 4_000, { processes: 4, callers: 1 });
      await place.clear();
      site.tell(`${contender.peer}, ${nodes}: ${rounded(perSecond)}/s`);
      return perSecond;
    });
    const rates = (contender: Contender, nodes: string) => {
      return measured.get(all.find((one) => one.contender === contender && one.nodes === nodes)!)!;
    };
    const rows = all.map(({ contender, nodes }): Row => {
      const rate = spread("per_second", rates(contender, nodes));
      const without = spread("per_second", rates(contender, "none"));
      return {
        peer: contender.peer,
        nodes,
        ...rate,
        share_of_none: rounded(rate.per_second / without.per_second),
      };
    });
    const oursWith = (nodes: unknown) => rows.find((row) => row.peer === OURS && row.nodes === nodes)!;
    return {
      [site.runtime]: rows.map((row) => ({
        ...row,
        ratio: rounded(Number(row.per_second) / Number(oursWith(row.nodes).per_second)),
      })),
    };
  },
} satisfies Question;
