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
import type { Site } from "./site.ts";

/** Work a backlog off; tasks a second. */
export async function workOff(contender: Contender, backlog: Backlog, settings: Settings): Promise<number> {
  const place = await contender.place();
  try {
    await place.publisher.call("fill", backlog);
    await place.settle();
    await place.worker(settings);
    const began = performance.now();
    await place.publisher.call("drained");
    return backlog.count / (performance.now() - began) * 1_000;
  } finally {
    await place.clear();
  }
}

/** The settings with which a peer works a smaller backlog off fastest. */
export async function bestSettings(site: Site, contender: Contender, backlog: Backlog): Promise<Settings> {
  const place = await contender.place();
  const candidates = await place.publisher.call<Settings[]>("candidates").finally(() => place.clear());
  let best = { settings: candidates[0], perSecond: 0 };
  for (const settings of candidates.length > 1 ? candidates : []) {
    const perSecond = await workOff(contender, backlog, settings);
    site.tell(`${contender.peer} with ${JSON.stringify(settings)}: ${rounded(perSecond)}/s`);
    if (perSecond > best.perSecond) best = { settings, perSecond };
  }
  return best.settings;
}

/** Ours on each runtime and the peers, by turns. */
export async function compareBacklogs(site: Site, backlog: Backlog): Promise<Answer> {
  const all = [...oursOnEach(site), ...peers(site)];
  const trial = { ...backlog, count: Math.ceil(backlog.count / 5) };
  const settings = new Map<Contender, Settings>();
  for (const contender of all) settings.set(contender, await bestSettings(site, contender, trial));
  const measured = new Map<Contender, number[]>(all.map((contender) => [contender, []]));
  for (let round = 1; round <= (site.quick ? 2 : 5); round++) {
    for (const contender of all) {
      const perSecond = await workOff(contender, backlog, settings.get(contender)!);
      measured.get(contender)!.push(perSecond);
      site.tell(`round ${round}: ${contender.peer} on ${contender.runtime} ${rounded(perSecond)}/s`);
    }
  }
  const rowOf = (contender: Contender): Row => ({
    peer: contender.peer,
    ...spread("per_second", measured.get(contender)!),
    ...(contender.peer === OURS ? {} : { settings: JSON.stringify(settings.get(contender)) }),
  });
  const onNode = withRatio(all.filter((each) => each.runtime === "node").map(rowOf), "per_second");
  const answer: Answer = { node: onNode };
  for (const contender of all.filter((each) => each.runtime !== "node")) {
    const rows = [rowOf(contender)];
    answer[contender.runtime] = withRatio(rows, "per_second", onNode[0].per_second, "ratio_to_node");
  }
  return answer;
}
