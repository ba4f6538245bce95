/**
 * How fast can be published? Nobody works meanwhile.
 *
 * @module
 */
import { type Contender, ours, peers, type Place } from "./contenders.ts";
import { OURS, type Question, rounded, type Row, spread } from "./question.ts";
import { takeTurns } from "./rounds.ts";

/** How it is published: by so many processes with so many callers each, in batches or one by one. */
const WAYS: Record<string, { processes?: number; callers: number; batch?: number }> = {
  "1 caller": { callers: 1 },
  "10 callers": { callers: 10 },
  "100 callers": { callers: 100 },
  "4 processes": { processes: 4, callers: 1 },
  "batches of 1,000": { callers: 1, batch: 1_000 },
};

export default {
  question: "publishes/s, each one committed",
  async run(site) {
    const contenders = [ours(site), ...peers(site)];
    const ms = site.quick ? 1_000 : 4_000;
    const measured = await takeTurns(site, contenders, async (contender) => {
      const place = await contender.place();
      const rates = new Map<string, number>();
      for (const way of Object.keys(WAYS)) rates.set(way, await publishFor(place, ms, WAYS[way]));
      await place.clear();
      site.tell(
        `${contender.peer}: ${[...rates].map(([way, rate]) => `${way} ${rounded(rate)}/s`).join(", ")}`,
      );
      return rates;
    });
    const median = new Map<string, number>();
    const rowsOf = (contender: Contender) =>
      Object.keys(WAYS).map((how): Row => {
        const rates = spread("per_second", measured.get(contender)!.map((one) => one.get(how)!));
        if (contender.peer === OURS) median.set(how, rates.per_second);
        return { peer: contender.peer, how, ...rates, ratio: rounded(rates.per_second / median.get(how)!) };
      });
    return { [site.runtime]: contenders.flatMap(rowsOf) };
  },
} satisfies Question;

/** Publish for so long after a warm-up; calls a second of all together. */
export async function publishFor(
  place: Place,
  ms: number,
  { processes = 1, callers, batch }: { processes?: number; callers: number; batch?: number },
): Promise<number> {
  const actors = processes === 1
    ? [place.publisher]
    : await Promise.all(Array.from({ length: processes }, () => place.another()));
  const all = (ms: number) =>
    Promise.all(actors.map((actor) => actor.call<number>("publishFor", ms, callers, batch)));
  await all(Math.min(ms, 500));
  return (await all(ms)).reduce((sum, rate) => sum + rate, 0);
}
