/**
 * Who is measured when: by turns, so that a busy minute of the machine is everybody's.
 *
 * @module
 */
import type { Contender } from "./contenders.ts";
import type { Settings } from "./peers/peer.ts";
import { rounded } from "./question.ts";
import type { Site } from "./site.ts";

/** Measure each in every round; what was measured, by whom. */
export async function takeTurns<C, M>(
  site: Site,
  all: readonly C[],
  measure: (one: C) => Promise<M>,
  rounds = site.quick ? 2 : 5,
): Promise<Map<C, M[]>> {
  const measured = new Map<C, M[]>(all.map((one) => [one, []]));
  for (let round = 1; round <= rounds; round++) {
    site.tell(`round ${round} of ${rounds}`);
    for (const one of all) measured.get(one)!.push(await measure(one));
  }
  return measured;
}

/** Of each the settings that it does best with in the better one of two trials; more is better. */
export async function bestSettings(
  site: Site,
  contenders: readonly Contender[],
  kind: "candidates" | "quickest",
  trial: (contender: Contender, settings: Settings) => Promise<number>,
): Promise<Map<Contender, Settings>> {
  const chosen = new Map<Contender, Settings>();
  for (const contender of contenders) {
    const place = await contender.place();
    const candidates = await place.publisher.call<Settings[]>(kind);
    await place.clear();
    let best = { settings: candidates[0], score: -Infinity };
    // Not one after the other: a busy moment must not decide.
    const trials = Array.from({ length: site.quick ? 1 : 2 }, () => candidates.length > 1 ? candidates : []);
    for (const settings of trials.flat()) {
      const score = await trial(contender, settings);
      site.tell(`${contender.peer} with ${JSON.stringify(settings)}: ${rounded(Math.abs(score))}`);
      if (score > best.score) best = { settings, score };
    }
    chosen.set(contender, best.settings);
  }
  return chosen;
}
