/**
 * From what is to be claimed and settled to the parameters of the statements, an array a column, and from the rows of a
 * claim to envelopes.
 *
 * @module
 */
import { arrayLiteral, bareArray, jsonTexts } from "./connection.ts";
import { rangesOf } from "./ranges.ts";
import type { Param, Row } from "./statements.ts";
import type * as Port from "./store.ts";

/**
 * An envelope with so many characters of content travels by itself: cut out of a text of many, what waits or runs for long
 * would keep all of that text in memory.
 */
export const LONG_CONTENT = 1_000;

const NOBODY = "00000000-0000-0000-0000-000000000000";

/**
 * An exchange that finds nothing to settle and claims nothing. Running it, a connection's server process plans what every
 * exchange runs, which takes it 6 ms.
 */
export const REHEARSAL: Port.Exchange = {
  node: "",
  instance: NOBODY,
  settlements: [{
    uuid: NOBODY,
    fence: 0,
    outcome: "completed",
    record: null,
    ran: null,
    result: null,
    error: null,
    delay: null,
    solo: false,
    progress: null,
    watch: false,
    keyed: false,
  }],
  queues: [""],
  limit: 1,
};

/** What EXCHANGE takes of the settlements, behind those of the claim, and how much that may hand out. */
export function settleParams(s: Port.Settlement[], most: number): Param[] {
  return [
    bareArray(s.map((x) => x.uuid)),
    bareArray(s.map((x) => x.fence)),
    alike(s.map((x) => x.outcome), bareArray),
    orNull(s.map((x) => x.record), jsonTexts),
    orNull(s.map((x) => x.result === "null" ? null : x.result), jsonTexts),
    orNull(s.map((x) => x.error), jsonTexts),
    orNull(s.map((x) => x.progress), jsonTexts),
    orNull(s.map((x) => x.delay), bareArray),
    orNull(s.map((x) => x.solo || null), bareArray),
    orNull(s.map((x) => x.ran?.worker ?? null), (column) => alike(column, arrayLiteral)),
    orNull(s.map((x) => x.ran?.started ?? null), bareArray),
    orNull(s.map((x) => x.ran?.finished ?? null), bareArray),
    LONG_CONTENT,
    most,
  ];
}

/** A column in which nothing stands is null: unnested beside the others it is as long as they are. */
function orNull<T>(column: (T | null)[], write: (column: (T | null)[]) => string): string | null {
  return column.every((value) => value === null) ? null : write(column);
}

/** What the statement does not say of an envelope that has nothing special. */
const USUAL = [null, null, false, null, false, 0] as const;

/** Of a column in which all are the same the first is enough: the statement makes a column of it (0019_held.sql). */
function alike<T>(column: T[], write: (column: T[]) => string): string {
  return write(column.every((value) => value === column[0]) ? column.slice(0, 1) : column);
}

/** A row of a claim. */
export function claimedOf(row: Row): Port.Claimed {
  const [maxAttempts, timeout, solo, origin, keyed, forgiven] = row.rare ?? USUAL;
  return {
    uuid: row.uuid,
    fence: row.fence,
    task: row.task,
    queue: row.queue,
    args: row.args,
    kwargs: row.kwargs,
    options: row.options,
    priority: row.priority,
    attempt: row.attempt,
    forgiven,
    maxAttempts,
    timeout,
    solo,
    origin,
    keyed,
  };
}

/** Of CLAIM; `share` is what one queue gives at most. */
export function claimParams(work: Port.Exchange, share: number): Param[] {
  const { lane } = work;
  const ranges = lane
    ? [{ queue: lane.queue, low: lane.priority, past: -1, high: lane.priority }]
    : rangesOf(work.queues, work.floors);
  return [
    arrayLiteral(ranges.map((x) => x.queue)),
    bareArray(ranges.map((x) => x.low)),
    bareArray(ranges.map((x) => x.past)),
    bareArray(ranges.map((x) => x.high)),
    share,
    work.limit,
    work.node,
    work.instance,
  ];
}

/** Between two values of a column. */
const SEPARATOR = "\x1f";

/**
 * What an exchange returns: columns first, then what is long by itself (0015_columns.sql); of that the name alone, where it
 * was too much (0022_bounded_claims.sql).
 */
export function exchangedOf([columns, ...long]: Row[], queues: readonly string[]) {
  const claimed = columns.uuid === null ? [] : claimedOfColumns(columns, queues[0]);
  const byUuid = new Map(columns.rare || long.length > 0 ? claimed.map((one) => [one.uuid, one]) : []);
  const withheld: Port.Claimed[] = [];
  for (const { uuid, args, kwargs, options } of long) {
    const one = byUuid.get(uuid)!;
    if (args === null) withheld.push(one);
    else Object.assign(one, { args, kwargs, options });
  }
  for (const [uuid, ...rest] of columns.rare ? JSON.parse(`[${columns.rare}]`) : []) {
    const [attempt, maxAttempts, timeout, solo, origin, keyed, forgiven] = rest;
    Object.assign(byUuid.get(uuid)!, { attempt, maxAttempts, timeout, solo, origin, keyed, forgiven });
  }
  return {
    claimed,
    withheld,
    ids: columns.id === null ? [] : numbers(columns.id),
    stale: (columns.stale?.split(SEPARATOR) ?? []) as string[],
    last: Number(columns.last),
    asking: columns.asking as boolean,
  };
}

function claimedOfColumns(columns: Row, only: string): Port.Claimed[] {
  const column = (name: string): string[] => columns[name].split(SEPARATOR);
  const [fences, priorities] = [numbers(columns.fence), numbers(columns.priority)];
  const [tasks, args, kwargs, options] = ["task", "args", "kwargs", "options"].map(column);
  const queues = columns.queue === null ? undefined : column("queue");
  return column("uuid").map((uuid, i): Port.Claimed => ({
    uuid,
    fence: fences[i],
    task: tasks[i],
    queue: queues ? queues[i] : only,
    args: args[i],
    kwargs: kwargs[i],
    options: options[i],
    priority: priorities[i],
    attempt: fences[i],
    forgiven: 0,
    maxAttempts: null,
    timeout: null,
    solo: false,
    origin: null,
    keyed: false,
  }));
}

/** `{1,2}` */
function numbers(array: string): number[] {
  return JSON.parse(`[${array.slice(1, -1)}]`);
}
