/**
 * From how an attempt ended to what becomes of its envelope.
 *
 * @module
 */
import { type Backoff, backoffSeconds } from "../backoff.ts";
import { shapeOf } from "../retry_policy.ts";
import type { Finished } from "../pool/slot.ts";
import type { Outcome } from "../state.ts";
import type { Claimed, Ran, Settlement } from "../store/store.ts";

/** What the settler needs to know of its node. */
export interface SettlerOptions {
  node: string;
  backoff: Backoff;
  /** Attempts at most, where neither the message nor the task says. */
  maxAttempts: number;
}

/** Attempts that a task which throws Retry has, where neither message nor task says how many: it may be repeated. */
const RETRY_ATTEMPTS = 10;
/** What does not count waits at least so many seconds, so that it does not go round without a pause. */
const UNCHARGED_SECONDS = 1;

/** Decide: a failure is tried again while attempts are left and a further one could help. */
export function settlementOf(end: Finished, options: SettlerOptions): Settlement {
  const { claimed } = end;
  const outcome = outcomeOf(end, options.maxAttempts);
  const failed = end.outcome !== "completed" && end.text !== null;
  // Given back at the task's own wish: its reason is kept and the attempt leaves no trace, however often it happens.
  const postponed = end.outcome === "failed" && outcome === "released";
  const silent = postponed || (end.text === null && outcome === "released");
  const ran = outcome === "completed" ? ranOf(end) : null;
  const settlement: Settlement = {
    uuid: claimed.uuid,
    fence: claimed.fence,
    outcome,
    record: silent || ran ? null : recordOf(end, outcome, options.node),
    ran,
    result: end.outcome === "completed" ? end.text : null,
    error: failed && (outcome !== "released" || postponed) ? end.text : null,
    delay: outcome === "retry" || postponed
      ? delayOf(end, options, postponed)
      // Its thread may still be busy.
      : end.preempted
      ? end.notBefore ?? null
      : null,
    solo: end.solo ?? false,
    progress: end.progress,
    watch: isWatched(claimed),
    keyed: claimed.keyed,
  };
  if (end.doubtful) settlement.doubtful = true;
  return settlement;
}

/** How one ends that is given back before anybody has begun it: as if it had never been claimed. */
export function unbegun(claimed: Claimed, now: number): Finished {
  return {
    claimed,
    worker: null,
    outcome: "released",
    text: null,
    started: null,
    finished: now,
    progress: null,
  };
}

/** Whether whoever published it wants to be told of its end. */
export function isWatched({ options }: Claimed): boolean {
  return options.includes('"watch"');
}

function outcomeOf(end: Finished, defaultMax: number): Outcome {
  if (end.outcome !== "failed") return end.outcome;
  const { verdict, claimed, policy } = end;
  if (end.hopeless || verdict?.do === "discard") return "discarded";
  // No fault of the task's: given back, however often, until a node has the key or somebody cancels it.
  if (end.keyless || (verdict && !verdict.charge)) return "released";
  const most = verdict ? Math.max(defaultMax, RETRY_ATTEMPTS) : defaultMax;
  return tries(end) >= (claimed.maxAttempts ?? policy?.maxAttempts ?? most) ? "discarded" : "retry";
}

/** Attempts that count: what came before somebody gave it a new allowance does not. */
function tries({ claimed }: Finished): number {
  return claimed.attempt - claimed.forgiven;
}

/** Seconds until the next attempt: the task's word, its function's, its policy's, the node's. */
function delayOf(end: Finished, { backoff }: SettlerOptions, postponed: boolean): number {
  const { verdict, policy, delay } = end;
  const asked = verdict?.do === "retry" ? verdict.delay : null;
  const seconds = asked ?? delay ?? backoffSeconds(tries(end), shapeOf(policy?.backoff, backoff));
  return Math.max(seconds, end.notBefore ?? 0, postponed ? UNCHARGED_SECONDS : 0);
}

function ranOf({ worker, started, finished }: Finished): Ran {
  return { worker, started: started === null ? null : Math.trunc(started), finished: Math.trunc(finished) };
}

/** An `AttemptRecord` as JSON. */
function recordOf(end: Finished, outcome: Outcome, node: string): string {
  const { claimed: { attempt }, worker, started, finished } = end;
  const text = JSON.stringify({
    attempt,
    node,
    worker,
    started_at: started === null ? null : new Date(started).toISOString(),
    finished_at: new Date(finished).toISOString(),
    outcome: end.preempted && outcome === "released" ? "preempted" : outcome,
  });
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
    ran: null,
    result: null,
    progress: null,
    error,
    delay: null,
  };
}
