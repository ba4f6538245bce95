/** When a schedule is due: what is refused, what comes next, and what the change of clocks does to it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "../../harness.ts";
import { checkRrule, nextOccurrence, nextOccurrences, scheduleRow } from "../../../tasks/scheduler/rrule.ts";

const BERLIN = "DTSTART;TZID=Europe/Berlin:";

function times(text: string, after: string, count: number): string[] {
  return nextOccurrences(text, new Date(after), count).map((at) => at.toISOString().replace(":00.000Z", "Z"));
}

test("checkRrule() names what it refuses", () => {
  const wrong: [text: string, why: RegExp][] = [
    ["RRULE:FREQ=DAILY", /it has no DTSTART, such as DTSTART:20260301T090000Z/],
    ["DTSTART:20260301T090000Z", /it has no RRULE, such as/],
    ["DTSTART:20260301T090000Z RRULE:FREQ=DAILY RRULE:FREQ=DAILY", /it has 2 RRULE/],
    [
      "DTSTART:20260301T090000Z RRULE:FREQ=DAILY EXDATE:20260302T090000Z",
      /"EXDATE:20260302T090000Z" is neither/,
    ],
    ["DTSTART:20260301T090000 RRULE:FREQ=DAILY", /DTSTART "20260301T090000" has no time zone: end it with Z/],
    ["DTSTART:tomorrow RRULE:FREQ=DAILY", /DTSTART is "tomorrow", not a time such as/],
    ["DTSTART:20260431T090000Z RRULE:FREQ=DAILY", /DTSTART is "20260431T090000Z"/],
    ["DTSTART;VALUE=DATE:20260301 RRULE:FREQ=DAILY", /"VALUE=DATE" of DTSTART is not TZID/],
    ["DTSTART;TZID=Mars/Base:20260301T090000 RRULE:FREQ=DAILY", /there is no time zone "Mars\/Base"/],
    [
      `${BERLIN}20260301T090000Z RRULE:FREQ=DAILY`,
      /ends with Z \(UTC\) and has the time zone Europe\/Berlin/,
    ],
    [
      "DTSTART:20260301T090000Z RRULE:FREQ=SECONDLY;INTERVAL=5",
      /FREQ is "SECONDLY", but schedules are looked at/,
    ],
    ["DTSTART:20260301T090000Z RRULE:FREQ=OFTEN", /FREQ is "OFTEN": there are YEARLY/],
    ["DTSTART:20260301T090000Z RRULE:INTERVAL=2", /FREQ is ""/],
    ["DTSTART:20260301T090000Z RRULE:FREQ=DAILY;INTERVAL=0", /INTERVAL is "0", not a whole number from 1/],
    ["DTSTART:20260301T090000Z RRULE:FREQ=DAILY;COUNT=x", /COUNT is "X", not a whole number/],
    ["DTSTART:20260301T090000Z RRULE:FREQ=DAILY;COUNT=2;UNTIL=20270101T000000Z", /both COUNT and UNTIL/],
    ["DTSTART:20260301T090000Z RRULE:FREQ=DAILY;UNTIL=later", /UNTIL is "LATER"/],
    ["DTSTART:20260301T090000Z RRULE:FREQ=DAILY;BYHOUR=24", /BYHOUR has "24"/],
    ["DTSTART:20260301T090000Z RRULE:FREQ=MONTHLY;BYMONTHDAY=0", /BYMONTHDAY has "0"/],
    ["DTSTART:20260301T090000Z RRULE:FREQ=WEEKLY;BYDAY=MO,XX", /BYDAY has "XX"/],
    ["DTSTART:20260301T090000Z RRULE:FREQ=WEEKLY;BYDAY=2MO", /BYDAY has "2MO"/],
    ["DTSTART:20260301T090000Z RRULE:FREQ=HOURLY;BYSETPOS=1", /BYSETPOS does not go with FREQ=HOURLY/],
    ["DTSTART:20260301T090000Z RRULE:FREQ=DAILY;EVERY=2", /"EVERY" is no part of an RRULE/],
    ["DTSTART:20260301T090000Z RRULE:FREQ=DAILY;FREQ=DAILY", /FREQ stands twice/],
    ["DTSTART:20260301T090000Z RRULE:FREQ", /"FREQ" of RRULE is not NAME=VALUE/],
    ["DTSTART:20260301T090000Z RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", /it is never due/],
    ["DTSTART:20260301T080000Z RRULE:FREQ=HOURLY;INTERVAL=24;BYHOUR=9", /it is never due/],
    ["DTSTART:20260301T080000Z RRULE:FREQ=DAILY;UNTIL=20260101T000000Z", /it is never due/],
  ];
  for (const [text, why] of wrong) {
    assert.throws(() => checkRrule(text), (error: Error & { code: string }) => {
      assert.match(error.message, why);
      assert.match(error.message, /^Cannot (read|use) the schedule "/);
      return error.code === "usage";
    });
  }
  assert.equal(
    checkRrule("  DTSTART:20260301T090000Z   RRULE:FREQ=DAILY "),
    "DTSTART:20260301T090000Z\nRRULE:FREQ=DAILY",
  );
});

test("nextOccurrence() is after the time given, and null when COUNT or UNTIL is over", () => {
  const daily = "DTSTART:20260301T090000Z RRULE:FREQ=DAILY;INTERVAL=2";
  assert.deepEqual(times(daily, "2020-01-01T00:00:00Z", 2), ["2026-03-01T09:00Z", "2026-03-03T09:00Z"]);
  // At the very time it is the one after it.
  assert.deepEqual(times(daily, "2026-03-01T09:00:00Z", 1), ["2026-03-03T09:00Z"]);
  assert.deepEqual(times(daily, "2031-07-01T12:00:00Z", 2), ["2031-07-03T09:00Z", "2031-07-05T09:00Z"]);
  assert.deepEqual(times(`${daily};COUNT=3`, "2026-03-02T00:00:00Z", 9), [
    "2026-03-03T09:00Z",
    "2026-03-05T09:00Z",
  ]);
  const until = `${BERLIN}20260301T090000 RRULE:FREQ=DAILY;UNTIL=`;
  // 09:00 in Berlin is 08:00 UTC; UNTIL with and without Z, and a date.
  assert.equal(times(`${until}20260303T080000Z`, "2026-02-01T00:00:00Z", 9).length, 3);
  assert.equal(times(`${until}20260303T075959Z`, "2026-02-01T00:00:00Z", 9).length, 2);
  assert.equal(times(`${until}20260303T090000`, "2026-02-01T00:00:00Z", 9).length, 3);
  assert.equal(times(`${until}20260303`, "2026-02-01T00:00:00Z", 9).length, 2);
  assert.equal(nextOccurrence(`${until}20260303`, new Date("2027-01-01T00:00:00Z")), null);
});

test("nextOccurrence() knows weeks, months and years", () => {
  const from = "2026-11-28T12:00:00Z";
  const start = "DTSTART:20260105T060000Z RRULE:";
  assert.deepEqual(times(`${start}FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR`, from, 4), [
    "2026-12-07T06:00Z",
    "2026-12-11T06:00Z",
    "2026-12-21T06:00Z",
    "2026-12-25T06:00Z",
  ]);
  assert.deepEqual(times(`${start}FREQ=MONTHLY;BYDAY=-1FR`, from, 2), [
    "2026-12-25T06:00Z",
    "2027-01-29T06:00Z",
  ]);
  assert.deepEqual(times(`${start}FREQ=MONTHLY;BYMONTHDAY=31`, from, 3), [
    "2026-12-31T06:00Z",
    "2027-01-31T06:00Z",
    "2027-03-31T06:00Z",
  ]);
  assert.deepEqual(times("DTSTART:20240229T060000Z RRULE:FREQ=YEARLY", from, 1), ["2028-02-29T06:00Z"]);
  assert.deepEqual(times(`${start}FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1`, from, 2), [
    "2026-11-30T06:00Z",
    "2026-12-31T06:00Z",
  ]);
});

test("nextOccurrences() are those of dateutil, which AWX uses", () => {
  const cases = JSON.parse(readFileSync(new URL("./rrule_cases.json", import.meta.url), "utf8"));
  assert.ok(cases.length > 50);
  for (const { start, rule, after, res } of cases) {
    const found = nextOccurrences(`DTSTART:${start} RRULE:${rule}`, new Date(after), 3);
    assert.deepEqual(found.map((at) => at.toISOString()), res, `${start} ${rule} after ${after}`);
  }
});

test("a rule of days follows the clock on the wall through its changes", () => {
  const nine = `${BERLIN}20260101T090000 RRULE:FREQ=DAILY`;
  assert.deepEqual(times(nine, "2026-03-28T00:00:00Z", 2), ["2026-03-28T08:00Z", "2026-03-29T07:00Z"]);
  assert.deepEqual(times(nine, "2026-10-24T00:00:00Z", 2), ["2026-10-24T07:00Z", "2026-10-25T08:00Z"]);
  // 02:30 does not exist on 29 March: 03:30 then, and the day is not left out.
  const gap = `${BERLIN}20260101T023000 RRULE:FREQ=DAILY`;
  assert.deepEqual(times(gap, "2026-03-28T00:00:00Z", 3), [
    "2026-03-28T01:30Z",
    "2026-03-29T01:30Z",
    "2026-03-30T00:30Z",
  ]);
  // 02:30 comes twice on 25 October: the first one, and no second.
  assert.deepEqual(times(gap, "2026-10-24T12:00:00Z", 2), ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]);
  assert.deepEqual(times(gap, "2026-10-25T00:30:00Z", 1), ["2026-10-26T01:30Z"]);
  // Out of order on the wall, in order in time: 02:30 is after 03:00 there.
  const both = `${BERLIN}20260101T020000 RRULE:FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30`;
  assert.deepEqual(times(both, "2026-03-29T00:00:00Z", 3), [
    "2026-03-29T01:00Z",
    "2026-03-29T01:30Z",
    "2026-03-30T00:00Z",
  ]);
  assert.deepEqual(
    times("DTSTART;TZID=America/New_York:20260101T090000 RRULE:FREQ=DAILY", "2026-03-07T15:00:00Z", 1),
    [
      "2026-03-08T13:00Z",
    ],
  );
});

test("a rule of hours or minutes is even, and with BYHOUR it follows the wall", () => {
  const hours = `${BERLIN}20260101T003000 RRULE:FREQ=HOURLY;INTERVAL=1`;
  assert.deepEqual(times(hours, "2026-10-24T23:00:00Z", 4), [
    "2026-10-24T23:30Z",
    "2026-10-25T00:30Z",
    "2026-10-25T01:30Z",
    "2026-10-25T02:30Z",
  ]);
  assert.deepEqual(
    times("DTSTART:20200101T000000Z RRULE:FREQ=MINUTELY;INTERVAL=7", "2026-11-28T10:00:30Z", 2),
    [
      "2026-11-28T10:01Z",
      "2026-11-28T10:08Z",
    ],
  );
  assert.deepEqual(times(`${hours};COUNT=3`, "2026-01-01T00:00:00Z", 9), [
    "2026-01-01T00:30Z",
    "2026-01-01T01:30Z",
  ]);
  const office = `${BERLIN}20200106T080000 RRULE:FREQ=MINUTELY;INTERVAL=30;BYDAY=MO;BYHOUR=9,10`;
  assert.deepEqual(times(office, "2026-07-03T00:00:00Z", 5), [
    "2026-07-06T07:00Z",
    "2026-07-06T07:30Z",
    "2026-07-06T08:00Z",
    "2026-07-06T08:30Z",
    "2026-07-13T07:00Z",
  ]);
  assert.deepEqual(
    times(`${BERLIN}20260105T080000 RRULE:FREQ=HOURLY;BYHOUR=9;COUNT=2`, "2026-01-05T12:00:00Z", 9),
    [
      "2026-01-06T08:00Z",
    ],
  );
  assert.deepEqual(
    times("DTSTART:20260101T000000Z RRULE:FREQ=HOURLY;BYMONTHDAY=-1;BYHOUR=23", "2028-02-01T00:00:00Z", 1),
    [
      "2028-02-29T23:00Z",
    ],
  );
});

test("nextOccurrence() does not walk through what lies behind", () => {
  const started = performance.now();
  for (
    const rule of [
      "FREQ=MINUTELY",
      "FREQ=MINUTELY;BYHOUR=9",
      "FREQ=HOURLY",
      "FREQ=DAILY",
      "FREQ=WEEKLY;BYDAY=MO",
    ]
  ) {
    for (let i = 0; i < 10; i++) {
      assert.ok(nextOccurrence(`DTSTART:19700101T000000Z RRULE:${rule}`, new Date("2026-11-28T00:00:00Z")));
    }
  }
  // 20 to 80 ms where nobody else computes; a walk takes 13 s for the first of them alone.
  assert.ok(performance.now() - started < 5_000);
});

test("scheduleRow() says when a schedule that is new or enabled again is due first", () => {
  const text = "DTSTART:20260301T090000Z RRULE:FREQ=DAILY";
  const now = new Date("2026-11-28T12:00:00Z");
  assert.equal(scheduleRow(text, { now }).next_run, "2026-11-29T09:00:00.000Z");
  assert.equal(scheduleRow(text, { now, enabled: false }).next_run, null);
  assert.equal(scheduleRow(`${text};COUNT=1`, { now }).next_run, null);
  assert.throws(() => scheduleRow("every day"), /Cannot read the schedule "every day": "every" is neither/);
});
