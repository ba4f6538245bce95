/**
 * The clock on the wall of a time zone. A wall time is kept as the milliseconds that it would be in UTC.
 *
 * @module
 */
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const formats = new Map<string, Intl.DateTimeFormat>();

/** Whether there is such a zone; names are IANA's. */
export function isZone(zone: string): boolean {
  try {
    return format(zone) !== undefined;
  } catch {
    return false;
  }
}

/** What the wall shows at an instant. */
export function wallOf(instant: number, zone: string): number {
  if (zone === "UTC") return instant;
  const seconds = Math.floor(instant / 1000) * 1000;
  const parts = Object.fromEntries(
    format(zone).formatToParts(seconds).map(({ type, value }) => [type, Number(value)]),
  );
  const { year, month, day, hour, minute, second } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) + (instant - seconds);
}

/**
 * When the wall shows a time. Of one that it shows twice, the first; one that it leaves out counts as if the clock had
 * not been put forward yet: 02:30 is 03:30 then, as RFC 5545 has it.
 */
export function instantOf(wall: number, zone: string): number {
  if (zone === "UTC") return wall;
  const before = wallOf(wall - DAY, zone) - (wall - DAY);
  const after = wallOf(wall + DAY, zone) - (wall + DAY);
  const shown = [wall - before, wall - after].filter((instant) => wallOf(instant, zone) === wall);
  return shown.length === 0 ? wall - before : Math.min(...shown);
}

/** Clocks are put forward or back by at most this much. */
export const LARGEST_SHIFT = 3 * HOUR;

function format(zone: string): Intl.DateTimeFormat {
  let made = formats.get(zone);
  if (!made) {
    made = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      calendar: "gregory",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formats.set(zone, made);
  }
  return made;
}
