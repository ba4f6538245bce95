import assert from "node:assert/strict";
import { test } from "../harness.ts";
import { rig } from "./rig.ts";

test("Pool passes on what a task decided for itself, and an ordinary error without a verdict", async (t) => {
  const { run } = await rig(t);
  const again = await run("verdicts#retry", [2, { delay: 30 }]);
  assert.deepEqual(again.verdict, { do: "retry", delay: 30, charge: true });
  assert.deepEqual([again.outcome, again.error.name, again.error.message], ["failed", "Retry", "not yet"]);
  const free = await run("verdicts#retry", [2, { delay: 0.5, charge: false }]);
  assert.deepEqual(free.verdict, { do: "retry", delay: 0.5, charge: false });
  const usual = await run("verdicts#never", [{}]);
  assert.deepEqual(usual.verdict, { do: "retry", delay: null, charge: true });
  const over = await run("verdicts#discard", ["closed"]);
  assert.deepEqual([over.verdict, over.error.message], [{ do: "discard" }, "closed"]);
  assert.equal(over.error.cause?.name, "RangeError");
  assert.deepEqual((await run("verdicts#foreign")).verdict, { do: "discard" }, "known by its brand");
  assert.equal((await run("verdicts#fixed")).verdict, undefined);
});

test("Pool gives the time of a Retry as seconds from now, never below none", async (t) => {
  const { run } = await rig(t);
  const later = await run("verdicts#at", [new Date(Date.now() + 3_600_000).toISOString()]);
  const { delay } = later.verdict as { delay: number };
  assert.ok(delay > 3_500 && delay <= 3_600, `${delay} s`);
  const past = await run("verdicts#at", ["2001-01-01T00:00:00Z"]);
  assert.deepEqual(past.verdict, { do: "retry", delay: 0, charge: true });
});

test("Pool takes a Retry that would go round without a pause for the mistake that it is", async (t) => {
  const { run } = await rig(t);
  const wrong: [options: object, message: RegExp][] = [
    [{ charge: false }, /^Cannot retry without charge after a delay of 0: give more than 0$/],
    [{ charge: false, delay: 0 }, /^Cannot retry without charge/],
    [{ delay: -1 }, /^Cannot retry after a delay of -1: /],
    [{ delay: "5" }, /^Cannot retry after a delay of 5: /],
  ];
  for (const [options, message] of wrong) {
    const { error, verdict } = await run("verdicts#never", [options]);
    assert.deepEqual([error.name, verdict], ["TypeError", undefined]);
    assert.match(error.message, message);
  }
});

test("Pool learns what a task says of its attempts, its function's answer included", async (t) => {
  const { run, said } = await rig(t);
  assert.deepEqual((await run("verdicts#fixed")).policy, { maxAttempts: 3, backoff: 7 });
  const shaped = await run("verdicts#shaped");
  assert.deepEqual(shaped.policy, { maxAttempts: 3, backoff: { base: 5, jitter: 0 } });
  const computed = await run("verdicts#computed", [], { attempt: 2 });
  assert.deepEqual([computed.policy, computed.delay], [{ maxAttempts: 3, backoff: undefined }, 22]);
  const odd = await run("verdicts#miscomputed");
  assert.deepEqual([odd.outcome, odd.delay, odd.error.message], ["failed", undefined, "no"]);
  assert.match(said[0].text, /^Function backoff failed: TypeError: it gave NaN, not seconds from 0$/);
});

test("Pool says of a retry policy what is wrong with it, and lets the task be tried once", async (t) => {
  const { run, notices } = await rig(t);
  assert.deepEqual((await run("verdicts#misshaped")).policy, { maxAttempts: 1 });
  assert.deepEqual(notices.map(({ level }) => level), ["error"]);
  assert.match(notices[0].text, /^Task "verdicts#misshaped" is tried once, .*: backoff\.base "5": /);
});

test("Pool knows the policy also of an attempt that had to be killed", async (t) => {
  const { run } = await rig(t);
  const { outcome, error, policy } = await run("verdicts#hangs");
  assert.deepEqual([outcome, error.name, policy], ["failed", "TimeoutError", { maxAttempts: 3, backoff: 7 }]);
});
