import assert from "node:assert/strict";
import type { Outcome } from "../../../runtime/state.ts";
import type {
  AttemptRecord,
  Claimed,
  NodeRegistration,
  Settlement,
  Store,
} from "../../../runtime/store/store.ts";
import { uuid7 } from "../../../runtime/uuid.ts";
import { registration, settlement } from "../make.ts";
import {
  beat,
  claim,
  finish,
  HOSTILE,
  join,
  publishMany,
  row,
  running,
  settle,
  type StoreTest,
} from "./moves.ts";

const ERROR = JSON.stringify({ name: "RangeError", message: "no" });

function record(claimed: Claimed, outcome: Outcome): AttemptRecord {
  const at = "2026-11-24T06:00:00.000Z";
  return { attempt: claimed.attempt, node: "n", worker: "1.1", started_at: at, finished_at: at, outcome };
}

/** Claim the one envelope that waits. */
async function claimOne(store: Store, node: NodeRegistration): Promise<Claimed> {
  const claimed = await claim(store, node);
  assert.equal(claimed.length, 1);
  return claimed[0];
}

export function settling(test: StoreTest): void {
  test("warmUp() neither claims nor settles", async (store) => {
    const node = await join(store, "n1");
    const [waits] = await publishMany(store, 1);
    await store.warmUp(3);
    const [before] = await claim(store, node);
    assert.deepEqual([before.uuid, before.attempt], [waits, 1]);
    await store.warmUp(1);
    assert.equal((await row(store, waits)).state, "running");
  });

  test("exchange() moves a completed attempt to the archive, with all that is known of it", async (store) => {
    const node = await join(store, "n");
    const options = { kwargs: { b: 2 }, timeout: 5, maxAttempts: 3, priority: 1, guid: "g" };
    const claimed = await running(store, node, options);
    const before = await row(store, claimed.uuid);
    const kept = record(claimed, "completed");
    const progress = '{"half":true}';
    await finish(store, node, claimed, { result: '{"sum":[2]}', record: JSON.stringify(kept), progress });
    const { finished_at, ...after } = await row(store, claimed.uuid);
    assert.match(finished_at!, /^\d{4}-.*Z$/);
    const changed = { state: "completed", result: { sum: [2] }, progress: { half: true }, attempts: [kept] };
    const { finished_at: _, ...unchanged } = before;
    assert.deepEqual(after, { ...unchanged, ...changed });
    assert.deepEqual([after.attempt, after.node], [1, "n"]);
  });

  test("exchange() shows where and when an attempt completed as its record, behind those before it", async (store) => {
    const node = await join(store, "n");
    const first = await running(store, node);
    const failed = record(first, "retry");
    await finish(store, node, first, { outcome: "retry", delay: 0, record: JSON.stringify(failed) });
    await store.stage(10);
    const second = await claimOne(store, node);
    const [started, finished] = ["2026-11-24T06:00:00.001Z", "2026-11-24T06:00:01.999Z"].map(Date.parse);
    await finish(store, node, second, { ran: { worker: "71.2", started, finished } });
    const place = { attempt: 2, node: "n", worker: "71.2", outcome: "completed" as const };
    const times = { started_at: "2026-11-24T06:00:00.001Z", finished_at: "2026-11-24T06:00:01.999Z" };
    assert.deepEqual((await row(store, first.uuid)).attempts, [failed, { ...place, ...times }]);
  });

  test("exchange() shows an attempt that completed without a worker or a start", async (store) => {
    const node = await join(store, "n");
    const claimed = await running(store, node);
    await finish(store, node, claimed, { ran: { worker: null, started: null, finished: 1_800_000_000_000 } });
    const [{ worker, started_at, finished_at }] = (await row(store, claimed.uuid)).attempts;
    assert.deepEqual([worker, started_at, finished_at], [null, null, "2027-01-15T08:00:00.000Z"]);
  });

  const outcomes: [outcome: Outcome, state: string, attempt: number, error: boolean][] = [
    ["completed", "completed", 1, false],
    ["cancelled", "cancelled", 1, true],
    ["discarded", "discarded", 1, true],
    ["retry", "retryable", 1, true],
    ["released", "available", 0, false],
  ];
  for (const [outcome, state, attempt, failed] of outcomes) {
    test(`exchange() settles ${outcome} as ${state}`, async (store) => {
      const node = await join(store, "n");
      const claimed = await running(store, node);
      const error = failed ? ERROR : null;
      await finish(store, node, claimed, { outcome, error, delay: outcome === "retry" ? 3_600 : null });
      const after = await row(store, claimed.uuid);
      assert.deepEqual([after.state, after.attempt], [state, attempt]);
      assert.deepEqual(after.error, failed ? JSON.parse(ERROR) : null);
      assert.equal(after.due_at !== null, outcome === "retry");
      assert.equal(after.finished_at !== null, ["completed", "cancelled", "discarded"].includes(outcome));
      if (outcome === "retry" || outcome === "released") {
        assert.deepEqual([after.node, after.claimed_at], [null, null]);
      }
    });
  }

  test("exchange() makes a retry due after its delay", async (store) => {
    const node = await join(store, "n");
    const claimed = await running(store, node);
    const before = Date.parse((await row(store, claimed.uuid)).claimed_at!);
    await finish(store, node, claimed, { outcome: "retry", delay: 3_600 });
    const due = Date.parse((await row(store, claimed.uuid)).due_at!);
    assert.ok(due >= before + 3_600_000 && due < before + 3_660_000, `${due - before} ms`);
  });

  test("exchange() keeps hostile results, errors and progress as they are", async (store) => {
    const node = await join(store, "n");
    for (const outcome of ["completed", "discarded"] as const) {
      const claimed = await running(store, node);
      const text = JSON.stringify([...HOSTILE]);
      const error = JSON.stringify({ name: "Error", message: HOSTILE.join("|"), stack: HOSTILE.join("\n") });
      const attempt = JSON.stringify({ ...record(claimed, outcome), error: JSON.parse(error) });
      await finish(store, node, claimed, { outcome, result: text, error, progress: text, record: attempt });
      const after = await row(store, claimed.uuid);
      assert.deepEqual([after.result, after.progress], [[...HOSTILE], [...HOSTILE]]);
      assert.deepEqual(after.error, JSON.parse(error));
      assert.deepEqual(after.attempts, [JSON.parse(attempt)]);
    }
  });

  test("exchange() settles 500 at once, and a result of a megabyte", async (store) => {
    const node = await join(store, "n");
    await publishMany(store, 500);
    const claimed = await claim(store, node, { limit: 500 });
    const result = JSON.stringify("x".repeat(1_048_576));
    const settlements = claimed.map((one, i) => settlement(one, { result: i === 7 ? result : "1" }));
    assert.equal((await settle(store, node, ...settlements)).length, 500);
    assert.equal((await row(store, claimed[7].uuid)).result, "x".repeat(1_048_576));
  });

  history(test);
  fencing(test);
  cancelling(test);
}

function history(test: StoreTest): void {
  test("exchange() keeps the history of attempts, oldest first", async (store) => {
    const node = await join(store, "n");
    const kept: AttemptRecord[] = [];
    let claimed = await running(store, node, { maxAttempts: 3 });
    for (const outcome of ["released", "retry", "completed"] as const) {
      kept.push(record(claimed, outcome));
      const error = outcome === "retry" ? ERROR : null;
      await finish(store, node, claimed, { outcome, delay: 0, error, record: JSON.stringify(kept.at(-1)) });
      if (outcome === "retry") assert.deepEqual((await store.stage(10)).queues, ["default"]);
      if (outcome !== "completed") claimed = await claimOne(store, node);
    }
    const { attempts, attempt, error } = await row(store, claimed.uuid);
    assert.deepEqual(attempts, kept);
    assert.deepEqual(
      [attempt, error],
      [2, null],
      "a release is not counted, and what completed has no error",
    );
    assert.equal(claimed.fence, 3, "every claim is");
  });

  test("exchange() keeps no trace of a settlement without a record", async (store) => {
    const node = await join(store, "n");
    const claimed = await running(store, node);
    await finish(store, node, claimed, { outcome: "released" });
    assert.deepEqual((await row(store, claimed.uuid)).attempts, []);
    await finish(store, node, await claimOne(store, node));
    assert.deepEqual((await row(store, claimed.uuid)).attempts, []);
  });

  test("exchange() keeps the last error of what ends without one, unless it completed", async (store) => {
    const node = await join(store, "n");
    const claimed = await running(store, node, { maxAttempts: 2 });
    await finish(store, node, claimed, { outcome: "retry", delay: 0, error: ERROR });
    await store.stage(10);
    await finish(store, node, await claimOne(store, node), { outcome: "cancelled" });
    assert.deepEqual((await row(store, claimed.uuid)).error, JSON.parse(ERROR));
  });

  test("exchange() lets an envelope run alone from then on when told so", async (store) => {
    const node = await join(store, "n");
    const claimed = await running(store, node);
    await finish(store, node, claimed, { outcome: "released", solo: true });
    const suspect = await claimOne(store, node);
    assert.equal(suspect.solo, true);
    await finish(store, node, suspect, { outcome: "released", solo: false });
    assert.equal((await claimOne(store, node)).solo, true, "a suspicion stays");
  });

  test("exchange() begins an attempt without the progress of the one before", async (store) => {
    const node = await join(store, "n");
    const claimed = await running(store, node);
    await finish(store, node, claimed, { outcome: "released", progress: '"half"' });
    assert.equal((await row(store, claimed.uuid)).progress, "half");
    await claimOne(store, node);
    assert.equal((await row(store, claimed.uuid)).progress, null);
  });
}

function fencing(test: StoreTest): void {
  test("exchange() settles nothing for a wrong fence, instance or uuid", async (store) => {
    const [node, other] = [await join(store, "n"), registration("n")];
    const claimed = await running(store, node);
    const before = await row(store, claimed.uuid);
    for (const outcome of ["completed", "cancelled", "discarded", "retry", "released"] as const) {
      const stale: Partial<Settlement> = { outcome, delay: 1, result: "1", error: ERROR };
      assert.deepEqual(
        await settle(store, node, settlement({ ...claimed, fence: claimed.fence + 1 }, stale)),
        [],
      );
      assert.deepEqual(
        await settle(store, node, settlement({ ...claimed, fence: claimed.fence - 1 }, stale)),
        [],
      );
      assert.deepEqual(await settle(store, other, settlement(claimed, stale)), []);
      assert.deepEqual(await settle(store, node, settlement({ ...claimed, uuid: uuid7() }, stale)), []);
    }
    assert.deepEqual(await row(store, claimed.uuid), before);
  });

  test("exchange() settles an attempt once", async (store) => {
    const node = await join(store, "n");
    const claimed = await running(store, node);
    const both = [settlement(claimed, { result: "1" }), settlement(claimed, { result: "1" })];
    assert.deepEqual(await settle(store, node, ...both), [claimed.uuid]);
    assert.deepEqual(await settle(store, node, settlement(claimed, { outcome: "retry", delay: 1 })), []);
    assert.equal((await row(store, claimed.uuid)).result, 1);
  });

  test("exchange() of two who settle one attempt at once counts one of them", async (store) => {
    const node = await join(store, "n");
    await publishMany(store, 10);
    for (const claimed of await claim(store, node)) {
      const both = await Promise.all([
        settle(store, node, settlement(claimed)),
        settle(store, node, settlement(claimed, { outcome: "released" })),
      ]);
      assert.equal(both.flat().length, 1);
    }
  });

  test("exchange() refuses the token of an attempt that was given back, also to the same instance", async (store) => {
    const node = await join(store, "n");
    const late = await running(store, node);
    await finish(store, node, late, { outcome: "released" });
    const current = await claimOne(store, node);
    assert.deepEqual([current.fence, current.attempt], [late.fence + 1, late.attempt]);
    assert.deepEqual(await settle(store, node, settlement(late, { result: '"late"' })), []);
    await finish(store, node, current, { result: '"current"' });
    assert.equal((await row(store, late.uuid)).result, "current");
  });

  test("exchange() settles what is right in a batch with what is stale", async (store) => {
    const node = await join(store, "n");
    await publishMany(store, 3);
    const [one, two, three] = await claim(store, node);
    const stale = settlement({ ...two, fence: 9 });
    const settled = await settle(
      store,
      node,
      settlement(one),
      stale,
      settlement(three, { outcome: "released" }),
    );
    assert.deepEqual(settled.sort(), [one.uuid, three.uuid].sort());
    assert.equal((await row(store, two.uuid)).state, "running");
  });
}

function cancelling(test: StoreTest): void {
  for (const outcome of ["retry", "released"] as const) {
    test(`exchange() cancels for good what was to be cancelled and ends as ${outcome}`, async (store) => {
      const node = await join(store, "n");
      const claimed = await running(store, node);
      await store.cancel([claimed.uuid]);
      assert.deepEqual((await beat(store, node)).cancels, [claimed.uuid]);
      const kept = JSON.stringify(record(claimed, outcome));
      await finish(store, node, claimed, { outcome, delay: 0, error: ERROR, record: kept });
      const after = await row(store, claimed.uuid);
      assert.equal(after.state, "cancelled");
      assert.deepEqual(after.error, JSON.parse(ERROR));
      assert.deepEqual(await claim(store, node), []);
      assert.deepEqual((await beat(store, node)).cancels, []);
    });
  }

  test("exchange() lets what completes in spite of a cancel be completed", async (store) => {
    const node = await join(store, "n");
    const claimed = await running(store, node);
    await store.cancel([claimed.uuid]);
    await finish(store, node, claimed, { result: "7" });
    const { state, result } = await row(store, claimed.uuid);
    assert.deepEqual([state, result], ["completed", 7]);
  });
}
