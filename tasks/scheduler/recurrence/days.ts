/**
 * Rules of days and longer, by the library. It is given wall times as if they were UTC: its own time zones depend on
 * the machine's.
 *
 * @module
 */
import rrule from "rrule";
import type { Rule } from "./parse.ts";

const DAY = 86_400_000;
/**
 * The calendar repeats after 400 years, to the day of the week. The library searches to the year 9999: so much later, it
 * has hundreds of years before it instead of thousands, and a rule that never fits (30 February) costs 0.3 s instead of 7.
 */
const LATER = 19 * 146_097 * DAY;

/** The wall times of a rule that are after one, in their order. */
export function* daysAfter(rule: Rule, after: number): Generator<number> {
  const options = { ...rrule.RRule.parseString(rule.text), dtstart: new Date(startFor(rule, after) + LATER) };
  const search = new rrule.RRule(options, true);
  for (let from = after;;) {
    const found = search.after(new Date(from + LATER));
    if (!found) return;
    from = found.getTime() - LATER;
    if (rule.until !== null && from > rule.until) return;
    yield from;
  }
}

/** The library walks from the start: the same rule's start that is a little before a time, where nothing is counted. */
function startFor({ start, frequency, interval, count }: Rule, after: number): number {
  const days = frequency === "DAILY" ? interval : frequency === "WEEKLY" ? 7 * interval : null;
  if (days === null || count !== null) return start;
  const passed = Math.floor((after - start) / (days * DAY)) - 1;
  return start + Math.max(0, passed) * days * DAY;
}
