import assert from "node:assert/strict";
import { OutputWriter } from "../../runtime/dispatch/output.ts";
import { Events } from "../../runtime/events.ts";
import { OutputBound } from "../../runtime/pool/output_bound.ts";
import { redactLine } from "../../runtime/redact.ts";
import type { NewLine } from "../../runtime/store/log.ts";
import { claimed } from "../conformance/make.ts";
import { FakeClock } from "../fake_clock.ts";
import { eventually, test } from "../harness.ts";

function site() {
  const kept: NewLine[] = [];
  const state = { away: false };
  const store = {
    writeLog(_node: string, lines: NewLine[]) {
      if (state.away) return Promise.reject(new Error("away"));
      kept.push(...lines);
      return Promise.resolve();
    },
    readLog: () => Promise.resolve([]),
  };
  const events = new Events();
  const told: string[] = [];
  events.on(({ text }) => void told.push(text));
  const writer = new OutputWriter({ node: "n1", store, clock: new FakeClock(), events });
  return { kept, state, told, writer };
}

test("OutputWriter numbers the lines of each attempt, and writes those of one that ends at once", async () => {
  const { kept, writer } = site();
  const [one, other] = [claimed({}), claimed({})];
  assert.equal(writer.put(one, "info", "first\nsecond"), "first\nsecond");
  writer.put(other, "error", "token=hunter2");
  writer.put(one, "info", "third");
  writer.ended(one);
  await eventually(() => kept.length === 4);
  assert.deepEqual(kept.filter(({ uuid }) => uuid === one.uuid).map(({ seq, text }) => `${seq} ${text}`), [
    "1 first",
    "2 second",
    "3 third",
  ]);
  assert.equal(kept.find(({ uuid }) => uuid === other.uuid)?.text, "token=[redacted]");
});

test("OutputWriter keeps lines while the database is away, up to a bound, and says how many it dropped", async () => {
  const { kept, state, told, writer } = site();
  const one = claimed({});
  state.away = true;
  for (let i = 0; i < 20_003; i++) writer.put(one, "info", `${i}`);
  await writer.flush();
  assert.equal(kept.length, 0);
  state.away = false;
  await writer.close();
  assert.deepEqual([kept.length, kept.at(-1)?.text], [20_000, "19999"]);
  assert.match(told[0], /^3 lines of output were dropped/);
});

test("OutputBound lets so many lines and characters through, and counts the rest until the next attempt", () => {
  const bound = new OutputBound(3, 20);
  assert.equal(bound.take("a\nb"), "a\nb");
  assert.equal(bound.take("c\nd\ne"), "c");
  assert.equal(bound.take("f"), null);
  assert.equal(bound.end(), 3);
  assert.equal(bound.take("x".repeat(21)), null);
  assert.equal(bound.end(), 1);
  assert.match(new OutputBound(9, 1e6).take("y".repeat(20_000))!, /^y{10000}… \(20000 characters\)$/);
});

test("redactLine() hides what follows the name of a secret, and leaves other words alone", () => {
  const hidden = [
    "password=hunter2",
    "Password: hunter2",
    '{"api_key": "hunter2 and more"}',
    "Authorization: Bearer hunter2",
    "accessToken='hunter2'",
    "postgres://me:hunter2@host/db",
    "become_pass=hunter2",
  ];
  for (const text of hidden) assert.ok(!redactLine(text).includes("hunter2"), redactLine(text));
  for (const text of ["12 tests passed: 5 s", "tokens: 300", "bypass: no", "a secret place"]) {
    assert.equal(redactLine(text), text);
  }
});
