// @runtimes deno
/** Events on their way: numbers, batches, outages, back-pressure; and what is made of a program's output. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { eventually, test } from "../../harness.ts";
import { type Draft, EventSink, type EventStore, type JobEvent } from "../../../tasks/jobs/run/events.ts";
import { hostStatusCounts } from "../../../tasks/jobs/run/event_stores.ts";
import { Output } from "../../../tasks/jobs/run/output.ts";
import { isOutage } from "../../../tasks/jobs/run/outage.ts";
import { HIDDEN, Redactor } from "../../../tasks/jobs/run/redact.ts";

class Store implements EventStore {
  readonly written: JobEvent[] = [];
  readonly batches: number[] = [];
  away = false;
  hopeless = false;
  ended: number | undefined;

  write(events: readonly JobEvent[]): Promise<void> {
    if (this.hopeless) return Promise.reject(Object.assign(new Error("no such column"), { code: "42703" }));
    if (this.away) return Promise.reject(Object.assign(new Error("gone"), { code: "ECONNREFUSED" }));
    this.batches.push(events.length);
    this.written.push(...events);
    return Promise.resolve();
  }
  end(_jobId: number, events: number): Promise<void> {
    this.ended = events;
    return Promise.resolve();
  }
  isTransient = isOutage;
  close(): Promise<void> {
    return Promise.resolve();
  }
}

const lines = (count: number): Draft[] =>
  Array.from({ length: count }, (_, n) => ({ event: "verbose", stdout: `${n}\n` }));

test("EventSink numbers without gaps and writes in batches", async () => {
  const store = new Store();
  const sink = new EventSink(7, store, { counter: 10, lines: 3 });
  await sink.add(lines(1_200));
  await sink.add([{ event: "verbose", stdout: "no end" }]);
  await sink.close();
  assert.deepEqual(store.written.map(({ counter }) => counter), store.written.map((_, place) => place + 11));
  assert.deepEqual([store.written[0].start_line, store.written.at(-1)!.end_line], [3, 1_203]);
  assert.ok(store.batches.every((size) => size <= 500), `${store.batches}`);
  assert.equal(store.ended, 1_211);
});

test("EventSink keeps events through an outage, and lets its maker wait when too many wait", async () => {
  const store = new Store();
  store.away = true;
  const sink = new EventSink(7, store);
  let added = 0;
  const making = (async () => {
    for (let i = 0; i < 20; i++) {
      await sink.add(lines(1_000));
      added++;
    }
  })();
  await eventually(() => added === 5);
  // It has a turn of the event loop for each of the others, and does not go on.
  for (let i = 0; i < 20; i++) await new Promise((turn) => setTimeout(turn));
  assert.equal(added, 5);
  store.away = false;
  await making;
  await sink.close();
  assert.deepEqual(store.written.map(({ counter }) => counter), store.written.map((_, place) => place + 1));
  assert.equal(store.written.length, 20_000);
});

test("EventSink says what is never written, and gives up an outage where there is no time", async () => {
  const store = new Store();
  store.hopeless = true;
  const sink = new EventSink(7, store);
  await sink.add(lines(1));
  await assert.rejects(sink.close(), /no such column/);
  await assert.rejects(sink.add(lines(1)), /no such column/);
  const other = new Store();
  other.away = true;
  const hurried = new EventSink(7, other);
  await hurried.add(lines(1));
  await assert.rejects(hurried.close({ hurry: AbortSignal.abort() }), /gone/);
});

const MARK = "5cd0dd5e-0000-4000-8000-000000000000";
const frames = (event: object, size: number) => {
  const text = JSON.stringify(event);
  let framed = "";
  for (let at = 0; at < text.length; at += size) {
    framed += `\x1e${MARK}:${at + size < text.length ? "+" : "."}${text.slice(at, at + size)}\x1f`;
  }
  return framed;
};

test("Output gives texts and events in their order, however it is cut", () => {
  const uuid = "0eb2369b-b435-4b01-9599-5e585fccf4ee";
  const event = { uuid, event: "runner_on_ok", created: "2026-01-01T00:00:00Z", stdout: "ok: [a]\n" };
  const event_data = { host: "a", res: { changed: true, password: "hunter22" } };
  const text = `first hunter22\n${frames({ ...event, event_data }, 50)}second\nthird`;
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 30 }), (cuts) => {
    const redactor = new Redactor();
    redactor.add("hunter22");
    const output = new Output(redactor, MARK);
    const drafts: Draft[] = [];
    let at = 0;
    for (const cut of cuts) drafts.push(...output.push(text.slice(at, at += cut)));
    drafts.push(...output.push(text.slice(at)), ...output.end());
    const seen = drafts.map((draft) => draft.event === "verbose" ? draft.stdout : draft.event).join("");
    assert.equal(seen, `first ${HIDDEN}\nrunner_on_oksecond\nthird`);
    const told = drafts.find(({ event }) => event === "runner_on_ok")!;
    assert.deepEqual([told.uuid, told.host, told.changed, told.failed], [uuid, "a", true, false]);
    assert.deepEqual(told.event_data!.res, { changed: true, password: HIDDEN });
  }));
});

test("Output finds secrets in a line without an end, and bounds its events", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 40_000 }),
      fc.integer({ min: 1_000, max: 9_000 }),
      (place, piece) => {
        const redactor = new Redactor();
        redactor.add("open sesame");
        const output = new Output(redactor);
        const text = "x".repeat(place) + "open sesame" + "y".repeat(20_000);
        const drafts: Draft[] = [];
        for (let at = 0; at < text.length; at += piece) {
          drafts.push(
            ...output.push(text.slice(at, at + piece)),
          );
        }
        drafts.push(...output.end());
        assert.equal(drafts.map(({ stdout }) => stdout).join(""), text.replace("open sesame", HIDDEN));
        assert.ok(drafts.every(({ stdout }) => stdout.length <= 16_000));
      },
    ),
    { numRuns: 50 },
  );
});

test("Output flushes a line without its end, but for what may be the beginning of a secret or of an event", () => {
  const redactor = new Redactor();
  redactor.add("open sesame");
  const output = new Output(redactor, MARK);
  const seen = (drafts: Draft[]) => drafts.map(({ stdout }) => stdout).join("");
  assert.equal(seen(output.push("a\nloading open s")), "a\n");
  assert.equal(seen(output.flush()), "loading ");
  assert.equal(seen(output.push("esame... ")), "");
  assert.equal(seen(output.flush()), `${HIDDEN}... `);
  assert.equal(seen(output.push(`b\x1e${MARK.slice(0, 9)}`)), "");
  assert.equal(seen(output.flush()), "b");
  assert.equal(seen(output.end()), `\x1e${MARK.slice(0, 9)}`);
});

test("Output cuts no character in two", () => {
  const output = new Output(new Redactor());
  const text = "x" + "😀".repeat(20_000);
  assert.equal([...output.push(text), ...output.end()].map(({ stdout }) => stdout).join(""), text);
});

test("Redactor hides each line of a key, the longer of two first, and what PostgreSQL does not store", () => {
  const redactor = new Redactor();
  redactor.add("-----BEGIN KEY-----\nabcdefgh\nijkl\n-----END KEY-----\n", "secret", "secrets", "abc");
  assert.equal(
    redactor.text("abcdefgh ijkl secrets abc BEGIN KEY"),
    `${HIDDEN} ${HIDDEN} ${HIDDEN} abc BEGIN KEY`,
  );
  assert.deepEqual(redactor.data({ secret: ["a secret", 1, null, { b: "\0\ud800" }] }), {
    [HIDDEN]: [`a ${HIDDEN}`, 1, null, { b: "\ufffd\ufffd" }],
  });
});

test("hostStatusCounts() counts a host once, as the worst that happened to it", () => {
  assert.deepEqual(
    hostStatusCounts({
      ok: { a: 3, b: 1, c: 1 },
      changed: { a: 1 },
      dark: { b: 1 },
      skipped: { c: 2, d: 1 },
    }),
    { changed: 1, dark: 1, ok: 1, skipped: 1 },
  );
});
