import assert from "node:assert/strict";
import { seal } from "../../../runtime/envelope.ts";
import { settlement } from "../make.ts";
import { claim, join, publish, publishMany, row, running, type StoreTest } from "./moves.ts";

export function claiming(test: StoreTest): void {
  test("exchange() claims by priority, then in the order of publishing, over all queues", async (store) => {
    const node = await join(store, "n");
    const calls: [queue: string, priority: number][] = [
      ["a", 0],
      ["b", 5],
      ["a", -1],
      ["b", 0],
      ["a", 5],
      ["c", -32_768],
      ["b", -1],
      ["a", 0],
    ];
    const batch = calls.map(([queue, priority], i) => seal("t", [i], { queue, priority }));
    await store.publish(batch);
    const claimed = await claim(store, node, { limit: 100, queues: ["a", "b", "c"] });
    assert.deepEqual(claimed.map((one) => JSON.parse(one.args)[0]), [5, 2, 6, 0, 3, 7, 1, 4]);
  });

  test("exchange() claims the most urgent when there is room for a few", async (store) => {
    const node = await join(store, "n");
    await publishMany(store, 5, { queue: "a" });
    const urgent = await publishMany(store, 3, { queue: "b", priority: -1 });
    const claimed = await claim(store, node, { limit: 3, queues: ["a", "b"] });
    assert.deepEqual(claimed.map((one) => one.uuid), urgent);
  });

  test("exchange() claims the most urgent of one queue, however late it was published", async (store) => {
    const node = await join(store, "n");
    await publishMany(store, 50);
    const urgent = await publishMany(store, 3, { priority: -1 });
    assert.deepEqual((await claim(store, node, { limit: 3 })).map((one) => one.uuid), urgent);
  });

  test("exchange() claims no more than its limit, and nothing with a limit of 0", async (store) => {
    const node = await join(store, "n");
    await publishMany(store, 10);
    assert.equal((await claim(store, node, { limit: 0 })).length, 0);
    assert.equal((await claim(store, node, { limit: 4 })).length, 4);
    assert.equal((await claim(store, node, { limit: 100 })).length, 6);
    assert.equal((await claim(store, node, { limit: 100 })).length, 0);
  });

  test("exchange() claims all of one busy queue among many, and says when that was all", async (store) => {
    const { name: node, instance } = await join(store, "n");
    const uuids = await publishMany(store, 100);
    const queues = ["a", "b", "c", "d", "e", "f", "default"];
    const found: string[] = [];
    for (let all = false; !all;) {
      const exchanged = await store.exchange({ node, instance, settlements: [], queues, limit: 60 });
      all = exchanged.all;
      found.push(...exchanged.claimed.map(({ uuid }) => uuid));
      assert.ok(all || exchanged.claimed.length > 0);
    }
    assert.deepEqual(found, uuids);
  });

  test("exchange() claims from the given queues only", async (store) => {
    const node = await join(store, "n");
    await publishMany(store, 3, { queue: "mine" });
    await publishMany(store, 3, { queue: "other" });
    assert.deepEqual(await claim(store, node, { queues: [] }), []);
    assert.deepEqual(await claim(store, node, { queues: ["nobody's", "min", "MINE"] }), []);
    const claimed = await claim(store, node, { queues: ["mine", "nobody's"] });
    assert.deepEqual(claimed.map((one) => one.queue), ["mine", "mine", "mine"]);
  });

  test("exchange() claims only what comes behind its floors, and all else that is there", async (store) => {
    const node = await join(store, "n");
    const of = (queue: string, priority: number) => publishMany(store, 3, { queue, priority });
    const [urgent, usual, later] = [await of("a", -1), await of("a", 0), await of("a", 3)];
    const other = await of("b", 0);
    const work = { node: "n", instance: node.instance, settlements: [], queues: ["a", "b"] };
    // What numbers they have is the store's business: they are told from what was claimed.
    const { reached, last } = await store.exchange({ ...work, limit: 4 });
    assert.deepEqual(reached.map(({ queue, priority }) => [queue, priority]), [["a", -1], ["a", 0]]);
    const behind = { queue: "a", priority: 0, id: reached[1].id + 1 };
    const beyond = { queue: "b", priority: 0, id: last };
    const { claimed } = await store.exchange({ ...work, limit: 100, floors: [beyond, behind] });
    assert.deepEqual(claimed.map((one) => one.uuid), [usual[2], ...later]);
    await publish(store, { queue: "b" });
    const floors = [beyond, { queue: "a", priority: -1, id: last }];
    const rest = await store.exchange({ ...work, limit: 100, floors });
    assert.deepEqual(rest.claimed.map((one) => one.queue), ["a", "b"]);
    assert.ok(rest.last > last);
    const all = await store.exchange({ ...work, limit: 100 });
    assert.deepEqual(all.claimed.map((one) => one.uuid), other);
    assert.equal(urgent.length, 3);
  });

  test("exchange() gives all that is needed to run an envelope, and marks it as running", async (store) => {
    const node = await join(store, "n");
    const options = { kwargs: { b: 2 }, timeout: 5, maxAttempts: 3, priority: 1, guid: "g" };
    const { uuid } = await publish(store, options, [1]);
    const [claimed] = await claim(store, node);
    assert.deepEqual(claimed, {
      uuid,
      fence: 1,
      task: "examples/add",
      queue: "default",
      args: "[1]",
      kwargs: '{"b":2}',
      options: '{"guid":"g"}',
      priority: 1,
      attempt: 1,
      forgiven: 0,
      maxAttempts: 3,
      timeout: 5,
      solo: false,
      origin: null,
      keyed: false,
    });
    const { state, node: name, claimed_at, attempt } = await row(store, uuid);
    assert.deepEqual([state, name, attempt], ["running", "n", 1]);
    assert.match(claimed_at!, /Z$/);
  });

  test("exchange() does not claim what is scheduled or to be tried later", async (store) => {
    const node = await join(store, "n");
    await publish(store, { delay: 3_600 });
    const claimed = await running(store, node);
    const retry = settlement(claimed, { outcome: "retry", delay: 3_600 });
    const { name, instance } = node;
    await store.exchange({ node: name, instance, settlements: [retry], queues: [], limit: 0 });
    assert.deepEqual(await claim(store, node), []);
  });

  test("exchange() gives a row to one of twenty who claim at once, and all rows to somebody", async (store) => {
    const nodes = [await join(store, "one"), await join(store, "two")];
    const uuids = await publishMany(store, 300);
    const taken = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
      const mine: string[] = [];
      for (;;) {
        const claimed = await claim(store, nodes[i % 2], { limit: 7 });
        if (claimed.length === 0) return mine;
        for (const one of claimed) {
          assert.equal(one.fence, 1);
          mine.push(one.uuid);
        }
      }
    }));
    // A claim may find everything locked by others; what they could not take is still there.
    const rest: string[] = [];
    for (let more = await claim(store, nodes[0]); more.length > 0; more = await claim(store, nodes[0])) {
      rest.push(...more.map((one) => one.uuid));
    }
    const all = [...taken.flat(), ...rest];
    assert.equal(new Set(all).size, all.length, "none was claimed twice");
    assert.deepEqual(all.sort(), uuids.sort());
  });

  test("exchange() settles and claims in one call, and does not give back what it settles", async (store) => {
    const node = await join(store, "n");
    const first = await running(store, node);
    const again = await running(store, node);
    const next = await publish(store);
    const { claimed, settled } = await store.exchange({
      node: node.name,
      instance: node.instance,
      settlements: [settlement(first), settlement(again, { outcome: "released" })],
      queues: ["default"],
      limit: 10,
    });
    assert.deepEqual([...settled].sort(), [first.uuid, again.uuid].sort());
    assert.ok(claimed.some((one) => one.uuid === next.uuid));
    assert.ok(!claimed.some((one) => one.uuid === first.uuid));
  });
}
