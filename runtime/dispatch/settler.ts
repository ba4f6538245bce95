/**
 * From how an attempt ended to what becomes of its envelope.
 *
 * @module
 */
import { type Backoff, backoffSeconds } from "../backoff.ts";
import type { Finished } from "../pool/slot.ts";
import type { Outcome } from "../state.ts";
import type { AttemptRecord, Claimed, Settlement } from "../store/store.ts";

/** What the settler needs to know of its node. */
export interface SettlerOptions {
  node: string;
  backoff: Backoff;
  /** Attempts at most, where neither the message nor the task says. */
  maxAttempts: number;
}

/** Decide: a failure is tried again while attempts are left and a further one could help. */
export function settlementOf(end: Finished, options: SettlerOptions): Settlement {
  const { claimed } = end;
  const outcome = outcomeOf(end, options.maxAttempts);
  const failed = end.outcome !== "completed" && end.text !== null;
  const backoff = outcome === "retry" ? backoffSeconds(claimed.attempt, options.backoff) : null;
  return {
    uuid: claimed.uuid,
    fence: claimed.fence,
    outcome,
    record: end.text === null && outcome === "released" ? null : recordOf(end, outcome, options.node),
    result: end.outcome === "completed" ? end.text : null,
    error: failed && outcome !== "released" ? end.text : null,
    delay: backoff === null ? null : Math.max(backoff, end.notBefore ?? 0),
    solo: end.solo ?? false,
    progress: end.progress,
    watch: isWatched(claimed),
    keyed: claimed.keyed,
    ...(end.doubtful ? { doubtful: true } : {}),
  };
}

/** Whether whoever published it wants to be told of its end. */
export function isWatched({ options }: Claimed): boolean {
  return options.includes('"watch"');
}

function outcomeOf(end: Finished, defaultMax: number): Outcome {
  if (end.outcome !== "failed") return end.outcome;
  // No fault of the task's: it is tried again, however often, until a node has the key or somebody cancels it.
  if (end.keyless) return "retry";
  const max = end.claimed.maxAttempts ?? end.maxAttempts ?? defaultMax;
  return end.hopeless || end.claimed.attempt >= max ? "discarded" : "retry";
}

function recordOf(end: Finished, outcome: Outcome, node: string): string {
  const record: AttemptRecord = {
    attempt: end.claimed.attempt,
    node,
    worker: end.worker,
    started_at: end.started === null ? null : new Date(end.started).toISOString(),
    finished_at: new Date(end.finished).toISOString(),
    outcome,
  };
  const text = JSON.stringify(record);
  return end.outcome === "completed" || end.text === null
    ? text
    : `${text.slice(0, -1)},"error":${end.text}}`;
}

/** In place of a verdict that the database refuses as it is (a result of more than 1 GB): the same without it. */
export function withoutContent(settlement: Settlement, why: string): Settlement {
  const error = JSON.stringify({ name: "SettleError", message: `The outcome could not be stored: ${why}` });
  return {
    ...settlement,
    outcome: "discarded",
    record: null,
    result: null,
    progress: null,
    error,
    delay: null,
  };
}
