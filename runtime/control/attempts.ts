/**
 * The attempts that a node holds, as control commands name, find and show them.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Pool } from "../pool/pool.ts";
import { redact } from "../redact.ts";
import type { AdoptedRow, Claimed } from "../store/store.ts";

/** A running or waiting attempt as it may be shown: without keyword arguments, the others redacted. */
export interface Shown {
  uuid: string;
  task: string;
  args: unknown;
  /** Seconds since it began; null while it waits. */
  seconds: number | null;
}

/** What to look for; every field narrows, and equals. */
export interface AttemptFilter {
  task?: string;
  uuid?: string;
  args?: unknown[];
  kwargs?: Record<string, unknown>;
}

/** An attempt and where it is. */
export interface Held {
  key: "worker" | "queued";
  claimed: Claimed;
  /** Monotonic milliseconds. */
  since: number | null;
}

/** All that a pool holds. */
export function heldBy(pool: Pool): Held[] {
  const running = pool.fleet.running().map((slot) => ({
    key: "worker" as const,
    claimed: slot.running!.claimed,
    since: slot.running!.since,
  }));
  return [
    ...running,
    ...pool.waiting().map((claimed) => ({ key: "queued" as const, claimed, since: null })),
  ];
}

/** Whether an attempt is meant by a filter. */
export function matches(filter: AttemptFilter, { claimed }: Held): boolean {
  if (filter.task !== undefined && filter.task !== claimed.task) return false;
  if (filter.uuid !== undefined && filter.uuid !== claimed.uuid && filter.uuid !== claimed.origin) {
    return false;
  }
  if (filter.args !== undefined && !equalJson(filter.args, claimed.args)) return false;
  return filter.kwargs === undefined || equalJson(filter.kwargs, claimed.kwargs);
}

/** Show an attempt. */
export function shown({ claimed, since }: Held, clock: Clock): Shown {
  return {
    uuid: claimed.origin ?? claimed.uuid,
    task: claimed.task,
    args: redact(JSON.parse(claimed.args)),
    seconds: since === null ? null : Math.round(clock.monotonic() - since) / 1000,
  };
}

/** Whether what was taken from the wire and cannot run yet is meant by a filter. */
export function matchesAdopted(filter: AttemptFilter, row: AdoptedRow): boolean {
  if (filter.task !== undefined && filter.task !== row.task) return false;
  if (filter.uuid !== undefined && filter.uuid !== row.uuid && filter.uuid !== row.origin) return false;
  if (filter.args !== undefined && canonical(filter.args) !== canonical(row.args)) return false;
  return filter.kwargs === undefined || canonical(filter.kwargs) === canonical(row.kwargs);
}

/** Show what was taken from the wire and cannot run yet, as dispatcherd names it. */
export function shownAdopted(rows: AdoptedRow[]): Record<string, Shown> {
  const found: Record<string, Shown> = {};
  const counts = { blocked: 0, delayed: 0 };
  for (const { uuid, origin, task, args, blocked } of rows) {
    const key = blocked ? "blocked" : "delayed";
    found[`${key}-${counts[key]++}`] = { uuid: origin ?? uuid, task, args: redact(args), seconds: null };
  }
  return found;
}

function equalJson(value: unknown, text: string): boolean {
  return canonical(value) === canonical(JSON.parse(text));
}

/** JSON with the keys in order, so that equal values have equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, member) => {
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => a < b ? -1 : 1));
  });
}
