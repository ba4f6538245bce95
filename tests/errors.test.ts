import assert from "node:assert/strict";
import { runInNewContext } from "node:vm";
import { DispatcherError, type ErrorCode, errorLine, errorRecord, EXIT } from "../runtime/errors.ts";
import { test } from "./harness.ts";

const EXITS: Record<ErrorCode, number> = {
  invalid_args: 2,
  invalid_envelope: 2,
  invalid_queue: 2,
  invalid_task: 2,
  usage: 2,
  not_found: 3,
  ambiguous: 4,
  refused: 4,
  name_taken: 4,
  stale: 4,
  task_failed: 1,
  timeout: 69,
  unavailable: 69,
  schema_newer: 78,
  config: 78,
};

test("DispatcherError has the exit code of its code", () => {
  for (const [code, exit] of Object.entries(EXITS)) {
    assert.equal(new DispatcherError(code as ErrorCode, "x").exit, exit, code);
  }
  assert.deepEqual(EXIT, {
    ok: 0,
    failed: 1,
    usage: 2,
    notFound: 3,
    refused: 4,
    partial: 5,
    unavailable: 69,
    config: 78,
    forced: 130,
  });
});

test("DispatcherError is an Error with a name, a message and a cause", () => {
  const cause = new TypeError("below");
  const error = new DispatcherError("unavailable", "Cannot reach it", { cause });
  assert.ok(error instanceof Error);
  assert.equal(String(error), "DispatcherError: Cannot reach it");
  assert.equal(error.code, "unavailable");
  assert.equal(error.cause, cause);
});

test("errorRecord() keeps name, message, stack, code and causes", () => {
  const root = Object.assign(new RangeError("root"), { code: "E_ROOT" });
  const thrown = new TypeError("top", { cause: new Error("middle", { cause: root }) });
  const record = errorRecord(thrown);
  assert.equal(record.name, "TypeError");
  assert.equal(record.message, "top");
  assert.match(record.stack!, /errors\.test/);
  assert.equal(record.cause?.message, "middle");
  assert.equal(record.cause?.cause?.name, "RangeError");
  assert.equal(record.cause?.cause?.code, "E_ROOT");
  assert.equal(record.code, undefined);
});

test("errorRecord() writes a number in code as text", () => {
  assert.equal(errorRecord(Object.assign(new Error("x"), { code: 42 })).code, "42");
  assert.equal(errorRecord(Object.assign(new Error("x"), { code: {} })).code, undefined);
});

test("errorRecord() ends a chain of causes that leads back to itself", () => {
  const thrown = new Error("round");
  thrown.cause = thrown;
  let depth = 0;
  for (let at = errorRecord(thrown).cause; at; at = at.cause) depth++;
  assert.equal(depth, 5);
});

test("errorRecord() takes an error of another realm and what looks like one", () => {
  const foreign = runInNewContext("new TypeError('from elsewhere')");
  assert.equal(errorRecord(foreign).name, "TypeError");
  assert.equal(errorRecord(foreign).message, "from elsewhere");
  assert.deepEqual(errorRecord({ name: "PostgresError", message: "no" }), {
    name: "PostgresError",
    message: "no",
  });
});

test("errorRecord() describes what is no error", () => {
  const cases: [unknown, string][] = [
    ["a text", 'Thrown value is not an Error: "a text"'],
    [42, "Thrown value is not an Error: 42"],
    [10n, "Thrown value is not an Error: 10"],
    [null, "Thrown value is not an Error: null"],
    [undefined, "Thrown value is not an Error: undefined"],
    [Symbol("s"), "Thrown value is not an Error: Symbol(s)"],
    [{ a: 1 }, "Thrown value is not an Error: [object Object]"],
    [[1], "Thrown value is not an Error: [object Array]"],
  ];
  for (const [thrown, message] of cases) assert.deepEqual(errorRecord(thrown), { name: "Error", message });
});

test("errorRecord() never throws, whatever was thrown", () => {
  const refuse = () => {
    throw new Error("not even looking");
  };
  const hostile = [
    new Proxy({}, { get: refuse, has: refuse, getPrototypeOf: refuse }),
    Object.defineProperty(new Error("x"), "message", { get: refuse }),
    Object.defineProperty(new Error("x"), "stack", { get: refuse }),
    Object.defineProperty({}, Symbol.toStringTag, { get: refuse }),
    { name: { toString: refuse }, message: "x" },
    Object.assign(new Error("x"), { name: Symbol("name") }),
  ];
  for (const thrown of hostile) {
    const record = errorRecord(thrown);
    assert.equal(typeof record.name, "string");
    assert.equal(typeof record.message, "string");
    assert.deepEqual(JSON.parse(JSON.stringify(record)), record);
  }
});

test("errorRecord() cuts what is too long and says how much", () => {
  const thrown = new Error("m".repeat(50_000));
  thrown.stack = "s".repeat(50_000);
  const { message, stack } = errorRecord(thrown);
  assert.equal(message, "m".repeat(10_000) + "… (40000 more characters)");
  assert.equal(stack, "s".repeat(8_000) + "… (42000 more characters)");
});

test("errorLine() names the error where its name says something", () => {
  assert.equal(errorLine(new Error("plain")), "plain");
  assert.equal(errorLine(new DispatcherError("usage", "ours")), "ours");
  assert.equal(errorLine(new TypeError("typed")), "TypeError: typed");
  assert.equal(errorLine("text"), 'Thrown value is not an Error: "text"');
});
