import assert from "node:assert/strict";
import { z } from "zod";
import {
  checkQueue,
  issueText,
  LONGEST_SECONDS,
  type PublishOptions,
  queueName,
  seal,
} from "../runtime/envelope.ts";
import { DispatcherError } from "../runtime/errors.ts";
import { test } from "./harness.ts";

const UUID = "d520da7d-66c1-4170-8305-ab89aec139f6";

function refusal(fn: () => unknown): { code: string; message: string } {
  try {
    fn();
  } catch (error) {
    assert.ok(error instanceof DispatcherError, String(error));
    return { code: error.code, message: error.message };
  }
  return { code: "passed", message: "passed" };
}

function badOption(options: object): string {
  const { code, message } = refusal(() => seal("a/b", [], options as PublishOptions));
  assert.equal(code, "invalid_envelope", `${JSON.stringify(options)}: ${message}`);
  assert.ok(message.startsWith('Cannot publish "a/b": '), message);
  return message.slice('Cannot publish "a/b": '.length);
}

test("seal() makes a complete envelope of a task and its arguments", () => {
  const { uuid, ...rest } = seal("examples/add", [1, "zwei"], {}, 1_800_000_000_500);
  assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  assert.deepEqual(rest, {
    ownUuid: false,
    unique: false,
    queue: "default",
    task: "examples/add",
    args: '[1,"zwei"]',
    kwargs: "{}",
    options: "{}",
    priority: 0,
    maxAttempts: null,
    timeout: null,
    delay: null,
    at: null,
    timePub: 1_800_000_000.5,
    ttl: null,
  });
});

test("seal() takes every option", () => {
  const at = new Date("2030-01-02T03:04:05.250Z");
  const given = {
    kwargs: { b: 2 },
    queue: "node-1",
    timeout: 2.5,
    delay: 3,
    at,
    priority: -5,
    maxAttempts: 4,
  };
  const sealed = seal("a", [], { ...given, uuid: UUID.toUpperCase(), guid: "g-1", ttl: 60, watch: true });
  assert.equal(sealed.kwargs, '{"b":2}');
  assert.equal(sealed.queue, "node-1");
  assert.equal(sealed.timeout, 2.5);
  assert.equal(sealed.delay, 3);
  assert.equal(sealed.at, at.getTime() / 1000);
  assert.equal(sealed.priority, -5);
  assert.equal(sealed.maxAttempts, 4);
  assert.equal(sealed.uuid, UUID);
  assert.equal(sealed.ownUuid, true);
  assert.equal(sealed.ttl, 60);
  assert.deepEqual(JSON.parse(sealed.options), { guid: "g-1", due: at.getTime(), watch: true });
});

test("seal() keeps resources and preemptible, and refuses what are none", () => {
  const resources = { gpu: 1, memoryMb: 0.5, none: 0 };
  assert.deepEqual(JSON.parse(seal("a", [], { resources, preemptible: false }).options), {
    resources,
    preemptible: false,
  });
  assert.match(badOption({ resources: { gpu: -1 } }), /^resources\.gpu -1: /);
  assert.match(badOption({ resources: { gpu: NaN } }), /^resources\.gpu/);
  assert.match(badOption({ resources: { gpu: "1" } }), /^resources\.gpu "1": /);
  assert.match(badOption({ resources: { "g p u": 1 } }), /^resources\.g p u/);
  assert.match(badOption({ resources: 5 }), /^resources 5: /);
  assert.match(badOption({ preemptible: "yes" }), /^preemptible "yes": /);
});

test("seal() takes a time as an ISO string with an offset", () => {
  assert.equal(seal("a", [], { at: "2030-01-02T03:04:05Z" }).at, Date.UTC(2030, 0, 2, 3, 4, 5) / 1000);
  assert.equal(seal("a", [], { at: "2030-01-02T03:04:05+02:00" }).at, Date.UTC(2030, 0, 2, 1, 4, 5) / 1000);
  assert.match(badOption({ at: "2030-01-02T03:04:05" }), /^at "2030-01-02T03:04:05"/);
});

test("seal() leaves hostile texts as they are", () => {
  const texts = ["\u0000", "\ud800", '"', "\\", "{}", ",", "", "NULL", "é😀"];
  const { args, kwargs } = seal("a", texts, { kwargs: { "\u0000": texts } });
  assert.deepEqual(JSON.parse(args), texts);
  assert.deepEqual(JSON.parse(kwargs), { "\u0000": texts });
});

test("seal() leaves 7,999, 8,000 and 8,001 bytes and a megabyte as they are", () => {
  for (const size of [7_999, 8_000, 8_001, 1_048_576]) {
    assert.equal(seal("a", ["x".repeat(size)]).args, `["${"x".repeat(size)}"]`);
  }
});

test("seal() refuses arguments that are no array", () => {
  for (
    const [args, kind] of [[{}, "object"], ["x", "string"], [1, "number"], [null, "null"], [
      undefined,
      "undefined",
    ]]
  ) {
    const { code, message } = refusal(() => seal("a/b", args));
    assert.equal(code, "invalid_args");
    assert.equal(message, `Cannot publish "a/b": args is ${kind}, not an array`);
  }
});

test("seal() refuses what JSON cannot carry, naming task, path and value", () => {
  const cases: [unknown[], object, RegExp][] = [
    [[1, 10n], {}, /^Cannot publish "a\/b": args\[1\] is a BigInt \(10n\)/],
    [[new Date()], {}, /^Cannot publish "a\/b": args\[0\] is a Date/],
    [[undefined], {}, /^Cannot publish "a\/b": args\[0\] is undefined/],
    [[], { kwargs: { n: 10n } }, /^Cannot publish "a\/b": kwargs\.n is a BigInt/],
  ];
  for (const [args, options, expected] of cases) {
    const { code, message } = refusal(() => seal("a/b", args, options as PublishOptions));
    assert.equal(code, "invalid_args");
    assert.match(message, expected);
  }
});

test("seal() refuses a task without a sane name", () => {
  const bad = ["", "  ", "a\u0000b", "a\nb", "x".repeat(401), undefined, null, 5, {}, ["a"]];
  for (const task of bad) {
    const { code, message } = refusal(() => seal(task, []));
    assert.equal(code, "invalid_task", JSON.stringify(task));
    assert.match(message, /^Cannot publish a task named /);
    assert.ok(message.length < 250, "a long name is cut");
  }
  assert.equal(seal("x".repeat(400), []).task.length, 400);
});

test("seal() refuses an option that is unknown or wrong, naming it and its value", () => {
  const cases: [object, RegExp][] = [
    [{ timout: 5 }, /timout/],
    [{ timeout: 0 }, /^timeout 0: /],
    [{ timeout: "5" }, /^timeout "5": /],
    [{ timeout: Infinity }, /^timeout/],
    [{ delay: -1 }, /^delay -1: /],
    [{ delay: NaN }, /^delay/],
    [{ at: "tomorrow" }, /^at "tomorrow": /],
    [{ at: new Date(NaN) }, /^at/],
    [{ priority: 1.5 }, /^priority 1\.5: /],
    [{ priority: 32_768 }, /^priority 32768: /],
    [{ priority: -32_769 }, /^priority -32769: /],
    [{ maxAttempts: 0 }, /^maxAttempts 0: /],
    [{ maxAttempts: 1_001 }, /^maxAttempts 1001: /],
    [{ uuid: "42" }, /^uuid "42": it is not a UUID$/],
    [{ kwargs: [1] }, /^kwargs: /],
    [{ ttl: 0 }, /^ttl 0: /],
    [{ guid: 5 }, /^guid 5: /],
  ];
  for (const [options, expected] of cases) assert.match(badOption(options), expected);
});

test("seal() refuses times that PostgreSQL cannot hold, which would fail the whole batch", () => {
  assert.match(badOption({ delay: LONGEST_SECONDS + 1 }), /^delay 3155760001: /);
  assert.match(badOption({ ttl: 1e300 }), /^ttl 1e\+300: /);
  for (const at of [new Date(-8.64e15), new Date(8.64e15)]) {
    assert.match(badOption({ at }), /outside of the years/);
  }
  assert.equal(seal("a", [], { delay: LONGEST_SECONDS }).delay, LONGEST_SECONDS);
  assert.equal(seal("a", [], { at: "0001-01-01T00:00:00Z" }).at, -62_135_596_800);
});

test("seal() refuses a queue that is blank, too long or no text", () => {
  const cases: [unknown, string][] = [
    ["", 'Cannot use "" as a queue: the name is blank'],
    [" \t", 'Cannot use " \\t" as a queue: the name is blank'],
    [
      "x".repeat(64),
      `Cannot use "${"x".repeat(64)}" as a queue: the name has 64 bytes, at most 63 are allowed`,
    ],
    [
      "€".repeat(22),
      `Cannot use "${"€".repeat(22)}" as a queue: the name has 66 bytes, at most 63 are allowed`,
    ],
    ["a\u0000", 'Cannot use "a\\u0000" as a queue: the name has a control character'],
    ["a\nb", 'Cannot use "a\\nb" as a queue: the name has a control character'],
    [7, "Cannot use 7 as a queue: it is number, not a string"],
    [null, "Cannot use null as a queue: it is object, not a string"],
  ];
  for (const [queue, expected] of cases) {
    const { code, message } = refusal(() => seal("a", [], { queue } as PublishOptions));
    assert.equal(code, "invalid_queue");
    assert.equal(message, expected);
  }
});

test("checkQueue() takes up to 63 bytes of anything else", () => {
  for (const name of ["a", "x".repeat(63), "€".repeat(21), "with space", "a'b\"c", "node-1.example.org"]) {
    assert.equal(checkQueue(name), name);
    assert.equal(queueName.parse(name), name);
  }
});

test("issueText() names the path and shows a plain value", () => {
  const schema = z.object({ a: z.object({ b: z.number() }) });
  const text = (input: unknown) => issueText(schema.safeParse(input).error!, input);
  assert.equal(text({ a: { b: "x" } }), 'a.b "x": invalid input: expected number, received string');
  assert.equal(text({ a: {} }), "a.b: invalid input: expected number, received undefined");
  assert.equal(text(5), "invalid input: expected object, received number");
});
