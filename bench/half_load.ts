/**
 * How long does a task wait at half the load that a queue can bear? At half of its own, and at half of what the slowest
 * can bear, which all can.
 *
 * @module
 */
import { settingsFor, workOff } from "./backlog.ts";
import { type Contender, ours, peers } from "./contenders.ts";
import { percentiles } from "./latency.ts";
import type { Settings } from "./peers/peer.ts";
import { median, OURS, type Question, rounded, type Row } from "./question.ts";
import { takeTurns } from "./rounds.ts";

/** What is left out at the beginning. */
const WARM_UP = 0.2;

export default {
  question: "ms from publish to the start of the task under load, published in batches every 10 ms",
  async run(site) {
    const contenders = [ours(site), ...peers(site)];
    const backlog = { task: "noop", count: site.quick ? 5_000 : 20_000 };
    const settings = await settingsFor(site, contenders, backlog);
    const most = new Map<Contender, number>();
    for (
      const [contender, rates] of await takeTurns(
        site,
        contenders,
        (one) => workOff(one, backlog, settings.get(one)!),
        2,
      )
    ) {
      most.set(contender, median(rates));
      site.tell(`${contender.peer} bears ${rounded(median(rates))}/s`);
    }
    const slowest = Math.min(...most.values());
    const all = contenders.flatMap((contender) => [
      { contender, load: "half of its own", rate: most.get(contender)! / 2 },
      { contender, load: "half of the slowest", rate: slowest / 2 },
    ]);
    const seconds = site.quick ? 3 : 8;
    const measured = await takeTurns(site, all, async ({ contender, rate, load }) => {
      const one = await underLoad(contender, settings.get(contender)!, rate, seconds);
      site.tell(
        `${contender.peer}, ${load}: ${rounded(median(one.started))} ms at ${rounded(one.reached)}/s`,
      );
      return one;
    });
    const rows = all.map((one): Row => {
      const rounds = measured.get(one)!;
      return {
        peer: one.contender.peer,
        load: one.load,
        rate_per_second: rounded(one.rate),
        reached_per_second: rounded(median(rounds.map(({ reached }) => reached))),
        ...percentiles("", rounds.map(({ started }) => started)),
      };
    });
    const oursAt = (load: unknown) => rows.find((row) => row.peer === OURS && row.load === load)!;
    return {
      [site.runtime]: rows.map((row) => ({
        ...row,
        ratio: rounded(Number(row.p50_ms) / Number(oursAt(row.load).p50_ms)),
      })),
    };
  },
} satisfies Question;

async function underLoad(
  contender: Contender,
  settings: Settings,
  rate: number,
  seconds: number,
): Promise<{ started: number[]; reached: number }> {
  const place = await contender.place({ notify: true });
  const worker = await place.worker(settings);
  const reached = await place.publisher.call<number>("load", rate, seconds);
  await place.drained();
  const started = await worker.stamps();
  await place.clear();
  return { started: started.slice(started.length * WARM_UP), reached };
}
