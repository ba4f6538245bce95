/**
 * What must hold at the end of a chaos run, whatever was broken: one function a law, over the rows of the database.
 * Each returns what breaks it, a line each.
 *
 * @module
 */
import { UNITS } from "./fleet.ts";
import type { ArchiveRow, AttemptRow, Evidence, RunRow } from "./evidence.ts";

export type Law = (evidence: Evidence) => string[];

const VERDICTS = new Set(["completed", "retry", "cancelled", "discarded"]);

/** Every acknowledged call is in the archive, once, and not in the hot table. */
export const finalOnce: Law = ({ published, archive, live }) => {
  const finals = count(archive.map(({ uuid }) => uuid));
  const waiting = new Set(live.map(({ uuid }) => uuid));
  return published.filter(({ queue }) => queue !== "broadcast").flatMap(({ uuid, task, via }) => {
    const n = finals.get(uuid) ?? 0;
    if (waiting.has(uuid)) return [`${uuid} (${task}, by ${via}) is not final`];
    return n === 1 ? [] : [`${uuid} (${task}, by ${via}) is ${n} times in the archive`];
  });
};

/** Nothing else is doubled either, such as a copy of a broadcast or a message from the wire. */
export const nothingTwice: Law = ({ archive, live }) => {
  const all = count([...archive, ...live].map(({ uuid }) => uuid));
  return [...all].filter(([, n]) => n > 1).map(([uuid, n]) => `${uuid} is there ${n} times`);
};

/** Attempts are numbered from 1; one that was given back leaves its number to the next; only the last is final. */
export const gaplessHistory: Law = ({ archive }) =>
  archive.flatMap(({ uuid, attempts, state, attempt }) => {
    const said = attempts.map((a) => `${a.attempt} ${a.outcome}`).join(", ");
    let next = 1;
    for (const [i, one] of attempts.entries()) {
      if (one.attempt !== next) return [`${uuid} has attempt ${one.attempt} where ${next} is due: ${said}`];
      if (one.outcome === "retry") next++;
      else if (!["released", "preempted"].includes(one.outcome) && i < attempts.length - 1) {
        return [`${uuid} went on after its end: ${said}`];
      }
    }
    if (state === "cancelled") return [];
    const last = attempts.at(-1);
    if (last?.outcome !== state) {
      return [`${uuid} is ${state}, and its last attempt is not: ${said || "none"}`];
    }
    return last.attempt === attempt ? [] : [`${uuid} says attempt ${attempt}, its history ${last.attempt}`];
  });

/** No number of an attempt has two verdicts: two tokens would have settled it. */
export const oneVerdict: Law = ({ archive }) =>
  archive.flatMap(({ uuid, attempts }) => {
    const verdicts = count(attempts.filter(isVerdict).map(({ attempt }) => `${attempt}`));
    return [...verdicts].filter(([, n]) => n > 1).map(([n, of]) =>
      `attempt ${n} of ${uuid} has ${of} verdicts`
    );
  });

/** Every broadcast once on every node that was there all along. */
export const everyBroadcast: Law = ({ published, archive, nodes }) => {
  const copies = count(
    archive.filter(({ origin }) => origin).map(({ origin, queue }) => `${origin} ${queue}`),
  );
  return published.filter(({ queue }) => queue === "broadcast").flatMap(({ uuid }) =>
    nodes.flatMap((node) => {
      const n = copies.get(`${uuid} ${node}`) ?? 0;
      return n === 1 ? [] : [`broadcast ${uuid} came ${n} times to ${node}`];
    })
  );
};

/** A node gets broadcasts in the order in which they were acknowledged. */
export const broadcastOrder: Law = ({ published, archive, nodes }) => {
  const casts = published.filter(({ queue }) => queue === "broadcast");
  return nodes.flatMap((node) => {
    const got = new Map(
      archive.filter(({ origin, queue }) => origin && queue === node).map((r) => [r.origin, r]),
    );
    // Two publishers at once have no order; one waits for each of its own.
    return [...groupBy(casts, ({ publisher }) => `${publisher}`).values()].flatMap((own) =>
      inOrder(own.map(({ uuid }) => got.get(uuid)).filter((row) => row !== undefined), node)
    );
  });
};

function inOrder(rows: ArchiveRow[], node: string): string[] {
  return rows.slice(1).flatMap((row, i) =>
    row.created >= rows[i].created ? [] : [`broadcast ${row.origin} came to ${node} before ${rows[i].origin}`]
  );
}

/** Of the runs of one envelope, those whose verdict counts did not overlap. */
export const noOverlap: Law = ({ archive, runs }) => {
  const rows = new Map(archive.map((row) => [row.uuid, row]));
  return [...groupBy(runs, ({ uuid }) => uuid)].flatMap(([uuid, of]) => {
    const valid = of.filter((run) => recordOf(run, rows.get(uuid))?.valid);
    return overlaps(valid, rows).map(([a, b]) => `${uuid} ran at once on ${sayRun(a)} and ${sayRun(b)}`);
  });
};

/** No run without an attempt in the history: every run was claimed, and whoever lost it is on record. */
export const everyRunKnown: Law = ({ archive, runs }) => {
  const rows = new Map(archive.map((row) => [row.uuid, row]));
  return runs.filter((run) => rows.has(run.uuid) && rows.get(run.uuid)!.state !== "cancelled").flatMap((
    run,
  ) =>
    recordOf(run, rows.get(run.uuid))
      ? []
      : [`${run.uuid} ran on ${sayRun(run)}, which its history does not know`]
  );
};

/** Of envelopes that are to run one after the other, those whose verdicts count did not run at once. */
export const serialAlone: Law = ({ archive, runs }) => {
  const rows = new Map(archive.map((row) => [row.uuid, row]));
  const grouped = groupBy(runs.filter(({ grp }) => grp !== null), ({ grp }) => grp!);
  return [...grouped].flatMap(([group, of]) => {
    const valid = of.filter((run) => recordOf(run, rows.get(run.uuid))?.valid);
    return overlaps(valid, rows).map(([a, b]) =>
      `group ${group}: ${a.uuid} on ${sayRun(a)} and ${b.uuid} on ${sayRun(b)} ran at once`
    );
  });
};

/** No more attempts are charged than were allowed. */
export const withinMaxAttempts: Law = ({ archive, published }) => {
  const asked = new Map(published.map(({ uuid, maxAttempts }) => [uuid, maxAttempts]));
  return archive.flatMap(({ uuid, attempt, max_attempts }) => {
    const most = max_attempts ?? asked.get(uuid) ?? 1;
    return attempt <= most ? [] : [`${uuid} was charged ${attempt} attempts of ${most}`];
  });
};

/** What is cancelled was asked to be. */
export const cancelledOnDemand: Law = ({ archive, cancelled }) =>
  archive.filter(({ state, uuid }) => state === "cancelled" && !cancelled.has(uuid)).map(({ uuid }) =>
    `${uuid} is cancelled, and nobody asked for it`
  );

/** What ended by itself ended as it had to: sums are right, and who is to fail fails. */
export const rightResults: Law = ({ archive, published }) => {
  const calls = new Map(published.map((call) => [call.uuid, call]));
  return archive.flatMap(({ uuid, origin, state, result, error }) => {
    const call = calls.get(origin ?? uuid);
    // A host that was killed with one attempt in it costs that attempt, which may be the last.
    if (!call || state === "cancelled" || error?.name === "HostDied") return [];
    const [first, second] = call.args as number[];
    const expected = call.task === "add" ? first + second : call.task === "flaky" ? first : undefined;
    const fails = call.task === "flaky" && first > call.maxAttempts;
    if (state !== (fails ? "discarded" : "completed")) {
      return [`${uuid} (${call.task}) is ${state}: ${JSON.stringify(error)}`];
    }
    if (fails || expected === undefined || call.task === "flaky" && (result as number) >= first) return [];
    return result === expected ? [] : [`${uuid} gave ${JSON.stringify(result)}, not ${expected}`];
  });
};

/** Every partition that there was is there, and holds every row of the archive. */
export const noPartitionLost: Law = ({ partitions, partitionsBefore, archive }) => {
  const gone = partitionsBefore.filter((name) => !(name in partitions)).map((name) => `${name} is gone`);
  const sum = Object.values(partitions).reduce((total, n) => total + n, 0);
  return sum === archive.length
    ? gone
    : [...gone, `partitions hold ${sum} rows, the archive shows ${archive.length}`];
};

/** What ran together on a node fitted into what it offers. */
export const withinOffers: Law = ({ archive, published, runs }) => {
  const units = new Map(published.map((call) => [call.uuid, call.units]));
  const rows = new Map(archive.map((row) => [row.uuid, row]));
  const asking = runs.filter(({ uuid }) => (units.get(uuid) ?? 0) > 0);
  return [...groupBy(asking, ({ node }) => node)].flatMap(([node, of]) =>
    of.flatMap(({ uuid, began }) => {
      const together = of.filter((run) => run.began <= began && endOf(run, rows.get(run.uuid)) > began);
      const used = together.reduce((sum, run) => sum + units.get(run.uuid)!, 0);
      return used <= UNITS ? [] : [`${node} ran ${used} units of ${UNITS} when ${uuid} began`];
    })
  );
};

export const LAWS: Readonly<Record<string, Law>> = {
  "every acknowledged publish is final exactly once": finalOnce,
  "nothing is there twice": nothingTwice,
  "histories are gapless and rise": gaplessHistory,
  "no attempt was settled by two tokens": oneVerdict,
  "every broadcast came once to every node": everyBroadcast,
  "broadcasts came in order": broadcastOrder,
  "no two valid runs of an envelope overlapped": noOverlap,
  "every run is on record": everyRunKnown,
  "serial groups ran one at a time": serialAlone,
  "charged attempts stay within maxAttempts": withinMaxAttempts,
  "only what was asked to is cancelled": cancelledOnDemand,
  "what ran together fitted into what its node offers": withinOffers,
  "results are right": rightResults,
  "no partition is lost": noPartitionLost,
};

// ---- runs and their records

/** Of two clocks that are one, each rounded. */
const SLACK_MS = 20;

const isVerdict = ({ outcome }: AttemptRow) => VERDICTS.has(outcome);

/**
 * What the history says of a run: valid when it has a verdict, stale when it was given back or taken away. One that was
 * taken from a dead node has no worker on record.
 */
function recordOf(run: RunRow, row: ArchiveRow | undefined): { valid: boolean } | undefined {
  const exact = exactRecordOf(run, row);
  if (exact) return { valid: isVerdict(exact) };
  const of = row?.attempts.filter((a) => a.attempt === run.attempt && a.node === run.node) ?? [];
  return of.some((a) => a.worker === null && a.outcome === "released") ? { valid: false } : undefined;
}

/** A worker may have run the same attempt before, for a claim that was taken away: the time tells which it was. */
function exactRecordOf(
  { attempt, node, worker, began }: RunRow,
  row: ArchiveRow | undefined,
): AttemptRow | undefined {
  return row?.attempts.find((a) =>
    a.attempt === attempt && a.node === node && a.worker === worker && a.started_at !== null &&
    Date.parse(a.started_at) <= began + SLACK_MS && began <= Date.parse(a.finished_at) + SLACK_MS
  );
}

function overlaps(runs: RunRow[], rows: Map<string, ArchiveRow>): [RunRow, RunRow][] {
  const sorted = runs.toSorted((a, b) => a.began - b.began);
  const found: [RunRow, RunRow][] = [];
  let last: RunRow | undefined;
  for (const run of sorted) {
    if (last && endOf(last, rows.get(last.uuid)) > run.began) found.push([last, run]);
    if (!last || endOf(run, rows.get(run.uuid)) > endOf(last, rows.get(last.uuid))) last = run;
  }
  return found;
}

/** One that was killed before it could write its end ended when its dispatcher saw it die. */
function endOf(run: RunRow, row: ArchiveRow | undefined): number {
  if (run.ended !== null) return run.ended;
  const record = exactRecordOf(run, row);
  return record ? Date.parse(record.finished_at) : run.began;
}

const sayRun = ({ node, worker, attempt }: RunRow) => `${node}/${worker} (attempt ${attempt})`;

function count(items: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...groups.get(key(item)) ?? [], item]);
  return groups;
}
