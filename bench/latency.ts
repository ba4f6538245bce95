/**
 * How long from `publish()` to the first line of the task, on a system that has nothing else to do? And until the
 * publisher knows the result, where it can wait for it?
 *
 * @module
 */
import { setTimeout as rest } from "node:timers/promises";
import { type Contender, floor, ours, peers } from "./contenders.ts";
import type { Settings } from "./peers/peer.ts";
import { median, OURS, percentile, type Question, rounded, type Row, withRatio } from "./question.ts";
import { bestSettings, takeTurns } from "./rounds.ts";

const WARM_UP = 20;
const TRIAL = 20;
const IDLE_MS = 500;

interface Times {
  started: number[];
  /** Empty where nobody is told. */
  known: number[];
}

export default {
  question: "ms from publish to the start of the task, one publish every 20 to 50 ms",
  async run(site) {
    const contenders = [ours(site), ...peers(site)];
    const settings = await bestSettings(site, contenders, "quickest", async (contender, settings) => {
      return -median((await measure(contender, settings, TRIAL)).started);
    });
    const all = [...contenders, floor(site)];
    const count = site.quick ? 50 : 200;
    const measured = await takeTurns(site, all, async (contender) => {
      const times = await measure(contender, settings.get(contender) ?? {}, count);
      site.tell(`${contender.peer}: ${rounded(median(times.started))} ms`);
      return times;
    });
    const rows = all.map((contender): Row => {
      const rounds = measured.get(contender)!;
      const known = rounds.flatMap((one) => one.known);
      return {
        peer: contender.peer,
        ...percentiles("", rounds.map((one) => one.started)),
        ...(known.length > 0 ? percentiles("result_", rounds.map((one) => one.known)) : {}),
        ...(contender.peer === OURS || !settings.has(contender)
          ? {}
          : { settings: JSON.stringify(settings.get(contender)) }),
      };
    });
    return { [site.runtime]: withRatio(rows, "p50_ms") };
  },
} satisfies Question;

async function measure(contender: Contender, settings: Settings, count: number): Promise<Times> {
  // Whoever can be woken is.
  const place = await contender.place({ notify: true });
  const worker = await place.worker(settings);
  await rest(IDLE_MS);
  await place.publisher.call("trickle", WARM_UP + count);
  await place.drained();
  const started = (await worker.stamps()).slice(WARM_UP);
  const known = await place.publisher.call<number[]>("trickleResults", WARM_UP + count);
  await place.clear();
  return { started, known: known.slice(WARM_UP) };
}

/** Of all rounds together, and the range of the rounds' medians. */
export function percentiles(prefix: string, rounds: number[][]): Record<string, number> {
  const all = rounds.flat();
  const medians = rounds.map(median);
  return {
    [`${prefix}p50_ms`]: rounded(median(all)),
    [`${prefix}p50_ms_min`]: rounded(Math.min(...medians)),
    [`${prefix}p50_ms_max`]: rounded(Math.max(...medians)),
    [`${prefix}p99_ms`]: rounded(percentile(all, 0.99)),
  };
}
