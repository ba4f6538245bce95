import assert from "node:assert/strict";
import { Discard, Retry } from "../mod.ts";
import { backoffSeconds } from "../runtime/backoff.ts";
import { readPolicy, shapeOf } from "../runtime/retry_policy.ts";
import { verdictOf } from "../runtime/verdicts.ts";
import { test } from "./harness.ts";

const NODE = { base: 2, factor: 2, max: 3_600, jitter: 0.2 };

test("readPolicy() passes what can be meant, and names what cannot", () => {
  const right = [{}, { maxAttempts: 3 }, { backoff: 0 }, {
    backoff: { base: 1, factor: 3, max: 9, jitter: 0 },
  }];
  for (const policy of right) {
    const { maxAttempts, backoff } = policy as { maxAttempts?: number; backoff?: unknown };
    assert.deepEqual(readPolicy(policy), { maxAttempts, backoff } as object);
  }
  const wrong: [given: object, says: RegExp][] = [
    [{ maxAttempts: 0 }, /^maxAttempts 0: /],
    [{ maxAttempts: "3" }, /^maxAttempts "3": /],
    [{ backoff: -1 }, /^backoff -1: /],
    [{ backoff: Infinity }, /^backoff /],
    [{ backoff: "5" }, /^backoff "5": /],
    [{ backoff: { base: -2 } }, /^backoff\.base -2: /],
    [{ backoff: { jitter: 2 } }, /^backoff\.jitter 2: /],
    [{ backoff: { bas: 2 } }, /bas/],
    [{ backoff: null }, /^backoff/],
  ];
  for (const [given, says] of wrong) {
    const read = readPolicy(given);
    assert.equal(typeof read, "string", JSON.stringify(given));
    assert.match(read as string, says);
  }
});

test("shapeOf() takes from the node what a task leaves out, and keeps a fixed delay fixed but for its jitter", () => {
  assert.deepEqual(shapeOf(undefined, NODE), NODE);
  assert.deepEqual(shapeOf({ base: 5, max: undefined }, NODE), { ...NODE, base: 5 });
  const fixed = shapeOf(9_000, NODE);
  assert.deepEqual([1, 5].map((n) => backoffSeconds(n, { ...fixed, jitter: 0 })), [9_000, 9_000]);
  assert.equal(fixed.jitter, 0.2);
  assert.equal(backoffSeconds(1, shapeOf(0, NODE)), 0);
});

test("verdictOf() knows Retry and Discard of any copy, and nothing else", () => {
  assert.deepEqual(verdictOf(new Retry()), { do: "retry", delay: null, charge: true });
  assert.deepEqual(verdictOf(new Retry("busy", { delay: 3, charge: false })), {
    do: "retry",
    delay: 3,
    charge: false,
  });
  assert.deepEqual(verdictOf(new Discard()), { do: "discard" });
  assert.deepEqual([new Discard("over").message, new Retry("busy").message], ["over", "busy"]);
  for (const thrown of [new Error("no"), "text", null, undefined, {}, 7]) {
    assert.equal(verdictOf(thrown), undefined);
  }
});

test("Retry refuses a time that is none, and keeps its cause", () => {
  assert.throws(() => new Retry({ at: new Date("soon") }), /^TypeError: Cannot retry at Invalid Date$/);
  const cause = new Error("behind it");
  assert.equal(new Retry("busy", { cause }).cause, cause);
});
