import assert from "node:assert/strict";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { DispatcherError } from "../runtime/errors.ts";
import { encodeJson } from "../runtime/json.ts";
import { test } from "./harness.ts";

function refusal(value: unknown): string {
  try {
    encodeJson(value, "args");
  } catch (error) {
    assert.ok(error instanceof DispatcherError, String(error));
    assert.equal(error.code, "invalid_args");
    return error.message;
  }
  return "passed";
}

/** Arrays in arrays, `levels` deep. */
function nested(levels: number): unknown[] {
  let value: unknown[] = [];
  for (let i = 1; i < levels; i++) value = [value];
  return value;
}

test("encodeJson() carries every JSON value without loss", () => {
  fc.assert(fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
    assert.equal(encodeJson(value, "args"), JSON.stringify(value));
  }));
});

test("encodeJson() carries NUL, unpaired surrogates and whatever else is in a text", () => {
  const texts = [
    "\u0000",
    "a\u0000b",
    "\ud800",
    "x\udfff",
    "\ud83d\ude00",
    "é",
    "\u2028",
    '"\\/',
    "\n\r\t\b\f",
    "",
  ];
  const text = encodeJson(texts, "args");
  assert.deepEqual(JSON.parse(text), texts);
  assert.ok(text.isWellFormed(), "an unpaired surrogate travels as an escape sequence");
  assert.ok(!text.includes("\u0000"), "so does a NUL");
});

test("encodeJson() leaves out a property that is undefined", () => {
  assert.equal(encodeJson([{ a: undefined, b: 1 }], "args"), '[{"b":1}]');
});

test("encodeJson() refuses what JSON would change, by its path", () => {
  const cases: [unknown, string][] = [
    [[1, 10n], "args[1] is a BigInt (10n), which JSON cannot carry: pass a number or a string"],
    [[undefined], "args[0] is undefined, which JSON cannot carry: pass null"],
    [
      [{ at: { when: new Date() } }],
      "args[0].at.when is a Date, which JSON cannot carry: pass date.toISOString()",
    ],
    [[NaN], "args[0] is NaN, which JSON cannot carry: pass null or a string"],
    [[-Infinity], "args[0] is -Infinity, which JSON cannot carry: pass null or a string"],
    [[() => 1], "args[0] is a function, which JSON cannot carry: pass plain data"],
    [[{ s: Symbol() }], "args[0].s is a symbol, which JSON cannot carry: pass plain data"],
    [[new Map()], "args[0] is a Map, which JSON cannot carry: pass plain objects and arrays"],
    [[new Set()], "args[0] is a Set, which JSON cannot carry: pass plain objects and arrays"],
    [[/x/], "args[0] is a RegExp, which JSON cannot carry: pass plain objects and arrays"],
    [[new Uint8Array(2)], "args[0] is a Uint8Array, which JSON cannot carry: pass plain objects and arrays"],
    [[new Error("x")], "args[0] is a Error, which JSON cannot carry: pass plain objects and arrays"],
    [[new (class Thing {})()], "args[0] is a Thing, which JSON cannot carry: pass plain objects and arrays"],
    [
      [new (class {})()],
      "args[0] is a class instance, which JSON cannot carry: pass plain objects and arrays",
    ],
    [undefined, "args is undefined, which JSON cannot carry: pass null"],
  ];
  for (const [value, message] of cases) assert.equal(refusal(value), message);
});

test("encodeJson() refuses the gap in an array", () => {
  const gap = [1, 2, 3];
  delete gap[1];
  assert.match(refusal(gap), /^args\[1\] is undefined/);
});

test("encodeJson() refuses a value that contains itself", () => {
  const loop: Record<string, unknown> = { name: "loop" };
  loop.again = [loop];
  assert.match(refusal([loop]), /^args\[0\]\.again\[0\] is a reference to a value that contains it/);
});

test("encodeJson() takes the same value twice where it is no loop", () => {
  const shared = { a: 1 };
  assert.equal(encodeJson([shared, shared], "args"), '[{"a":1},{"a":1}]');
});

test("encodeJson() takes plain objects without a prototype or of another realm", () => {
  const bare = Object.assign(Object.create(null), { a: 1 });
  assert.equal(encodeJson([bare, runInNewContext("({ b: [2] })")], "args"), '[{"a":1},{"b":[2]}]');
});

test("encodeJson() refuses what is nested too deep for the readers on the way, in a short message", () => {
  assert.equal(encodeJson(nested(1_000), "args").length, 2_000);
  for (const levels of [1_001, 100_000]) {
    const message = refusal(nested(levels));
    assert.match(message, /^args(\[0\])+.*… is nested over 1000 levels deep/);
    assert.ok(message.length < 400, `${message.length} characters`);
  }
});
