/** The operator's verbs: giving up, bringing back, pausing, purging, and looking at why. */
import assert from "node:assert/strict";
import type { Holdups } from "../../../runtime/store/operator.ts";
import type { Claimed, NodeRegistration, Store } from "../../../runtime/store/store.ts";
import { uuid7 } from "../../../runtime/uuid.ts";
import { settlement } from "../make.ts";
import { oneOfEach } from "./look.ts";
import {
  claim,
  finish,
  join,
  lapse,
  publish,
  publishMany,
  row,
  running,
  settle,
  type StoreTest,
} from "./moves.ts";

const CALLERS = 10;
const error = (name: string, message: string) => JSON.stringify({ name, message });

/** Publish one and let it fail for good. */
async function dead(
  store: Store,
  node: NodeRegistration,
  options: Parameters<typeof running>[2] = {},
  why = error("RangeError", "no"),
): Promise<Claimed> {
  const claimed = await running(store, node, options);
  const at = "2026-11-24T06:00:00.000Z";
  const record = {
    attempt: claimed.attempt,
    node: node.name,
    worker: "1.1",
    started_at: at,
    finished_at: at,
  };
  const kept = JSON.stringify({ ...record, outcome: "discarded" });
  await finish(store, node, claimed, { outcome: "discarded", error: why, record: kept });
  return claimed;
}

const did = (rows: { uuid: string; did: string }[]) =>
  Object.fromEntries(rows.map((one) => [one.uuid, one.did]));

/** What holds it up, without how long it has waited. */
function held(holdups: Holdups | null): Omit<Holdups, "waited" | "preempted" | "victims"> {
  const { waited, preempted, victims, ...rest } = holdups!;
  assert.ok(waited >= 0 && waited < 60, `${waited}`);
  assert.deepEqual([preempted, victims], [0, []]);
  return rest;
}

export function operating(test: StoreTest): void {
  reviving(test);
  revivingKeyed(test);
  givingUp(test);
  queues(test);
  asking(test);
}

function reviving(test: StoreTest): void {
  test("retry() says of each state what it did, and lets go what it can", async (store) => {
    const node = await join(store, "n");
    const states = await oneOfEach(store, node);
    const expected: [state: string, did: string, after: string][] = [
      ["completed", "completed", "completed"],
      ["cancelled", "retried", "available"],
      ["discarded", "retried", "available"],
      ["retryable", "retried", "available"],
      ["scheduled", "retried", "available"],
      ["running", "running", "running"],
      ["available", "available", "available"],
    ];
    const done = did(await store.retry([...Object.values(states), uuid7()]));
    assert.equal(Object.keys(done).length, expected.length, "nothing is said of what is unknown");
    for (const [state, what, after] of expected) {
      assert.equal(done[states[state]], what, state);
      const { state: now, due_at } = await row(store, states[state]);
      assert.deepEqual([now, due_at], [after, null], state);
    }
  });

  test("retry() brings back with its history, error and a new allowance; numbers and fence go on", async (store) => {
    const node = await join(store, "n");
    const { uuid } = await dead(store, node, {
      maxAttempts: 1,
      kwargs: { b: 2 },
      priority: 3,
      guid: "g",
      timeout: 7,
    });
    const before = await row(store, uuid);
    assert.deepEqual(await store.retry([uuid]), [{ uuid, did: "retried", node: null, queue: "default" }]);
    const after = await row(store, uuid);
    const changed = { state: "available", node: null, claimed_at: null, finished_at: null };
    assert.deepEqual(after, { ...before, ...changed });
    const [claimed] = await claim(store, node);
    assert.deepEqual([claimed.uuid, claimed.attempt, claimed.forgiven, claimed.fence], [uuid, 2, 1, 2]);
    await finish(store, node, claimed, { outcome: "discarded", error: error("Error", "again") });
    await store.retry([uuid]);
    const [third] = await claim(store, node);
    assert.deepEqual([third.attempt, third.forgiven, third.fence], [3, 2, 3]);
    assert.deepEqual(await settle(store, node, settlement(claimed)), [], "the token of a past life is stale");
    await finish(store, node, third, { result: "1" });
    assert.deepEqual([(await row(store, uuid)).state, (await row(store, uuid)).attempt], ["completed", 3]);
  });

  test("retry() keeps a suspect alone, also after it was cancelled", async (store) => {
    const node = await join(store, "n");
    const claimed = await running(store, node);
    await finish(store, node, claimed, { outcome: "released", solo: true });
    await store.cancel([claimed.uuid]);
    await store.retry([claimed.uuid]);
    const [again] = await claim(store, node);
    assert.deepEqual([again.solo, again.fence], [true, 2]);
  });

  test("retry() by ten at once brings each back once, and none is ever in both tables", async (store) => {
    const node = await join(store, "n");
    const uuids = await publishMany(store, 40);
    for (let round = 1; round <= 5; round++) {
      const held = await claim(store, node, { limit: 100 });
      assert.equal(held.length, uuids.length, `round ${round}`);
      await settle(store, node, ...held.map((one) => settlement(one, { outcome: "discarded" })));
      // In different orders, as those who lock each other out would ask.
      const ask = (i: number) => store.retry(i % 2 ? uuids : uuids.toReversed());
      const answers = await Promise.all(Array.from({ length: CALLERS }, (_, i) => ask(i)));
      for (const done of answers) assert.equal(done.length, uuids.length, "each caller learns of each");
      const retried = answers.flat().filter((one) => one.did === "retried").map((one) => one.uuid);
      assert.deepEqual(retried.sort(), uuids.toSorted());
      const rows = await store.list({ limit: 1_000 });
      assert.equal(rows.length, uuids.length);
      assert.ok(rows.every((one) => one.state === "available" && one.attempt === round));
    }
  });

  test("retry() beside claims, settlements and publishers of the same uuid loses and doubles nothing", async (store) => {
    const node = await join(store, "n");
    const uuids = await publishMany(store, 30);
    let busy = true;
    const work = async () => {
      for (let i = 0; i < 15; i++) {
        const held = await claim(store, node, { limit: 30 });
        await settle(
          store,
          node,
          ...held.map((one, j) => settlement(one, { outcome: j % 2 ? "discarded" : "retry", delay: 0 })),
        );
        await store.stage(100);
      }
      busy = false;
    };
    const retry = async () => {
      while (busy) assert.equal((await store.retry(uuids)).length, uuids.length);
    };
    await Promise.all([work(), retry(), retry(), retry()]);
    const rows = await store.list({ limit: 1_000 });
    assert.deepEqual(rows.map((one) => one.uuid).sort(), uuids.toSorted());
  });

  test("publish() knows the uuid of what was brought back", async (store) => {
    const node = await join(store, "n");
    const uuid = uuid7();
    await dead(store, node, { uuid });
    await store.retry([uuid]);
    await assert.rejects(publish(store, { uuid }), "it is not new");
    assert.equal((await row(store, uuid)).state, "available");
  });
}

function revivingKeyed(test: StoreTest): void {
  test("retry() puts one with a rule for duplicates behind its head, and lets it go after that", async (store) => {
    const node = await join(store, "n");
    const { uuid } = await dead(store, node, { onDuplicate: "serial" });
    const head = await running(store, node, { onDuplicate: "serial" });
    assert.deepEqual(did(await store.retry([uuid])), { [uuid]: "blocked" });
    await store.stage(100);
    assert.equal((await row(store, uuid)).state, "scheduled");
    assert.deepEqual(held(await store.holdups(uuid)), {
      blocked: true,
      paused: false,
      ahead: 0,
      head: { uuid: head.uuid, state: "running" },
    });
    await finish(store, node, head);
    assert.deepEqual((await store.stage(100)).queues, ["default"]);
    const [claimed] = await claim(store, node);
    assert.deepEqual([claimed.uuid, claimed.keyed], [uuid, true]);
  });

  test("retry() of several equal ones lets one go at a time, while ten publish equal ones", async (store) => {
    const node = await join(store, "n");
    const uuids: string[] = [];
    for (let i = 0; i < 3; i++) uuids.push((await dead(store, node, { onDuplicate: "serial" })).uuid);
    const calls = Array.from({ length: CALLERS }, () => publish(store, { onDuplicate: "serial" }));
    await Promise.all([...calls, store.retry(uuids), store.retry(uuids), store.stage(100)]);
    for (let i = 0; i < uuids.length + CALLERS; i++) {
      await store.stage(100);
      const held = await claim(store, node, { limit: 100 });
      assert.equal(held.length, 1, `${held.length} of one key were claimed at once`);
      await finish(store, node, held[0]);
    }
    const rows = await store.list({ limit: 100 });
    assert.ok(rows.length === uuids.length + CALLERS && rows.every((one) => one.state === "completed"));
  });

  test("retry() of a blocked one that is due later takes its time away and leaves it behind its head", async (store) => {
    const node = await join(store, "n");
    const head = await running(store, node, { onDuplicate: "serial" });
    const { uuid } = await publish(store, { onDuplicate: "serial", delay: 3_600 });
    assert.deepEqual(did(await store.retry([uuid])), { [uuid]: "blocked" });
    const { state, due_at } = await row(store, uuid);
    assert.deepEqual([state, due_at], ["scheduled", null]);
    await finish(store, node, head);
    await store.stage(100);
    assert.equal((await row(store, uuid)).state, "available");
  });
}

function givingUp(test: StoreTest): void {
  test("discard() gives up what waits, asks what runs, and leaves what is final", async (store) => {
    const node = await join(store, "n");
    const states = await oneOfEach(store, node);
    const done = did(await store.discard([...Object.values(states), uuid7()], "enough"));
    assert.equal(Object.keys(done).length, Object.keys(states).length);
    for (const state of ["scheduled", "available", "retryable"]) {
      assert.equal(done[states[state]], "discarded", state);
      const after = await row(store, states[state]);
      assert.deepEqual([after.state, after.error], ["discarded", { name: "Discarded", message: "enough" }]);
    }
    for (const state of ["completed", "cancelled", "discarded"]) assert.equal(done[states[state]], state);
    assert.equal((await row(store, states.discarded)).error, null, "what was final keeps what it had");
    assert.equal(done[states.running], "requested");
    const { state, cancel_at } = await row(store, states.running);
    assert.deepEqual([state, cancel_at !== null], ["running", true]);
  });

  for (const outcome of ["cancelled", "retry", "released", "discarded", "completed"] as const) {
    test(`discard() of what runs and then ends as ${outcome} decides unless it completed`, async (store) => {
      const node = await join(store, "n");
      const claimed = await running(store, node);
      await store.discard([claimed.uuid], "enough");
      await finish(store, node, claimed, {
        outcome,
        delay: outcome === "retry" ? 1 : null,
        result: outcome === "completed" ? "7" : null,
        error: outcome === "completed" ? null : error("CancelledError", "Cancelled"),
      });
      const after = await row(store, claimed.uuid);
      const given = outcome === "discarded" ? "Cancelled" : "enough";
      if (outcome === "completed") {
        assert.deepEqual([after.state, after.result, after.error], ["completed", 7, null]);
      } else assert.deepEqual([after.state, after.error?.message], ["discarded", given]);
      await store.retry([claimed.uuid]);
      if (outcome === "completed") return;
      const [again] = await claim(store, node);
      await finish(store, node, again, { outcome: "retry", delay: 1 });
      assert.equal((await row(store, claimed.uuid)).state, "retryable", "a new life is not given up");
    });
  }

  test("rescue() discards what was given up on a node that died", async (store) => {
    const node = await join(store, "dead");
    const claimed = await running(store, node);
    await store.discard([claimed.uuid], "enough");
    await lapse(store, node);
    await store.rescue();
    const { state, error } = await row(store, claimed.uuid);
    assert.deepEqual([state, error], ["discarded", { name: "Discarded", message: "enough" }]);
  });

  test("discard(), cancel() and retry() beside each other and an exchange leave each in one place", async (store) => {
    const node = await join(store, "n");
    const uuids = await publishMany(store, 30);
    let busy = true;
    const work = async () => {
      for (let i = 0; i < 15; i++) {
        const held = await claim(store, node, { limit: 30 });
        await settle(store, node, ...held.map((one) => settlement(one, { outcome: "retry", delay: 0 })));
        await store.stage(100);
      }
      busy = false;
    };
    const act = async (verb: () => Promise<unknown[]>) => {
      while (busy) assert.equal((await verb()).length, uuids.length);
    };
    await Promise.all([
      work(),
      act(() => store.discard(uuids, "enough")),
      act(() => store.cancel(uuids.toReversed())),
      act(() => store.retry(uuids)),
    ]);
    const rows = await store.list({ limit: 1_000 });
    assert.deepEqual(rows.map((one) => one.uuid).sort(), uuids.toSorted());
  });

  test("exchange() gives back for later what is released with a delay, uncharged", async (store) => {
    const node = await join(store, "n");
    const claimed = await running(store, node);
    await finish(store, node, claimed, {
      outcome: "released",
      delay: 3_600,
      error: error("Retry", "not yet"),
    });
    const { state, attempt, due_at, error: kept } = await row(store, claimed.uuid);
    assert.deepEqual([state, attempt, kept?.message], ["retryable", 0, "not yet"]);
    assert.ok(due_at !== null);
    await store.retry([claimed.uuid]);
    const [again] = await claim(store, node);
    assert.deepEqual([again.attempt, again.fence], [1, 2]);
  });
}

function queues(test: StoreTest): void {
  test("pause() keeps a queue from being claimed until it is resumed, and says whether it changed", async (store) => {
    const node = await join(store, "n");
    await publishMany(store, 2);
    assert.deepEqual([await store.pause("default", true), await store.pause("default", true)], [true, false]);
    assert.deepEqual(await claim(store, node), []);
    assert.equal((await store.queues())[0].paused, true);
    assert.deepEqual([await store.pause("default", false), await store.pause("default", false)], [
      true,
      false,
    ]);
    assert.equal((await claim(store, node)).length, 2);
    assert.equal(await store.pause("never", false), false);
  });

  test("purge() cancels what waits in one queue, and leaves what runs and other queues", async (store) => {
    const node = await join(store, "n");
    const states = await oneOfEach(store, node);
    const other = await publish(store, { queue: "other" });
    assert.equal(await store.purge("default"), 3);
    for (const state of ["scheduled", "available", "retryable"]) {
      assert.equal((await row(store, states[state])).state, "cancelled", state);
    }
    assert.equal((await row(store, states.running)).state, "running");
    assert.equal((await row(store, other.uuid)).state, "available");
    assert.equal(await store.purge("default"), 0);
    assert.deepEqual(did(await store.retry([states.scheduled])), { [states.scheduled]: "retried" });
  });
}

function asking(test: StoreTest): void {
  test("matching() finds in both tables what list() does, page by page, and by age", async (store) => {
    const node = await join(store, "n");
    const states = await oneOfEach(store, node);
    await publishMany(store, 5, { queue: "other" });
    const pages: string[] = [];
    for (;;) {
      const page = await store.matching({ limit: 3 }, pages.at(-1));
      pages.push(...page.map((one) => one.uuid));
      if (page.length < 3) break;
    }
    assert.deepEqual(pages, (await store.list({ limit: 100 })).map((one) => one.uuid).sort());
    const found = await store.matching({ state: ["discarded", "running"], queue: "default", limit: 10 });
    const expected = [states.discarded, states.running].sort();
    assert.deepEqual(found.map((one) => one.uuid), expected);
    assert.deepEqual(found.map((one) => one.state).sort(), ["discarded", "running"]);
    assert.equal((await store.matching({ olderSeconds: 0, limit: 100 })).length, 12);
    assert.equal((await store.matching({ olderSeconds: 600, limit: 100 })).length, 0);
    assert.equal((await store.list({ olderSeconds: 600, limit: 100 })).length, 0);
  });

  test("failures() counts the dead by task and error, whatever stands in the message", async (store) => {
    const node = await join(store, "n");
    await dead(store, node, {}, error("HttpError", `answer 503 of ${uuid7()}\nline two`));
    const last = await dead(store, node, {}, error("HttpError", `answer 502 of ${uuid7()}\nline 2`));
    await dead(store, node, { queue: "mail" }, error("TypeError", "a\u0000b\ud800"));
    const bare = await running(store, node);
    await finish(store, node, bare, { outcome: "discarded" });
    await finish(store, node, await running(store, node));
    const rows = await store.failures({ limit: 10 });
    assert.deepEqual(rows.map(({ error, message, count }) => [error, message, count]), [
      ["Error", "", 1],
      ["TypeError", "a?b?", 1],
      ["HttpError", "answer # of #", 2],
    ]);
    assert.deepEqual([rows[2].task, rows[2].last_uuid], ["examples/add", last.uuid]);
    assert.match(rows[2].last_at, /^\d{4}-.*Z$/);
    assert.equal((await store.failures({ queue: "mail", limit: 10 })).length, 1);
    assert.equal((await store.failures({ task: "none", limit: 10 })).length, 0);
    assert.equal((await store.failures({ withinSeconds: 600, limit: 1 })).length, 1);
  });

  test("holdups() tells what goes before, whether the queue is paused, and of what is final nothing", async (store) => {
    const node = await join(store, "n");
    const [first, second] = await publishMany(store, 2);
    const early = await publish(store, { priority: -1 });
    assert.deepEqual(held(await store.holdups(second)), {
      blocked: false,
      paused: false,
      head: null,
      ahead: 2,
    });
    assert.equal((await store.holdups(early.uuid))?.ahead, 0);
    await store.pause("default", true);
    assert.deepEqual(held(await store.holdups(first)), {
      blocked: false,
      paused: true,
      head: null,
      ahead: 1,
    });
    assert.equal(await store.holdups((await dead(store, node, { queue: "other" })).uuid), null);
    assert.equal(await store.holdups(uuid7()), null);
  });
}
