// @runtimes deno
/** Whatever the rule, the time zone and the moment: the next time is after it, and there is none in between. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "../../harness.ts";
import { nextOccurrence } from "../../../tasks/scheduler/rrule.ts";

const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "Australia/Lord_Howe",
  "Asia/Kolkata",
  "America/St_Johns",
];
const HOUR = 3_600_000;
const numbers = (from: number, to: number) =>
  fc.uniqueArray(fc.integer({ min: from, max: to }), { minLength: 1, maxLength: 4 });

const rules = fc.record({
  zone: fc.constantFrom(...ZONES),
  frequency: fc.constantFrom("MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"),
  interval: fc.integer({ min: 1, max: 5 }),
  hour: fc.integer({ min: 0, max: 3 }),
  minute: fc.constantFrom(0, 15, 30, 59),
  hours: fc.option(numbers(0, 4)),
  minutes: fc.option(numbers(0, 59)),
});
/** Days around the changes of clocks in these zones. */
const moments = fc.tuple(
  fc.constantFrom("2026-03-08", "2026-03-29", "2026-04-05", "2026-10-04", "2026-10-25", "2026-11-01"),
  fc.integer({ min: -36 * 60, max: 36 * 60 }),
).map(([day, minutes]) => new Date(Date.parse(`${day}T00:00:00Z`) + minutes * 60_000));

/** The minute of the day that the wall shows. */
function wall(at: number, timeZone: string): number {
  const shown = new Date(at).toLocaleTimeString("en-GB", { timeZone, hourCycle: "h23" });
  const [hour, minute] = shown.split(":").map(Number);
  return 60 * hour + minute;
}

test("nextOccurrence() is after the moment, on the wall where the rule says, and the first of all", () => {
  fc.assert(
    fc.property(rules, moments, fc.float({ min: 0, max: 1, noNaN: true }), (rule, after, part) => {
      const { zone, frequency, interval, hour, minute, hours, minutes } = rule;
      const by = (hours ? `;BYHOUR=${hours}` : "") + (minutes ? `;BYMINUTE=${minutes}` : "");
      const start = `20260105T0${hour}${String(minute).padStart(2, "0")}00`;
      const line = zone === "UTC" ? `DTSTART:${start}Z` : `DTSTART;TZID=${zone}:${start}`;
      const text = `${line} RRULE:FREQ=${frequency};INTERVAL=${interval}${by}`;
      const next = nextOccurrence(text, after);
      if (next === null) return;
      assert.ok(next > after);
      // From any moment before it, however far, it is the same.
      const between = new Date(after.getTime() + Math.floor(part * (next.getTime() - after.getTime() - 1)));
      assert.equal(nextOccurrence(text, between)?.toISOString(), next.toISOString(), text);
      assert.ok(nextOccurrence(text, next)! > next || nextOccurrence(text, next) === null);
      if (!hours) return;
      // On the wall, unless its clock was put forward just before.
      const at = next.getTime();
      const forward = (wall(at, zone) - wall(at - 2 * HOUR, zone) + 1440) % 1440 > 120;
      assert.ok(
        forward || hours.includes(Math.floor(wall(at, zone) / 60)),
        `${text} gives ${next.toISOString()}`,
      );
    }),
    { numRuns: 300 },
  );
});
