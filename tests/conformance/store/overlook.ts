/** The store as a dashboard asks it: pages, counts, queues, tables. */
import assert from "node:assert/strict";
import { seal } from "../../../runtime/envelope.ts";
import type { PageFilter } from "../../../runtime/store/look.ts";
import type { Claimed, Store } from "../../../runtime/store/store.ts";
import { oneOfEach } from "./look.ts";
import { claim, finish, join, publish, publishMany, running, type StoreTest } from "./moves.ts";

/** All pages of a filter, as uuids. */
async function walk(store: Store, filter: PageFilter, limit: number): Promise<string[][]> {
  const pages: string[][] = [];
  let after: string | undefined;
  do {
    const { rows, next } = await store.look.page(filter, limit, after);
    pages.push(rows.map(({ uuid }) => uuid));
    after = next ?? undefined;
  } while (after !== undefined);
  return pages;
}

export function overlooking(test: StoreTest): void {
  paging(test);
  searching(test);
  counting(test);
}

function paging(test: StoreTest): void {
  test("page() has what is not final, the newest uuid first, then what ended last", async (store) => {
    const node = await join(store, "n");
    const states = await oneOfEach(store, node);
    const live = ["retryable", "scheduled", "running", "available"].map((state) => states[state]);
    const order = [...live.sort().reverse(), states.discarded, states.cancelled, states.completed];
    for (const limit of [1, 3, 4, 7, 9]) assert.deepEqual((await walk(store, {}, limit)).flat(), order);
    assert.deepEqual((await walk(store, { state: ["running", "completed"] }, 1)).flat(), [
      states.running,
      states.completed,
    ]);
    assert.deepEqual((await walk(store, { queue: "nobody's" }, 5)).flat(), []);
  });

  test("page() of final ones has the last that ended first", async (store) => {
    const node = await join(store, "n");
    const claimed: Claimed[] = [];
    for (let i = 0; i < 5; i++) claimed.push(await running(store, node));
    const order = [3, 0, 4, 1, 2].map((i) => claimed[i]);
    for (const one of order) await finish(store, node, one, { outcome: "discarded" });
    const expected = order.map(({ uuid }) => uuid).reverse();
    for (const state of [["discarded"], ["discarded", "cancelled"]] as const) {
      assert.deepEqual((await walk(store, { state: [...state] }, 2)).flat(), expected);
    }
    assert.deepEqual(await walk(store, { state: ["completed"] }, 2), [[]]);
  });

  test("page() begins nowhere when its place is none", async (store) => {
    await publish(store);
    assert.deepEqual((await store.look.page({}, 5, "nonsense' or true")).rows, []);
  });

  test("page() narrows by each state alone", async (store) => {
    const node = await join(store, "n");
    for (const [state, uuid] of Object.entries(await oneOfEach(store, node))) {
      const { rows } = await store.look.page({ state: [state as "running"] }, 5);
      assert.deepEqual(rows.map((row) => [row.uuid, row.state]), [[uuid, state]]);
    }
  });
}

function searching(test: StoreTest): void {
  test("page() narrows by queue, node, uuid, and task, whole or its beginning", async (store) => {
    const node = await join(store, "n");
    const mail = seal("mail/wel_come", [], { queue: "mail" });
    const other = seal("mail/welXcome", [], {});
    await store.publish([mail, other]);
    await claim(store, node, { queues: ["mail"] });
    const uuids = async (filter: PageFilter) => (await walk(store, filter, 5)).flat();
    assert.deepEqual(await uuids({ queue: "mail" }), [mail.uuid]);
    assert.deepEqual(await uuids({ node: "n" }), [mail.uuid]);
    assert.deepEqual(await uuids({ task: "mail/wel_come" }), [mail.uuid]);
    assert.deepEqual(await uuids({ task: "mail/*" }), [mail.uuid, other.uuid].sort().reverse());
    assert.deepEqual(await uuids({ task: "mail/%" }), []);
    assert.deepEqual(await uuids({ uuid: mail.uuid.slice(0, 30) }), [mail.uuid]);
  });

  test("matching() has uuid and state of the newest that a filter finds", async (store) => {
    const states = await oneOfEach(store, await join(store, "n"));
    const all = Object.entries(states).map(([state, uuid]) => ({ uuid, state })).sort((a, b) =>
      a.uuid < b.uuid ? 1 : -1
    );
    assert.deepEqual(await store.look.matching({}, 100), all);
    assert.deepEqual(await store.look.matching({}, 2), all.slice(0, 2));
    const dead = await store.look.matching({ state: ["discarded", "running"] }, 100);
    assert.deepEqual(dead.map(({ state }) => state).sort(), ["discarded", "running"]);
  });

  test("page() finds an argument by its place, or by a member of one that is an object", async (store) => {
    const { uuid: first } = await publish(store, {}, [7, { id: 42, name: "Ada \u0000" }]);
    const { uuid: second } = await publish(store, {}, ["7", { id: "42" }, [1]]);
    const { uuid: third } = await publish(store, {}, [{ id: 'it\'s "42"' }]);
    const found = async (...args: [member: string, value: string][]) =>
      (await walk(store, { args: args.map(([member, value]) => ({ member, value })) }, 5)).flat().sort();
    assert.deepEqual(await found(["id", "42"]), [second], "what text cannot hold is left out");
    assert.deepEqual(await found(["0", "7"], ["id", "42"]), [second]);
    assert.deepEqual(await found(["0", "8"], ["id", "42"]), []);
    assert.deepEqual(await found(["id", 'it\'s "42"']), [third]);
    assert.deepEqual(await found(["1", "7"]), []);
    assert.notEqual(first, second);
  });
}

function counting(test: StoreTest): void {
  test("counts() has each state, and what ended of late", async (store) => {
    const empty = await store.look.counts();
    assert.deepEqual([empty.recent, empty.since], [{ completed: 0, cancelled: 0, discarded: 0 }, null]);
    await oneOfEach(store, await join(store, "n"));
    await publishMany(store, 2);
    const counts = await store.look.counts();
    assert.deepEqual(counts.live, { scheduled: 1, available: 3, running: 1, retryable: 1 });
    assert.deepEqual([counts.discarded, counts.recent], [1, { completed: 1, cancelled: 1, discarded: 1 }]);
    assert.match(counts.now, /Z$/);
  });

  test("look.queues() has what stands in each queue, and queues that are empty or paused", async (store) => {
    await join(store, "n", { queues: ["default", "idle", "n"] });
    await publishMany(store, 2, { queue: "mail" });
    await publish(store, { queue: "mail", priority: -5 });
    await publish(store, { queue: "later", delay: 60 });
    await store.pause("mail", true);
    const queues = await store.look.queues();
    assert.deepEqual(queues.map((q) => [q.queue, q.scheduled, q.available, q.running, q.paused]), [
      ["default", 0, 0, 0, false],
      ["idle", 0, 0, 0, false],
      ["later", 1, 0, 0, false],
      ["mail", 0, 3, 0, true],
      ["n", 0, 0, 0, false],
    ]);
    const [oldest] = (await store.list({ queue: "mail", limit: 9 })).map((row) => row.created_at).sort();
    assert.equal(queues[3].oldest_at, oldest);
  });

  test("look.tables() names the tables and their room", async (store) => {
    const tables = await store.look.tables();
    const hot = tables.find(({ name }) => name === "envelope")!;
    assert.ok(hot.bytes > 0 && hot.index_bytes > 0 && hot.dead >= 0);
  });

  test("groups() counts the dead by task and error, and failed() names those of one", async (store) => {
    const node = await join(store, "n");
    for (const message of ["no 1", "no 2", "other"]) {
      const error = JSON.stringify({ name: "Error", message });
      await finish(store, node, await running(store, node), { outcome: "discarded", error });
    }
    const [other, no, ...more] = await store.look.groups(9);
    assert.deepEqual([other.message, no.message, no.count, more], ["other", "no #", 2, []]);
    assert.equal((await store.look.failed(no)).length, 2);
    assert.deepEqual(await store.look.failed({ ...no, task: "x" }), []);
  });
}
