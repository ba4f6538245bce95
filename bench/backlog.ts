/**
 * How fast a backlog is worked off: it is there when the worker starts, and the clock runs from the moment that the
 * worker says it is ready until the database says that all is done. Those who are measured take turns, each time in
 * a new database with new processes.
 *
 * @module
 */
import { type Contender, oursOnEach, peers } from "./contenders.ts";
import type { Settings } from "./peers/peer.ts";
import type { Backlog } from "./publisher.ts";
import { type Answer, OURS, rounded, type Row, spread, withRatio } from "./question.ts";
import { bestSettings, takeTurns } from "./rounds.ts";
import type { Site } from "./site.ts";

/** The settings are chosen by backlogs of at least so many. */
const TRIAL = 5_000;

/** Work a backlog off; tasks a second. */
export async function workOff(contender: Contender, backlog: Backlog, settings: Settings): Promise<number> {
  const place = await contender.place();
  await place.publisher.call("fill", backlog);
  await place.settle();
  await place.worker(settings);
  const began = performance.now();
  await place.drained();
  const seconds = (performance.now() - began) / 1_000;
  await place.clear();
  return backlog.count / seconds;
}

/** Of each the settings for such a backlog, by a smaller one. */
export function settingsFor(
  site: Site,
  contenders: readonly Contender[],
  backlog: Backlog,
): Promise<Map<Contender, Settings>> {
  const trial = { ...backlog, count: Math.min(backlog.count, Math.max(TRIAL, backlog.count / 5)) };
  return bestSettings(site, contenders, "candidates", (contender, settings) => {
    return workOff(contender, trial, settings);
  });
}

/** Ours on each runtime and the peers, by turns; the peers stand beside the first of ours. */
export async function compareBacklogs(site: Site, backlog: Backlog): Promise<Answer> {
  const [first, ...others] = oursOnEach(site);
  const beside = [first, ...peers(site)];
  const all = [...beside, ...others];
  const settings = await settingsFor(site, all, backlog);
  const measured = await takeTurns(site, all, async (contender) => {
    const perSecond = await workOff(contender, backlog, settings.get(contender)!);
    site.tell(`${contender.peer} on ${contender.runtime}: ${rounded(perSecond)}/s`);
    return perSecond;
  });
  const rowOf = (contender: Contender): Row => ({
    peer: contender.peer,
    ...spread("per_second", measured.get(contender)!),
    ...(contender.peer === OURS ? {} : { settings: JSON.stringify(settings.get(contender)) }),
  });
  const rows = withRatio(beside.map(rowOf), "per_second");
  const answer: Answer = { [first.runtime]: rows };
  for (const other of others) {
    answer[other.runtime] = withRatio(
      [rowOf(other)],
      "per_second",
      rows[0].per_second,
      `ratio_to_${first.runtime}`,
    );
  }
  return answer;
}
