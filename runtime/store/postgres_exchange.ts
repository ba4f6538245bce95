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

/** What EXCHANGE takes of the settlements, behind those of CLAIM. */
export function settleParams(s: Port.Settlement[]): Param[] {
  return [
    bareArray(s.map((x) => x.uuid)),
    bareArray(s.map((x) => x.fence)),
    bareArray(s.map((x) => x.outcome)),
    jsonTexts(s.map((x) => x.record)),
    jsonTexts(s.map((x) => x.result)),
    jsonTexts(s.map((x) => x.error)),
    jsonTexts(s.map((x) => x.progress)),
    bareArray(s.map((x) => x.delay)),
    bareArray(s.map((x) => x.solo)),
    arrayLiteral(s.map((x) => x.ran?.worker ?? null)),
    bareArray(s.map((x) => x.ran?.started ?? null)),
    bareArray(s.map((x) => x.ran?.finished ?? null)),
  ];
}

/** What the statement does not say of an envelope that has nothing special. */
const USUAL = [null, null, false, null, false, 0] as const;

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
