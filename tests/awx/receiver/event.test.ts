// @runtimes deno
import assert from "node:assert/strict";
import fc from "fast-check";
import { readFileSync } from "node:fs";
import { Figures } from "../../../runtime/receiver/figures.ts";
import { receiverMetrics } from "../../../runtime/receiver/metrics.ts";
import { hostStatusCounts, isUrgent, readLine } from "../../../runtime/receiver/event.ts";
import { test } from "../../harness.ts";
import { eof, jobEvent, POISON } from "./events.ts";

const GOOD = jobEvent({ job: 7, counter: 3, created: new Date("2026-11-28T10:00:00.5Z") });

function reasonOf(text: string): string | undefined {
  const line = readLine(text);
  return line.kind === "poison" ? line.poison.reason : undefined;
}

function eventOf(fields: object) {
  const line = readLine(JSON.stringify({ ...GOOD, ...fields }));
  assert.equal(line.kind, "event", JSON.stringify(line));
  return (line as Extract<typeof line, { kind: "event" }>).event;
}

test("readLine() reads an event, the end of a stream and a wish to flush", () => {
  const event = eventOf({});
  assert.equal(event.jobId, 7);
  assert.equal(event.at, Date.parse("2026-11-28T10:00:00.5Z"));
  assert.deepEqual(JSON.parse(event.data), GOOD.event_data);
  assert.equal(event.hostStatus, undefined);
  const end = readLine(eof(7, 12));
  assert.ok(end.kind === "eof" && end.end.jobId === 7 && end.end.finalCounter === 12);
  assert.deepEqual(readLine('{"event": "FLUSH"}'), { kind: "flush" });
});

test("readLine() says what is wrong, which value it is, and whose event it was", () => {
  const cases: [object, RegExp, number | null][] = [
    [{ job_id: 0 }, /^Its job_id is 0, not the number of a job$/, null],
    [{ job_id: "7" }, /^Its job_id is "7", not the number/, null],
    [{ job_id: 2 ** 53 }, /^Its job_id is 9007199254740992/, null],
    [{ counter: 0 }, /^Its counter is 0: they begin with 1$/, 7],
    [{ counter: -1 }, /^Its counter is -1, not a number from 0 to 2147483647$/, 7],
    [{ counter: 1.5 }, /^Its counter is 1.5, not/, 7],
    [{ start_line: 2 ** 31 }, /^Its start_line is 2147483648, not/, 7],
    [{ event: "" }, /^Its event is "", not a name$/, 7],
    [{ event: ["x"] }, /^Its event is \["x"\], not a name$/, 7],
    [{ stdout: 5 }, /^Its stdout is 5, not a text$/, 7],
    [{ failed: "no" }, /^Its failed is "no", not true or false$/, 7],
    [{ event_data: [1] }, /^Its event_data is \[1\], not an object$/, 7],
    [{ created: "yesterday" }, /^Its created is "yesterday", not a time such as/, 7],
    [
      { created: "2026-13-28T10:00:00Z" },
      /^Its created is "2026-13-28T10:00:00Z": there is no such time$/,
      7,
    ],
    [{ host: "a\0" }, /^There is a NUL in its host$/, 7],
    [{ event: "EOF" }, /^Its final_counter is missing, not a number/, 7],
  ];
  for (const [fields, reason, jobId] of cases) {
    const line = readLine(JSON.stringify({ ...GOOD, ...fields }));
    assert.ok(line.kind === "poison", JSON.stringify(fields));
    assert.match(line.poison.reason, reason);
    assert.equal(line.poison.jobId, jobId);
  }
  for (
    const [text, reason] of [["", /^It is not JSON: /], ["null", /^It is null, not an object$/], [
      "[]",
      /^It is an array/,
    ]]
  ) {
    assert.match(reasonOf(text as string)!, reason as RegExp);
  }
});

test("readLine() finds all poison but that which only the database knows", () => {
  for (const { name, make, reason, tries } of POISON) {
    const found = reasonOf(make(GOOD, 1));
    if (tries > 1) assert.equal(found, undefined, name);
    else assert.match(found!, reason, name);
  }
});

test("readLine() takes halves of characters for what they are elsewhere, and leaves escapes of backslashes alone", () => {
  assert.equal(eventOf({ stdout: "a\ud83db" }).stdout, "a\ufffdb");
  assert.equal(eventOf({ stdout: "\ud83d\ude00" }).stdout, "\ud83d\ude00");
  assert.equal(eventOf({ stdout: "printf '\\u0000'" }).stdout, "printf '\\u0000'");
});

test("readLine() reads times as Python and JavaScript write them", () => {
  for (
    const [created, sent] of [
      ["2026-11-28T10:00:00.123456", "2026-11-28T10:00:00.123456Z"],
      ["2026-11-28 10:00:00+02", "2026-11-28 10:00:00+02"],
      ["2026-11-28T10:00:00.5Z", "2026-11-28T10:00:00.5Z"],
      ["2026-11-28T10:00:00-0330", "2026-11-28T10:00:00-0330"],
    ]
  ) assert.equal(eventOf({ created }).created, sent);
  assert.equal(eventOf({ created: "2026-11-28 10:00:00+02" }).at, Date.parse("2026-11-28T08:00:00Z"));
  assert.equal(eventOf({ created: "2026-11-28T10:00:00" }).at, Date.parse("2026-11-28T10:00:00Z"));
});

test("readLine() never throws, whatever it is given", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.string().map((s) => JSON.stringify({ ...GOOD, stdout: s })),
      ),
      (text) => {
        readLine(text);
      },
    ),
  );
  const deep = `${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`;
  const line = readLine(JSON.stringify({ ...GOOD, event_data: { x: "\u0001" } }).replace('"\\u0001"', deep));
  assert.ok(line.kind === "poison" || line.kind === "event");
});

test("an event that is good comes out as it went in", () => {
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.string(), (data, stdout) => {
    const line = readLine(JSON.stringify({ ...GOOD, event_data: data, stdout }));
    if (JSON.stringify([data, stdout]).includes("\\u0000")) return line.kind === "poison";
    if (line.kind !== "event") return false;
    const { data: text, whole } = line.event;
    const kept = whole ? JSON.parse(text).event_data : JSON.parse(text);
    return line.event.stdout === stdout && JSON.stringify(kept) === JSON.stringify(data);
  }));
});

test("event_data is taken as it stands in the text, and written anew where it does not stand last, or twice", () => {
  const of = (text: string) => {
    const line = readLine(text);
    assert.ok(line.kind === "event", text);
    return line.event;
  };
  const { event_data: _, ...rest } = GOOD;
  const head = JSON.stringify(rest).slice(0, -1);
  assert.equal(of(`${head}, "event_data": {"a": 1.0} } `).data, ' {"a": 1.0} ');
  assert.equal(of(`{"event_data":{"a": 1.0},${head.slice(1)}}`).data, '{"a":1}');
  assert.equal(of(`${head},"event_data":{"event_data":{"a": 1.0}}}`).data, '{"event_data":{"a":1}}');
  assert.equal(of(`${head},"event_data":{"a":1},"event_data":{"a": 2}}`).data, '{"a":2}');
  assert.equal(of(`${head},"event_data":{"a": 1},"5":6}`).data, '{"a":1}');
  assert.equal(of(`${head},"event_data":null}`).data, "{}");
  assert.equal(of(`${head},"event_data":{"a": "\\ud800"}}`).data, '{"a":"\ufffd"}');
  const long = of(`{"event_data":{"a": 12345678901234567890},${head.slice(1)}}`);
  assert.deepEqual([long.whole, long.data], [true, long.text]);
});

test("hostStatusCounts() counts a host as the worst that happened to it", () => {
  const data = {
    ok: { a: 5, b: 1, c: 1 },
    changed: { b: 1 },
    failures: { c: 1 },
    dark: { d: 1 },
    processed: { a: 1 },
  };
  assert.deepEqual(hostStatusCounts(data), { ok: 1, changed: 1, failures: 1, dark: 1 });
  assert.deepEqual(hostStatusCounts({ ok: 5, skipped: null }), {});
});

test("isUrgent() is true of ends and flushes, and of no event that only speaks of them", () => {
  assert.equal(isUrgent(eof(1, 2)), true);
  assert.equal(isUrgent('{"event":"FLUSH"}'), true);
  assert.equal(isUrgent(JSON.stringify({ ...GOOD, stdout: '"EOF"' })), false);
});

test("the guide tells of every metric, and of no other", async () => {
  const info = { receiver: "r", source: "redis", version: "0", runtime: "deno" };
  const { text } = await receiverMetrics({ info, figures: new Figures(), queueSize: null, away: new Set() });
  const served = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
  const guide = readFileSync(
    new URL("../../../docs/control-plane/callback-receiver.md", import.meta.url),
    "utf8",
  );
  const told = [...guide.matchAll(/^\| `(awx_receiver_\w+)` \| (\w+) \|/gm)].map(([, name, type]) =>
    `${name} ${type}`
  );
  assert.deepEqual(told.sort(), served.sort());
});

test("Figures tell the lag of the last minute, and forget what is older", () => {
  const figures = new Figures(0);
  const wrote = (lags: number[], now: number) =>
    figures.wrote({
      saved: lags.length,
      known: 0,
      setAside: 0,
      ended: false,
      times: lags.map((lag) => now - lag),
    }, now);
  assert.equal(figures.lagP95(0), null);
  wrote([...Array(94).fill(100), ...Array(6).fill(9_000)], 1_000);
  assert.ok(figures.lagP95(1_000)! > 7);
  wrote(Array(900).fill(100), 20_000);
  assert.ok(figures.lagP95(31_000)! <= 0.1);
  // A clock of another machine that is ahead.
  wrote([-5_000], 32_000);
  assert.ok(figures.lagP95(92_000) === null || figures.lagP95(92_000)! <= 0.1);
  assert.equal(figures.lagP95(200_000), null);
});
