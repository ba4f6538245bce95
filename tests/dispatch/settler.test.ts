import assert from "node:assert/strict";
import { settlementOf, type SettlerOptions, withoutContent } from "../../runtime/dispatch/settler.ts";
import type { Finished } from "../../runtime/pool/slot.ts";
import { claimed, finished } from "../conformance/make.ts";
import { test } from "../harness.ts";

const OPTIONS: SettlerOptions = {
  node: "node-1",
  backoff: { base: 2, factor: 2, max: 3_600, jitter: 0 },
  maxAttempts: 1,
};
const ERROR = '{"name":"RangeError","message":"no"}';

const settle = (fields: Partial<Finished>, options: Partial<SettlerOptions> = {}) =>
  settlementOf(finished(fields), { ...OPTIONS, ...options });
const failed = (fields: Partial<Finished> = {}, options: Partial<SettlerOptions> = {}) =>
  settle({ outcome: "failed", text: ERROR, ...fields }, options);

test("settlementOf() completes with the result, and with where and when it ran in place of a record", () => {
  const end = finished({ claimed: claimed({ fence: 7, attempt: 3 }), text: '{"sum":2}', progress: '"half"' });
  assert.deepEqual(settlementOf(end, OPTIONS), {
    uuid: end.claimed.uuid,
    fence: 7,
    outcome: "completed",
    record: null,
    ran: { worker: "4711.1", started: 1_800_000_000_000, finished: 1_800_000_001_500 },
    result: '{"sum":2}',
    error: null,
    delay: null,
    solo: false,
    progress: '"half"',
    watch: false,
    keyed: false,
  });
});

test("settlementOf() keeps the record of an attempt that did not complete", () => {
  const { record, ran } = failed({ claimed: claimed({ attempt: 3, maxAttempts: 4 }) });
  assert.equal(ran, null);
  assert.deepEqual(JSON.parse(record!), {
    attempt: 3,
    node: "node-1",
    worker: "4711.1",
    started_at: "2027-01-15T08:00:00.000Z",
    finished_at: "2027-01-15T08:00:01.500Z",
    outcome: "retry",
    error: JSON.parse(ERROR),
  });
});

test("settlementOf() keeps the error of a failure in the record too", () => {
  const { outcome, error, result, record } = failed();
  assert.deepEqual([outcome, error, result], ["discarded", ERROR, null]);
  const kept = JSON.parse(record!);
  assert.deepEqual([kept.outcome, kept.error], ["discarded", JSON.parse(ERROR)]);
});

test("settlementOf() tries again while attempts are left: message before task before node", () => {
  const cases: [
    message: number | null,
    task: number | undefined,
    node: number,
    attempt: number,
    expected: string,
  ][] = [
    [null, undefined, 1, 1, "discarded"],
    [null, undefined, 3, 2, "retry"],
    [null, undefined, 3, 3, "discarded"],
    [null, 5, 1, 4, "retry"],
    [null, 5, 9, 5, "discarded"],
    [2, 5, 9, 1, "retry"],
    [2, 5, 9, 2, "discarded"],
    [2, 5, 9, 3, "discarded"],
  ];
  for (const [maxAttempts, task, node, attempt, expected] of cases) {
    const { outcome } = failed(
      { claimed: claimed({ maxAttempts, attempt }), policy: { maxAttempts: task } },
      {
        maxAttempts: node,
      },
    );
    assert.equal(outcome, expected, JSON.stringify({ maxAttempts, task, node, attempt }));
  }
});

test("settlementOf() waits longer after each attempt", () => {
  const delayOf = (attempt: number) => failed({ claimed: claimed({ maxAttempts: 99, attempt }) }).delay;
  assert.deepEqual([1, 2, 3, 4].map(delayOf), [2, 4, 8, 16]);
});

test("settlementOf() does not retry before the thread may have ended", () => {
  const again = claimed({ maxAttempts: 2 });
  assert.equal(failed({ claimed: again, notBefore: 30 }).delay, 30);
  assert.equal(failed({ claimed: again, notBefore: 1 }).delay, 2);
  assert.equal(failed({ notBefore: 30 }).delay, null, "a final one waits for nothing");
});

test("settlementOf() does not try again what is hopeless", () => {
  assert.equal(failed({ claimed: claimed({ maxAttempts: 9 }), hopeless: true }).outcome, "discarded");
});

test("settlementOf() gives back, uncharged and with the reason, what no key is here for", () => {
  const { outcome, delay, record, error } = failed({ claimed: claimed({ maxAttempts: 1 }), keyless: true });
  assert.deepEqual([outcome, record], ["released", null]);
  assert.ok(delay! >= 1 && error !== null);
});

test("settlementOf() counts attempts anew after somebody forgave the earlier ones", () => {
  const revived = (attempt: number) => failed({ claimed: claimed({ maxAttempts: 2, forgiven: 3, attempt }) });
  assert.deepEqual([revived(4).outcome, revived(4).delay], ["retry", 2]);
  assert.equal(revived(5).outcome, "discarded");
});

test("settlementOf() waits as the task says: its word, its function, its shape, the node's", () => {
  const delayOf = (fields: Partial<Finished>) =>
    failed({ claimed: claimed({ maxAttempts: 99, attempt: 3 }), ...fields }).delay;
  const policy = { backoff: { base: 10, factor: 3 } };
  assert.equal(delayOf({ policy }), 90);
  assert.equal(delayOf({ policy: { backoff: 40 } }), 40);
  assert.equal(delayOf({ policy, delay: 0.5 }), 0.5);
  assert.equal(delayOf({ policy, delay: 1, verdict: { do: "retry", delay: 7, charge: true } }), 7);
  assert.equal(delayOf({ policy, verdict: { do: "retry", delay: null, charge: true } }), 90);
  assert.equal(delayOf({ verdict: { do: "retry", delay: 0, charge: true }, notBefore: 30 }), 30);
});

test("settlementOf() discards at once what the task discards", () => {
  const { outcome, error, delay } = failed({
    claimed: claimed({ maxAttempts: 9 }),
    verdict: { do: "discard" },
  });
  assert.deepEqual([outcome, error, delay], ["discarded", ERROR, null]);
});

test("settlementOf() lets a Retry go on within the maximum that was set, and for a while where none was", () => {
  const verdict = { do: "retry", delay: 1, charge: true } as const;
  assert.equal(failed({ verdict, claimed: claimed({ maxAttempts: 2, attempt: 2 }) }).outcome, "discarded");
  assert.equal(failed({ verdict, policy: { maxAttempts: 1 } }).outcome, "discarded");
  assert.equal(failed({ verdict, claimed: claimed({ attempt: 9 }) }).outcome, "retry");
  assert.equal(failed({ verdict, claimed: claimed({ attempt: 10 }) }).outcome, "discarded");
});

test("settlementOf() gives back without a trace but its reason what is not to be charged, and never at once", () => {
  const verdict = { do: "retry", delay: 30, charge: false } as const;
  const later = failed({ verdict, claimed: claimed({ maxAttempts: 1 }) });
  assert.deepEqual([later.outcome, later.delay, later.error, later.record], ["released", 30, ERROR, null]);
  assert.equal(failed({ verdict: { ...verdict, delay: 0 } }).delay, 1);
});

test("settlementOf() cancels with its error, whatever attempts are left", () => {
  const end = { outcome: "cancelled", text: ERROR, claimed: claimed({ maxAttempts: 9 }) } as const;
  const { outcome, error, result, record } = settle(end);
  assert.deepEqual([outcome, error, result], ["cancelled", ERROR, null]);
  assert.equal(JSON.parse(record!).outcome, "cancelled");
});

test("settlementOf() releases without a trace, or with one where there is something to tell", () => {
  const silent = settle({ outcome: "released", text: null, worker: null, started: null });
  assert.deepEqual([silent.outcome, silent.record, silent.error, silent.delay], [
    "released",
    null,
    null,
    null,
  ]);
  const told = settle({ outcome: "released", text: ERROR, solo: true });
  assert.equal(told.error, null, "a release is not a failure of the envelope");
  assert.deepEqual(JSON.parse(told.record!).error, JSON.parse(ERROR));
  assert.equal(told.solo, true);
});

test("settlementOf() writes of an attempt that never began that it has no beginning", () => {
  const { record } = settle({ outcome: "cancelled", text: ERROR, worker: null, started: null });
  const kept = JSON.parse(record!);
  assert.deepEqual([kept.worker, kept.started_at], [null, null]);
});

test("settlementOf() sees who waits for the outcome", () => {
  assert.equal(settle({ claimed: claimed({ options: '{"watch":true}' }) }).watch, true);
  assert.equal(settle({ claimed: claimed({ options: '{"guid":"x"}' }) }).watch, false);
});

test("withoutContent() discards with the reason and keeps nothing that could be refused", () => {
  const refused = failed({ claimed: claimed({ maxAttempts: 2 }), progress: '"x"' });
  const { error, ...rest } = withoutContent(refused, "invalid input");
  const { error: _, ...before } = refused;
  const nothing = { record: null, ran: null, result: null, progress: null, delay: null };
  assert.deepEqual(rest, { ...before, ...nothing, outcome: "discarded" });
  assert.deepEqual(JSON.parse(error!), {
    name: "SettleError",
    message: "The outcome could not be stored: invalid input",
  });
});
