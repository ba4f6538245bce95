import assert from "node:assert/strict";
import { seal } from "../../../runtime/envelope.ts";
import type { EnvelopeFilter, NodeRegistration, Store } from "../../../runtime/store/store.ts";
import { uuid7 } from "../../../runtime/uuid.ts";
import { settlement } from "../make.ts";
import { claim, finish, join, publish, publishMany, row, running, settle, type StoreTest } from "./moves.ts";

export function looking(test: StoreTest): void {
  listing(test);
  following(test);
  cancelling(test);
}

/** One envelope in each state, by state. */
export async function oneOfEach(store: Store, node: NodeRegistration): Promise<Record<string, string>> {
  const uuids: Record<string, string> = {};
  for (const outcome of ["completed", "cancelled", "discarded"] as const) {
    const claimed = await running(store, node);
    await finish(store, node, claimed, { outcome });
    uuids[outcome] = claimed.uuid;
  }
  const claimed = await running(store, node);
  await finish(store, node, claimed, { outcome: "retry", delay: 3_600 });
  uuids.retryable = claimed.uuid;
  uuids.scheduled = (await publish(store, { delay: 3_600 })).uuid;
  uuids.running = (await running(store, node)).uuid;
  uuids.available = (await publish(store)).uuid;
  return uuids;
}

function listing(test: StoreTest): void {
  const uuidsOf = async (store: Store, filter: Partial<EnvelopeFilter>) =>
    (await store.list({ limit: 100, ...filter })).map((one) => one.uuid);

  test("list() before a uuid gives page after page, each envelope once, whatever moves meanwhile", async (store) => {
    const node = await join(store, "n");
    await oneOfEach(store, node);
    const random = (await publish(store, { uuid: "ffffffff-0000-4000-8000-000000000000" })).uuid;
    const before = "ffffffff-ffff-ffff-ffff-ffffffffffff";
    const all = await uuidsOf(store, { before });
    assert.deepEqual(all, [...all].sort().reverse());
    assert.deepEqual([all.length, all[0]], [8, random]);
    const pages: string[] = [];
    for (let last = before, page = [""]; page.length > 0; last = page.at(-1) ?? last) {
      page = await uuidsOf(store, { before: last, limit: 3 });
      pages.push(...page);
      for (const claimed of await claim(store, node)) await finish(store, node, claimed);
    }
    assert.deepEqual(pages, all);
    assert.deepEqual(await uuidsOf(store, { before, state: ["running", "scheduled"], limit: 1 }), [
      (await store.list({ state: ["running"], limit: 1 }))[0].uuid,
    ]);
  });

  test("list() gives the newest first, of both what waits and what is final", async (store) => {
    const node = await join(store, "n");
    const uuids = Object.values(await oneOfEach(store, node));
    assert.deepEqual(await uuidsOf(store, {}), uuids.toReversed());
    assert.deepEqual(await uuidsOf(store, { limit: 3 }), uuids.toReversed().slice(0, 3));
    assert.deepEqual(await uuidsOf(store, { limit: 0 }), []);
  });

  test("list() narrows by state, queue, task and node, and by all of them", async (store) => {
    const [n, m] = [await join(store, "n"), await join(store, "m")];
    const states = await oneOfEach(store, n);
    const other = seal("other/task", [], { queue: "mail" });
    await store.publish([other]);
    await claim(store, m, { queues: ["mail"] });
    assert.deepEqual(await uuidsOf(store, { state: ["completed"] }), [states.completed]);
    assert.deepEqual(
      (await uuidsOf(store, { state: ["scheduled", "discarded"] })).sort(),
      [states.scheduled, states.discarded].sort(),
    );
    assert.deepEqual(await uuidsOf(store, { state: [] }), []);
    assert.deepEqual(await uuidsOf(store, { task: "other/task" }), [other.uuid]);
    assert.deepEqual(
      (await uuidsOf(store, { node: "n" })).sort(),
      [states.completed, states.cancelled, states.discarded, states.running].sort(),
    );
    assert.deepEqual(await uuidsOf(store, { node: "m" }), [other.uuid]);
    assert.deepEqual(
      await uuidsOf(store, { queue: "mail", task: "other/task", node: "m", state: ["running"] }),
      [other.uuid],
    );
    assert.deepEqual(await uuidsOf(store, { queue: "mail", node: "n" }), []);
    assert.deepEqual(await uuidsOf(store, { queue: "nobody's" }), []);
  });

  test("list() finds a uuid by its beginning, with dashes and without, in any case", async (store) => {
    const node = await join(store, "n");
    const uuids = [
      "abcdef01-2345-6789-abcd-ef0123456789",
      "abcdef01-2345-6789-abcd-ef01ffffffff",
      "abcdef02-0000-0000-0000-000000000000",
    ];
    for (const uuid of uuids) await publish(store, { uuid });
    const [claimed] = await claim(store, node, { limit: 1 });
    await finish(store, node, claimed);
    const cases: [string, number[]][] = [
      ["abcdef01-2345-6789-abcd-ef0123456789", [0]],
      ["abcdef0123456789abcdef0123456789", [0]],
      ["abcdef01-2345-6789-abcd-ef01", [1, 0]],
      ["ABCDEF01", [1, 0]],
      ["abcdef01-", [1, 0]],
      ["abcdef0", [2, 1, 0]],
      ["abcdef02", [2]],
      ["abcdef03", []],
      ["0", []],
    ];
    for (const [uuid, expected] of cases) {
      assert.deepEqual(await uuidsOf(store, { uuid }), expected.map((i) => uuids[i]), uuid);
    }
  });

  test("list() finds the copies of a broadcast by its uuid or the beginning of it", async (store) => {
    const node = await join(store, "n");
    await join(store, "m");
    const { uuid } = await publish(store, { queue: "broadcast" });
    await store.deliver("n");
    await store.deliver("m");
    const [claimed] = await claim(store, node, { queues: ["n"] });
    await finish(store, node, claimed);
    for (const prefix of [uuid, uuid.slice(0, 20)]) {
      const rows = await store.list({ uuid: prefix, limit: 10 });
      assert.deepEqual(rows.map((one) => [one.origin, one.queue]).sort(), [[uuid, "m"], [uuid, "n"]]);
    }
  });
}

function following(test: StoreTest): void {
  test("outcomes() tells of each uuid that is known where it stands", async (store) => {
    const node = await join(store, "n");
    const states = await oneOfEach(store, node);
    const claimed = await running(store, node, { queue: "mail" });
    const error = { name: "Error", message: "no" };
    await finish(store, node, claimed, { outcome: "discarded", error: JSON.stringify(error) });
    const unknown = uuid7();
    const found = await store.outcomes([...Object.values(states), claimed.uuid, unknown]);
    for (const [state, uuid] of Object.entries(states)) assert.equal(found.get(uuid)?.state, state);
    const { state, error: kept } = found.get(claimed.uuid)!;
    assert.deepEqual([state, kept], ["discarded", error]);
    assert.equal(found.has(unknown), false);
    assert.equal((await store.outcomes([])).size, 0);
  });

  test("outcomes() has the result of what completed", async (store) => {
    const node = await join(store, "n");
    for (const result of ["[1,2]", '"\\u0000\\ud800"', "null", "0"]) {
      const claimed = await running(store, node);
      await finish(store, node, claimed, { result });
      assert.deepEqual((await store.outcomes([claimed.uuid])).get(claimed.uuid)?.result, JSON.parse(result));
    }
  });

  test("queues() counts what stands in each queue, by state", async (store) => {
    const node = await join(store, "n");
    assert.equal((await store.queues()).length, 0);
    await oneOfEach(store, node);
    await publishMany(store, 3, { queue: "mail" });
    const [first, second, ...more] = await store.queues();
    const { oldest_seconds, ...counts } = first;
    const expected = {
      queue: "default",
      scheduled: 1,
      available: 1,
      running: 1,
      retryable: 1,
      paused: false,
    };
    assert.deepEqual([counts, more], [expected, []]);
    assert.ok(oldest_seconds! >= 0 && oldest_seconds! < 60);
    assert.deepEqual([second.queue, second.available, second.running], ["mail", 3, 0]);
    await claim(store, node, { queues: ["mail"] });
    assert.equal((await store.queues())[1].oldest_seconds, null, "nothing waits there");
  });

  test("waiting() counts what waits in the given queues, not what runs or is final", async (store) => {
    const node = await join(store, "n");
    await publishMany(store, 4, { queue: "a" });
    await publishMany(store, 2, { queue: "b" });
    await publishMany(store, 1, { queue: "c" });
    assert.equal(await store.waiting(["a", "b"]), 6);
    assert.equal(await store.waiting([]), 0);
    const [one, two] = await claim(store, node, { queues: ["a"], limit: 2 });
    await finish(store, node, one);
    assert.equal(await store.waiting(["a", "b"]), 4);
    await finish(store, node, two, { outcome: "released" });
    assert.equal(await store.waiting(["a", "b"]), 5);
  });
}

function cancelling(test: StoreTest): void {
  test("cancel() ends what has not begun, asks what runs, and leaves what is final", async (store) => {
    const node = await join(store, "n");
    const states = await oneOfEach(store, node);
    const unknown = uuid7();
    const done = await store.cancel([...Object.values(states), unknown]);
    const expected: Record<string, [did: string, node: string | null, after: string]> = {
      scheduled: ["cancelled", null, "cancelled"],
      available: ["cancelled", null, "cancelled"],
      retryable: ["cancelled", null, "cancelled"],
      running: ["requested", "n", "running"],
      completed: ["completed", "n", "completed"],
      cancelled: ["cancelled", "n", "cancelled"],
      discarded: ["discarded", "n", "discarded"],
    };
    assert.equal(done.length, Object.keys(expected).length);
    for (const [state, [did, name, after]] of Object.entries(expected)) {
      const uuid = states[state];
      assert.deepEqual(done.find((one) => one.uuid === uuid), { uuid, did, node: name }, state);
      assert.equal((await row(store, uuid)).state, after, state);
    }
    assert.deepEqual(await claim(store, node), []);
    assert.deepEqual(await store.stage(10), { queues: [], next: null });
  });

  test("cancel() keeps the time of the first request", async (store) => {
    const node = await join(store, "n");
    const { uuid } = await running(store, node);
    await store.cancel([uuid]);
    const { cancel_at } = await row(store, uuid);
    assert.match(cancel_at!, /Z$/);
    assert.deepEqual(await store.cancel([uuid]), [{ uuid, did: "requested", node: "n" }]);
    assert.equal((await row(store, uuid)).cancel_at, cancel_at);
  });

  test("cancel() of what was cancelled says so, and of nothing says nothing", async (store) => {
    const { uuid } = await publish(store);
    await store.cancel([uuid]);
    assert.deepEqual(await store.cancel([uuid]), [{ uuid, did: "cancelled", node: null }]);
    assert.deepEqual(await store.cancel([]), []);
    assert.deepEqual(await store.cancel([uuid7()]), []);
  });

  test("cancel() has an answer for what is being claimed and settled just then", async (store) => {
    const node = await join(store, "n");
    for (let round = 0; round < 10; round++) {
      const uuids = await publishMany(store, 20);
      const claimed = await claim(store, node, { limit: 5 });
      const [, , done] = await Promise.all([
        claim(store, node, { limit: 10 }),
        settle(
          store,
          node,
          ...claimed.map((one, i) => settlement(one, i % 2 ? {} : { outcome: "retry", delay: 9 })),
        ),
        store.cancel(uuids),
      ]);
      assert.deepEqual(done.map((one) => one.uuid).sort(), uuids.sort());
      for (const { uuid, did } of done) {
        const { state, cancel_at } = await row(store, uuid);
        if (did === "requested") {
          assert.ok(cancel_at !== null || state === "cancelled" || state === "completed", state);
        } else assert.equal(state, did);
      }
      await settle(
        store,
        node,
        ...(await store.list({ state: ["running"], limit: 99 })).map((one) =>
          settlement({ uuid: one.uuid, fence: 1 })
        ),
      );
    }
  });
}
