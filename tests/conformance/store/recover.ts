import assert from "node:assert/strict";
import { uuid7 } from "../../../runtime/uuid.ts";
import { registration, settlement } from "../make.ts";
import {
  beat,
  claim,
  finish,
  HOSTILE,
  join,
  lapse,
  publishMany,
  row,
  running,
  settle,
  type StoreTest,
} from "./moves.ts";

export function recovering(test: StoreTest): void {
  rescuing(test);
  reconciling(test);
  progressing(test);
}

function rescuing(test: StoreTest): void {
  test("rescue() gives back what a node without a lease held, uncharged, with a trace", async (store) => {
    const [dead, alive] = [await join(store, "dead"), await join(store, "alive")];
    const lost = [await running(store, dead), await running(store, dead, { queue: "mail" })];
    const kept = await running(store, alive);
    assert.deepEqual(await store.rescue(), { queues: [], rescued: 0 });
    await lapse(store, dead);
    const { queues, rescued } = await store.rescue();
    assert.deepEqual([queues.sort(), rescued], [["default", "mail"], 2]);
    for (const { uuid } of lost) {
      const { state, attempt, node, attempts } = await row(store, uuid);
      assert.deepEqual([state, attempt, node], ["available", 0, null]);
      const [{ outcome, node: name, error, started_at, finished_at, attempt: which, worker }] = attempts;
      assert.deepEqual([outcome, name, error?.name, which, worker], [
        "released",
        "dead",
        "NodeLost",
        1,
        null,
      ]);
      for (const time of [started_at, finished_at]) {
        assert.match(time!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      }
    }
    assert.equal((await row(store, kept.uuid)).state, "running");
    assert.deepEqual(await store.rescue(), { queues: [], rescued: 0 });
  });

  test("rescue() fences off the node that comes back too late", async (store) => {
    const [late, next] = [await join(store, "late"), await join(store, "next")];
    const claimed = await running(store, late);
    await lapse(store, late);
    await store.rescue();
    const [again] = await claim(store, next);
    assert.deepEqual([again.uuid, again.fence, again.attempt], [claimed.uuid, claimed.fence + 1, 1]);
    assert.deepEqual(await settle(store, late, settlement(claimed, { result: '"late"' })), []);
    assert.equal(await store.progress(late.instance, claimed, "1"), false);
    assert.equal((await beat(store, late)).alive, false);
    await finish(store, next, again, { result: '"next"' });
    assert.equal((await row(store, claimed.uuid)).result, "next");
  });

  test("rescue() ends what somebody had asked to cancel", async (store) => {
    const dead = await join(store, "dead");
    const claimed = await running(store, dead);
    await store.cancel([claimed.uuid]);
    await lapse(store, dead);
    assert.deepEqual(await store.rescue(), { queues: [], rescued: 0 });
    const { state, finished_at, node } = await row(store, claimed.uuid);
    assert.deepEqual([state, node], ["cancelled", "dead"]);
    assert.match(finished_at!, /Z$/);
  });

  test("rescue() finds what an instance held that no node is any more", async (store) => {
    const old = await join(store, "n");
    const claimed = await running(store, old);
    await join(store, "n", { replaces: old.instance });
    assert.equal((await row(store, claimed.uuid)).state, "available");
    const ghost = await running(store, registration("ghost"), { queue: "mail" });
    assert.deepEqual(await store.rescue(), { queues: ["mail"], rescued: 1 });
    assert.equal((await row(store, ghost.uuid)).state, "available");
  });

  test("rescue() that is not thorough finds what a node lost now or lately, and passes over the rest", async (store) => {
    const node = await join(store, "n");
    const ghost = await running(store, registration("ghost"));
    assert.equal((await store.rescue(false)).rescued, 0);
    await running(store, node, { queue: "other" });
    await lapse(store, node);
    assert.equal((await store.rescue(false)).rescued, 2);
    // Its lease is known to be lost: what it claimed nevertheless, in a statement of before, is found.
    await running(store, { ...node, name: "before" }, { queue: "mail" });
    assert.equal((await store.rescue(false)).rescued, 1);
    assert.equal((await row(store, ghost.uuid)).state, "available");
  });

  test("exchange() claims nothing for who lost its name or its lease, but settles what it may", async (store) => {
    const old = await join(store, "n");
    const held = await running(store, old);
    await publishMany(store, 2);
    await lapse(store, old);
    await store.rescue();
    assert.deepEqual(await claim(store, old), [], "lost");
    assert.deepEqual(await settle(store, old, settlement(held)), []);
    const young = await join(store, "n");
    assert.deepEqual(await claim(store, old), [], "another instance has the name");
    assert.equal((await claim(store, young)).length, 3);
    await store.unregister(young.instance);
    assert.deepEqual(await claim(store, young), [], "stopped");
  });

  test("rescue() by many at once gives back each envelope once", async (store) => {
    const dead = await join(store, "dead");
    await publishMany(store, 50);
    await claim(store, dead, { limit: 50 });
    await lapse(store, dead);
    const all = await Promise.all(Array.from({ length: 5 }, () => store.rescue()));
    assert.equal(all.reduce((sum, one) => sum + one.rescued, 0), 50);
    for (const { attempt, attempts } of await store.list({ limit: 100 })) {
      assert.deepEqual([attempt, attempts.length], [0, 1]);
    }
  });
}

function reconciling(test: StoreTest): void {
  test("reconcile() ends what somebody asked to cancel while nobody knew of it", async (store) => {
    const node = await join(store, "n");
    const claimed = await running(store, node);
    await store.cancel([claimed.uuid]);
    assert.equal((await store.reconcile(node.instance, [])).length, 1);
    const { state, attempt, attempts } = await row(store, claimed.uuid);
    assert.deepEqual([state, attempt, attempts], ["cancelled", 0, []]);
    assert.deepEqual(await claim(store, node), []);
  });

  test("reconcile() gives back, uncharged, what the instance does not know of", async (store) => {
    const [node, other] = [await join(store, "n"), await join(store, "o")];
    await publishMany(store, 4);
    const [known, ...unknown] = await claim(store, node);
    const theirs = await running(store, other);
    assert.equal((await store.reconcile(node.instance, [known, { uuid: uuid7(), fence: 1 }])).length, 3);
    for (const { uuid } of [known, theirs]) assert.equal((await row(store, uuid)).state, "running");
    for (const { uuid } of unknown) {
      const { state, attempt, node, claimed_at, attempts } = await row(store, uuid);
      assert.deepEqual([state, attempt, node, claimed_at, attempts], ["available", 0, null, null, []]);
    }
    assert.deepEqual(await settle(store, node, settlement(unknown[0])), []);
    assert.equal((await store.reconcile(node.instance, [known])).length, 0);
  });

  test("reconcile() gives back a later claim of what the instance knows by an earlier one", async (store) => {
    const node = await join(store, "n");
    const before = await running(store, node);
    await settle(store, node, settlement(before, { outcome: "released" }));
    const [again] = await claim(store, node);
    assert.deepEqual([again.uuid, again.fence], [before.uuid, before.fence + 1]);
    assert.equal((await store.reconcile(node.instance, [before])).length, 1);
    assert.equal((await row(store, before.uuid)).state, "available");
  });

  test("reconcile() of an instance that knows of nothing gives back all of it", async (store) => {
    const node = await join(store, "n");
    await publishMany(store, 3);
    await claim(store, node);
    assert.equal((await store.reconcile(node.instance, [])).length, 3);
    assert.equal((await claim(store, node)).length, 3);
  });
}

function progressing(test: StoreTest): void {
  test("progress() keeps the last value of a running attempt, also when it is settled", async (store) => {
    const node = await join(store, "n");
    const claimed = await running(store, node);
    for (const value of [{ files: 1 }, [...HOSTILE], "half", null, { files: 2 }]) {
      assert.equal(await store.progress(node.instance, claimed, JSON.stringify(value)), true);
      assert.deepEqual((await row(store, claimed.uuid)).progress, value);
    }
    await finish(store, node, claimed);
    assert.deepEqual((await row(store, claimed.uuid)).progress, { files: 2 });
  });

  test("progress() changes nothing for a wrong fence or instance, and after the end", async (store) => {
    const node = await join(store, "n");
    const claimed = await running(store, node);
    assert.equal(await store.progress(node.instance, claimed, '"right"'), true);
    const { uuid, fence } = claimed;
    assert.equal(await store.progress(node.instance, { uuid, fence: fence + 1 }, '"wrong"'), false);
    assert.equal(await store.progress(uuid7(), claimed, '"wrong"'), false);
    assert.equal(await store.progress(node.instance, { uuid: uuid7(), fence }, '"wrong"'), false);
    assert.equal((await row(store, uuid)).progress, "right");
    await finish(store, node, claimed, { outcome: "released" });
    assert.equal(await store.progress(node.instance, claimed, '"late"'), false);
  });
}
