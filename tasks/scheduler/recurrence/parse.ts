/**
 * The text of a schedule, checked: `DTSTART;TZID=Europe/Berlin:20260301T090000 RRULE:FREQ=DAILY;INTERVAL=1`. The library
 * takes nearly everything and then answers never, wrongly, or not at all; so what it is given is checked here.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { isZone, wallOf } from "./wall_clock.ts";

export const FREQUENCIES = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"] as const;
export type Frequency = (typeof FREQUENCIES)[number];
const DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];

/** A schedule's rule; times are of the wall (see `wall_clock.ts`). */
export interface Rule {
  zone: string;
  start: number;
  frequency: Frequency;
  interval: number;
  count: number | null;
  /** Inclusive. */
  until: number | null;
  /** The BY… parts by name; numbers in their order. */
  by: Readonly<Record<string, readonly string[]>>;
  /** What the library is given: the RRULE without UNTIL. */
  text: string;
}

/** Ranges of the BY… parts; those with 0 excluded may be negative: from the end. */
const RANGES: Readonly<Record<string, readonly [from: number, to: number]>> = {
  BYMONTH: [1, 12],
  BYMONTHDAY: [-31, 31],
  BYYEARDAY: [-366, 366],
  BYWEEKNO: [-53, 53],
  BYHOUR: [0, 23],
  BYMINUTE: [0, 59],
  BYSECOND: [0, 59],
  BYSETPOS: [-366, 366],
};
/** What a rule of hours or minutes may be narrowed by. */
const BY_OF_HOURS = ["BYMONTH", "BYMONTHDAY", "BYDAY", "BYHOUR", "BYMINUTE"];
const MOST = 1_000_000;
const TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(Z?)$/;

/**
 * Read a schedule's text.
 *
 * @throws {DispatcherError} `usage`, naming the part and the value.
 */
export function parseRule(text: string): Rule {
  const lines = text.trim().split(/\s+/).filter((line) => line !== "");
  const starts = lines.filter((line) => /^DTSTART[;:]/i.test(line));
  const rules = lines.filter((line) => /^RRULE:/i.test(line));
  const other = lines.find((line) => !starts.includes(line) && !rules.includes(line));
  if (other !== undefined) throw fault(text, `"${other}" is neither DTSTART nor RRULE`);
  if (starts.length !== 1) {
    throw fault(text, `it has ${starts.length || "no"} DTSTART, such as DTSTART:20260301T090000Z`);
  }
  if (rules.length !== 1) {
    throw fault(text, `it has ${rules.length || "no"} RRULE, such as RRULE:FREQ=DAILY;INTERVAL=1`);
  }
  const { zone, start } = parseStart(text, starts[0]);
  const parts = partsOf(text, rules[0].slice("RRULE:".length));
  const frequency = parts.get("FREQ") as Frequency;
  if (!FREQUENCIES.includes(frequency)) {
    const why = frequency as string === "SECONDLY" ? "schedules are looked at every 20 s only" : "";
    throw fault(
      text,
      `FREQ is "${frequency ?? ""}"${why && `, but ${why}`}: there are ${FREQUENCIES.join(", ")}`,
    );
  }
  if (parts.has("COUNT") && parts.has("UNTIL")) throw fault(text, "it has both COUNT and UNTIL");
  const until = parts.get("UNTIL");
  parts.delete("UNTIL");
  const by = byParts(text, parts, frequency);
  // The library takes them for sorted, and skips what comes late.
  for (const [name, values] of Object.entries(by)) parts.set(name, values.join(","));
  return {
    zone,
    start,
    frequency,
    interval: whole(text, parts, "INTERVAL") ?? 1,
    count: whole(text, parts, "COUNT") ?? null,
    until: until === undefined ? null : parseUntil(text, until, zone),
    by,
    text: [...parts].map(([name, value]) => `${name}=${value}`).join(";"),
  };
}

function parseStart(text: string, line: string): { zone: string; start: number } {
  const [, params, value] = /^DTSTART((?:;[^:]*)?):(.*)$/i.exec(line) ?? [];
  const zoned = /^;TZID=(.+)$/i.exec(params ?? "");
  if (params && !zoned) throw fault(text, `"${params.slice(1)}" of DTSTART is not TZID=…`);
  const zone = zoned?.[1] ?? "UTC";
  if (!isZone(zone)) throw fault(text, `there is no time zone "${zone}"`);
  const found = TIME.exec(value ?? "");
  const start = found && wallTime(found);
  if (!found || start === null) {
    throw fault(text, `DTSTART is "${value ?? ""}", not a time such as 20260301T090000Z`);
  }
  if (zoned && found[7] === "Z") {
    throw fault(text, `DTSTART "${value}" ends with Z (UTC) and has the time zone ${zone}`);
  }
  if (!zoned && found[7] !== "Z") {
    throw fault(text, `DTSTART "${value}" has no time zone: end it with Z (UTC), or write DTSTART;TZID=…:`);
  }
  const year = Number(found[1]);
  if (year < 1970 || year > 2199) throw fault(text, `DTSTART "${value}" is not between 1970 and 2199`);
  return { zone, start };
}

/** UNTIL is UTC with a Z, else a time of the zone; a date is its midnight. */
function parseUntil(text: string, value: string, zone: string): number {
  const found = TIME.exec(/^\d{8}$/.test(value) ? `${value}T000000` : value);
  const wall = found && wallTime(found);
  if (!found || wall === null) throw fault(text, `UNTIL is "${value}", not a time such as 20261231T235959Z`);
  return found[7] === "Z" ? wallOf(wall, zone) : wall;
}

function wallTime([, ...fields]: RegExpExecArray): number | null {
  const [year, month, day, hour, minute, second] = fields.slice(0, 6).map(Number);
  const wall = Date.UTC(year, month - 1, day, hour, minute, second);
  // 31 April would be 1 May.
  const again = new Date(wall).toISOString().replace(/[-:]|\.000Z/g, "");
  return again === `${fields.slice(0, 3).join("")}T${fields.slice(3, 6).join("")}` ? wall : null;
}

function partsOf(text: string, rule: string): Map<string, string> {
  const parts = new Map<string, string>();
  for (const part of rule.toUpperCase().split(";").filter((part) => part !== "")) {
    const [name, value, more] = part.split("=");
    if (!value || more !== undefined) throw fault(text, `"${part}" of RRULE is not NAME=VALUE`);
    if (!KNOWN.includes(name)) {
      throw fault(text, `"${name}" is no part of an RRULE: there are ${KNOWN.join(", ")}`);
    }
    if (parts.has(name)) throw fault(text, `${name} stands twice in it`);
    parts.set(name, value);
  }
  const weekStart = parts.get("WKST");
  if (weekStart !== undefined && !DAYS.includes(weekStart)) throw fault(text, `WKST is "${weekStart}"`);
  return parts;
}
const KNOWN = ["FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", ...Object.keys(RANGES)];

function whole(text: string, parts: ReadonlyMap<string, string>, name: string): number | undefined {
  const value = parts.get(name);
  if (value === undefined) return undefined;
  if (!/^\d+$/.test(value) || Number(value) < 1 || Number(value) > MOST) {
    throw fault(text, `${name} is "${value}", not a whole number from 1 to ${MOST}`);
  }
  return Number(value);
}

function byParts(text: string, parts: ReadonlyMap<string, string>, frequency: Frequency): Rule["by"] {
  const ofHours = frequency === "HOURLY" || frequency === "MINUTELY";
  const by: Record<string, string[]> = {};
  for (const [name, value] of parts) {
    if (!name.startsWith("BY")) continue;
    if (ofHours && !BY_OF_HOURS.includes(name)) {
      throw fault(text, `${name} does not go with FREQ=${frequency}: there are ${BY_OF_HOURS.join(", ")}`);
    }
    by[name] = value.split(",");
    const wrong = by[name].find((one) =>
      name === "BYDAY" ? !isDay(one, frequency) : !isIn(one, RANGES[name])
    );
    if (wrong !== undefined) throw fault(text, `${name} has "${wrong}"`);
    if (name !== "BYDAY") by[name].sort((a, b) => Number(a) - Number(b));
  }
  return by;
}

/** A day of the week; the n-th of its month or year where the rule is of months or years. */
function isDay(value: string, frequency: Frequency): boolean {
  const [, nth, day] = /^([+-]?\d{1,2})?([A-Z]{2})$/.exec(value) ?? [];
  if (!DAYS.includes(day)) return false;
  return nth === undefined || (Number(nth) !== 0 && (frequency === "MONTHLY" || frequency === "YEARLY"));
}

function isIn(value: string, [from, to]: readonly [number, number]): boolean {
  const number = Number(value);
  return /^[+-]?\d+$/.test(value) && number >= from && number <= to && (from >= 0 || number !== 0);
}

function fault(text: string, why: string): DispatcherError {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return new DispatcherError("usage", `Cannot read the schedule ${JSON.stringify(shown)}: ${why}`);
}
