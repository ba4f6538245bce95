/**
 * What the log says of attempts: failures always, the rest at level debug. Every line has the ids by which an envelope
 * is followed through a cluster; none has its arguments.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { ErrorRecord } from "../errors.ts";
import type { AttemptEvent, ClaimEvent, Events } from "../events.ts";
import type { LogSettings } from "../log.ts";
import type { Finished } from "../pool/slot.ts";
import { redact } from "../redact.ts";
import type { Outcome } from "../state.ts";
import type { Claimed, Settlement } from "../store/store.ts";

/** Who hears, and when. */
type Bus = { events: Events; clock: Clock };

/** The ids of an attempt, as fields. */
export function fieldsOf(claimed: Claimed): Record<string, unknown> {
  const { uuid, origin, task, attempt } = claimed;
  const guid = guidOf(claimed);
  return { uuid: origin ?? uuid, ...(guid === undefined ? {} : { guid }), task, attempt };
}

/** The caller's own id, if the message has one. */
export function guidOf({ options }: Claimed): string | undefined {
  if (!options.includes('"guid"')) return undefined;
  const { guid } = JSON.parse(options);
  return typeof guid === "string" ? guid : undefined;
}

/** A claim as the bus has it. */
export function claimEvent(claimed: Claimed, at: number): ClaimEvent {
  const { uuid, origin, task, queue, attempt, fence, options } = claimed;
  return { uuid, origin, task, queue, attempt, fence, options, at };
}

/** The end of an attempt as the bus has it. */
export function attemptEvent(end: Finished, outcome: Outcome): AttemptEvent {
  const { claimed: { uuid, origin, task, queue, attempt, fence, options }, worker, started, finished } = end;
  const error = end.outcome === "completed" ? null : end.text;
  // In one literal: one for each envelope.
  return {
    uuid,
    origin,
    task,
    queue,
    attempt,
    fence,
    options,
    at: finished,
    outcome,
    worker,
    started,
    error,
  };
}

/** Tell the bus what was claimed, if anybody hears. */
export function tellClaims({ events: { claims }, clock }: Bus, claimed: Claimed[]): void {
  if (!claims.wanted) return;
  const now = clock.now();
  for (const one of claimed) claims.emit(claimEvent(one, now));
}

/** Tell the bus how an attempt ended. */
export function tellAttempt({ events: { attempts } }: Bus, end: Finished, outcome: Outcome): void {
  if (attempts.wanted) attempts.emit(attemptEvent(end, outcome));
}

/** Tell the bus what a statement settled that was sent at that time. */
export function tellSettles(
  { events: { settles }, clock }: Bus,
  settlements: Settlement[],
  settled: ReadonlySet<string>,
  started: number,
): void {
  if (settlements.length > 0 && settles.wanted) settles.emit({ started, at: clock.now(), settled });
}

/** Say how an attempt ended. */
export function logAttempt(events: Events, log: LogSettings, end: Finished): void {
  const { claimed, outcome, worker } = end;
  if (outcome === "failed") {
    const { name, message } = JSON.parse(end.text!) as ErrorRecord;
    if (end.verdict?.do === "retry") {
      const text = `Attempt asked for another: ${redact(message)}`;
      return events.emit("info", "attempt.retry", text, { ...fieldsOf(claimed), node: log.node, worker });
    }
    const text = `Attempt failed: ${redact(`${name}: ${message}`)}`;
    events.emit("warning", "attempt.failed", text, { ...fieldsOf(claimed), node: log.node, worker });
  } else if (log.level === "debug") {
    const ms = end.started === null ? null : Math.round(end.finished - end.started);
    events.emit("debug", `attempt.${outcome}`, `Attempt ${outcome}`, {
      ...fieldsOf(claimed),
      node: log.node,
      worker,
      ms,
    });
  }
}
