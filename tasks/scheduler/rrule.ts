/**
 * When a schedule is due: iCal's DTSTART and RRULE (RFC 5545), in the time zone of DTSTART.
 *
 * Rules of days and longer, and those that say BYHOUR and the like, follow the clock on the wall: 09:00 is 09:00 all
 * year. A time that the clock leaves out when it is put forward is an hour later on that day; one that it shows twice is
 * the first. Rules of hours and minutes without a BY part are even steps of time.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { daysAfter } from "./recurrence/days.ts";
import { hoursAfter, isEven, stepsAfter } from "./recurrence/hours.ts";
import { parseRule, type Rule } from "./recurrence/parse.ts";
import { instantOf, LARGEST_SHIFT, wallOf } from "./recurrence/wall_clock.ts";

/**
 * Check the text of a schedule; gives it as it is to be kept.
 *
 * @throws {DispatcherError} `usage`, naming the part and the value, also when it is never due.
 */
export function checkRrule(text: string): string {
  const rule = parseRule(text);
  if (next(rule, instantOf(rule.start, rule.zone) - 1) === null) {
    throw new DispatcherError("usage", `Cannot use the schedule ${JSON.stringify(text)}: it is never due`);
  }
  return text.trim().split(/\s+/).join("\n");
}

/**
 * The first time after one at which a schedule is due, null when there is none any more.
 *
 * @example
 * ```ts ignore
 * nextOccurrence("DTSTART;TZID=Europe/Berlin:20260301T090000 RRULE:FREQ=DAILY", new Date());
 * ```
 */
export function nextOccurrence(text: string, after: Date): Date | null {
  const at = next(parseRule(text), after.getTime());
  return at === null ? null : new Date(at);
}

/** The next `count` times, for people. */
export function nextOccurrences(text: string, after: Date, count: number): Date[] {
  const rule = parseRule(text);
  const found: Date[] = [];
  for (let at = next(rule, after.getTime()); at !== null && found.length < count; at = next(rule, at)) {
    found.push(new Date(at));
  }
  return found;
}

/** What is written of a schedule when it is made, changed, or enabled again; a disabled one is never due. */
export function scheduleRow(
  text: string,
  { enabled = true, now = new Date() }: { enabled?: boolean; now?: Date } = {},
): { rrule: string; enabled: boolean; next_run: string | null } {
  const rrule = checkRrule(text);
  const next_run = enabled ? nextOccurrence(rrule, now)?.toISOString() ?? null : null;
  return { rrule, enabled, next_run };
}

function next(rule: Rule, after: number): number | null {
  const { zone, start, until, frequency } = rule;
  const ofHours = frequency === "HOURLY" || frequency === "MINUTELY";
  if (ofHours && isEven(rule)) {
    const end = until === null ? null : instantOf(until, zone);
    return stepsAfter(rule, instantOf(start, zone), end, after).next().value ?? null;
  }
  // Around a change of the clock, wall times and instants do not come in the same order: a look at all that are near.
  const from = wallOf(after, zone) - LARGEST_SHIFT;
  let first: number | null = null;
  for (const wall of ofHours ? hoursAfter(rule, from) : daysAfter(rule, from)) {
    if (first !== null && wall > wallOf(first, zone) + LARGEST_SHIFT) break;
    const instant = instantOf(wall, zone);
    if (instant > after && (first === null || instant < first)) first = instant;
  }
  return first;
}
