/**
 * Rules of hours and minutes: steps from the start, of which some pass. The library walks all of them from the start
 * (13 s for a minute's rule of 2020), and loops for ever where an interval never meets its BYHOUR.
 *
 * @module
 */
import type { Rule } from "./parse.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Where nothing passes for so long, nothing ever does: 29 February comes back within 8 years. */
const SEARCH = 10 * 366 * DAY;
const WEEK = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

/** Milliseconds between two steps. */
export function stepOf({ frequency, interval }: Rule): number {
  return interval * (frequency === "HOURLY" ? HOUR : MINUTE);
}

/** Whether every step passes. */
export function isEven({ by }: Rule): boolean {
  return Object.keys(by).length === 0;
}

/** The n-th steps of an even rule that are after a time, as instants from an instant. */
export function* stepsAfter(
  rule: Rule,
  start: number,
  until: number | null,
  after: number,
): Generator<number> {
  const step = stepOf(rule);
  for (let n = Math.max(0, Math.floor((after - start) / step) + 1);; n++) {
    const at = start + n * step;
    if ((rule.count !== null && n >= rule.count) || (until !== null && at > until)) return;
    yield at;
  }
}

/** The wall times of a rule that are after one, in their order. */
export function* hoursAfter(rule: Rule, after: number): Generator<number> {
  const step = stepOf(rule);
  const wait = waitOf(rule);
  // What is counted is counted from the start.
  const skipped = rule.count === null ? Math.max(0, Math.floor((after - rule.start) / step) - 1) : 0;
  let left = rule.count ?? Infinity;
  let last = Math.max(after, rule.start);
  for (let at = rule.start + skipped * step; at - last <= SEARCH;) {
    const jump = wait(at);
    for (const time of jump === 0 ? timesOf(rule, at) : []) {
      if (time < rule.start) continue;
      if (left-- <= 0 || (rule.until !== null && time > rule.until)) return;
      if (time > after) yield last = time;
    }
    at += Math.max(1, Math.ceil(jump / step)) * step;
  }
}

/** The times of a step that passes: of an hour all that BYMINUTE has. */
function timesOf({ frequency, by, start }: Rule, at: number): number[] {
  if (frequency !== "HOURLY" || !by.BYMINUTE) return [at];
  return by.BYMINUTE.map((minute) => at - at % HOUR + Number(minute) * MINUTE + start % MINUTE);
}

/** 0 for a step that passes, else the milliseconds until one may: the next day, or hour, or minute. */
function waitOf({ frequency, by }: Rule): (wall: number) => number {
  const numbers = (name: string) => by[name] && new Set(by[name].map(Number));
  const [months, monthDays, hours, minutes] = ["BYMONTH", "BYMONTHDAY", "BYHOUR", "BYMINUTE"].map(numbers);
  const weekDays = by.BYDAY && new Set(by.BYDAY);
  const isDay = (date: Date) =>
    (!months || months.has(date.getUTCMonth() + 1)) &&
    (!weekDays || weekDays.has(WEEK[date.getUTCDay()])) &&
    (!monthDays || monthDays.has(date.getUTCDate()) || monthDays.has(fromEnd(date)));
  return (wall) => {
    const date = new Date(wall);
    if (!isDay(date)) return DAY - wall % DAY;
    if (hours && !hours.has(date.getUTCHours())) return HOUR - wall % HOUR;
    const narrows = frequency === "MINUTELY" && minutes && !minutes.has(date.getUTCMinutes());
    return narrows ? MINUTE - wall % MINUTE : 0;
  };
}

/** -1 for the last day of a month. */
function fromEnd(date: Date): number {
  const days = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  return date.getUTCDate() - days - 1;
}
