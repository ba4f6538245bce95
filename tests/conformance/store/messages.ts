import assert from "node:assert/strict";
import { seal } from "../../../runtime/envelope.ts";
import type { Store } from "../../../runtime/store/store.ts";
import { copyUuid, uuid7 } from "../../../runtime/uuid.ts";
import { eventually } from "../../harness.ts";
import { settlement } from "../make.ts";
import {
  beat,
  claim,
  finish,
  HOSTILE,
  join,
  message,
  publish,
  publishMany,
  row,
  running,
  settle,
  type StoreTest,
} from "./moves.ts";

async function inQueue(store: Store, queue: string): Promise<number> {
  return (await store.list({ queue, limit: 1_000 })).length;
}

export function messages(test: StoreTest): void {
  delivering(test);
  adopting(test);
  staging(test);
}

function delivering(test: StoreTest): void {
  test("deliver() copies a broadcast into the queue of every node, once", async (store) => {
    const nodes = [await join(store, "a"), await join(store, "b'\"\\")];
    const options = {
      queue: "broadcast",
      kwargs: { k: [1] },
      timeout: 3,
      priority: 2,
      maxAttempts: 5,
      guid: "g",
    };
    const cast = await publish(store, options, [...HOSTILE]);
    for (const { name } of nodes) {
      assert.equal(await store.deliver(name), 1);
      assert.equal(await store.deliver(name), 0);
      const { created_at: _, ...copy } = await row(store, copyUuid(cast.uuid, name));
      assert.deepEqual([copy.origin, copy.queue, copy.state, copy.attempt], [
        cast.uuid,
        name,
        "available",
        0,
      ]);
      assert.deepEqual([copy.args, copy.kwargs, copy.options], [[...HOSTILE], { k: [1] }, { guid: "g" }]);
      assert.deepEqual([copy.timeout, copy.priority, copy.max_attempts, copy.time_pub], [
        3,
        2,
        5,
        cast.timePub,
      ]);
    }
    const [claimed] = await claim(store, nodes[0], { queues: ["a"] });
    assert.equal(claimed.origin, cast.uuid);
  });

  test("deliver() keeps the order of broadcasts", async (store) => {
    const node = await join(store, "n");
    for (let i = 0; i < 20; i++) await publish(store, { queue: "broadcast" }, [i]);
    assert.equal(await store.deliver("n"), 20);
    const claimed = await claim(store, node, { queues: ["n"], limit: 100 });
    assert.deepEqual(claimed.map((one) => JSON.parse(one.args)[0]), Array.from({ length: 20 }, (_, i) => i));
  });

  test("deliver() passes over what is older than the node, also after a restart of the node", async (store) => {
    await publish(store, { queue: "broadcast" });
    const first = await join(store, "n");
    assert.equal((await beat(store, first)).broadcasts, false);
    assert.equal(await store.deliver("n"), 0);
    await publish(store, { queue: "broadcast" });
    await store.unregister(first.instance);
    await publish(store, { queue: "broadcast" });
    await join(store, "n");
    assert.equal(await store.deliver("n"), 2, "what came while it was away, too");
  });

  test("deliver() passes over what has expired", async (store) => {
    const node = await join(store, "n");
    await publish(store, { queue: "broadcast", ttl: 1e-6 });
    await publish(store, { queue: "broadcast", ttl: 60 }, ["lasts"]);
    assert.equal(await store.deliver("n"), 1);
    const [claimed] = await claim(store, node, { queues: ["n"] });
    assert.equal(claimed.args, '["lasts"]');
    assert.equal((await beat(store, node)).broadcasts, false);
  });

  test("deliver() schedules the copy of a broadcast that is to run later", async (store) => {
    await join(store, "n");
    const { uuid } = await publish(store, { queue: "broadcast", delay: 3_600 });
    await store.deliver("n");
    const copy = await row(store, copyUuid(uuid, "n"));
    assert.equal(copy.state, "scheduled");
    assert.ok(Date.parse(copy.due_at!) > Date.now() + 3_000_000);
  });

  test("deliver() twice at once for one node copies once, and nothing for nobody", async (store) => {
    await join(store, "n");
    for (let i = 0; i < 10; i++) await publish(store, { queue: "broadcast" });
    const counts = await Promise.all(Array.from({ length: 5 }, () => store.deliver("n")));
    assert.equal(counts.reduce((sum, count) => sum + count, 0), 10);
    assert.equal(await inQueue(store, "n"), 10);
    assert.equal(await store.deliver("nobody"), 0);
  });

  test("deliver() does not bring back a copy that has run", async (store) => {
    const node = await join(store, "n");
    await publish(store, { queue: "broadcast" });
    await store.deliver("n");
    const [claimed] = await claim(store, node, { queues: ["n"] });
    await finish(store, node, claimed);
    assert.equal(await store.deliver("n"), 0);
    assert.deepEqual(await claim(store, node, { queues: ["n"] }), []);
  });
}

function adopting(test: StoreTest): void {
  test("adopt() makes a row of a message, with all that it says", async (store) => {
    await join(store, "n");
    const envelope = {
      ...seal("a.b", [...HOSTILE], { kwargs: { k: 1 }, timeout: 2, guid: "g" }),
      ownUuid: true,
    };
    assert.equal(await store.adopt("n", [{ envelope, everyNode: false, anonymous: false }]), 1);
    const kept = await row(store, envelope.uuid);
    assert.deepEqual([kept.task, kept.args, kept.kwargs, kept.options], ["a.b", [...HOSTILE], { k: 1 }, {
      guid: "g",
    }]);
    assert.deepEqual([kept.queue, kept.state, kept.timeout, kept.time_pub], [
      "default",
      "available",
      2,
      envelope.timePub,
    ]);
    assert.equal(kept.origin, null);
  });

  test("adopt() by several nodes at once is done by one of them, whatever batches they make", async (store) => {
    const names = ["a", "b", "c"];
    for (const name of names) await join(store, name);
    const heard = Array.from({ length: 30 }, () => message());
    const takes = names.flatMap((name, i) => {
      const order = i === 1 ? heard.toReversed() : heard;
      return [store.adopt(name, order.slice(0, 15)), store.adopt(name, order.slice(15))];
    });
    const taken = await Promise.all(takes);
    assert.equal(taken.reduce((sum, count) => sum + count, 0), 30);
    assert.equal(await store.waiting(["default"]), 30);
  });

  test("adopt() keeps the order of the messages", async (store) => {
    const node = await join(store, "n");
    const heard = Array.from({ length: 300 }, (_, i) => message({ args: `[${i}]` }));
    assert.equal(await store.adopt("n", heard), 300);
    const claimed = await claim(store, node, { limit: 300 });
    assert.deepEqual(claimed.map((one) => one.args), heard.map((one) => one.envelope.args));
  });

  test("adopt() takes a message once, also when it has run already", async (store) => {
    const node = await join(store, "n");
    const heard = message();
    assert.equal(await store.adopt("n", [heard, heard]), 1);
    assert.equal(await store.adopt("n", [heard]), 0);
    const [claimed] = await claim(store, node);
    await finish(store, node, claimed);
    assert.equal(await store.adopt("n", [heard]), 0);
    assert.deepEqual(await claim(store, node), []);
  });

  test("adopt() of a message for every node gives each its own copy", async (store) => {
    await join(store, "a");
    await join(store, "b");
    const heard = message({}, { everyNode: true });
    for (const name of ["a", "b"]) {
      assert.equal(await store.adopt(name, [heard]), 1);
      assert.equal(await store.adopt(name, [heard]), 0);
      const copy = await row(store, copyUuid(heard.envelope.uuid, name));
      assert.deepEqual([copy.queue, copy.origin], [name, heard.envelope.uuid]);
    }
  });

  test("adopt() of a message without a uuid is done by the first node by name that consumes its queue", async (store) => {
    await join(store, "a", { queues: ["a"] });
    await join(store, "b");
    await join(store, "c");
    // Each node has made up another uuid.
    const heard = () => message({}, { anonymous: true });
    assert.deepEqual(await Promise.all(["a", "b", "c"].map((name) => store.adopt(name, [heard()]))), [
      0,
      1,
      0,
    ]);
  });

  test("adopt() of a message without a uuid passes over nodes that are not there or drain", async (store) => {
    const [gone, drains] = [await join(store, "a"), await join(store, "b")];
    await join(store, "c");
    await store.unregister(gone.instance);
    await beat(store, drains, { state: "draining" });
    const heard = () => message({}, { anonymous: true });
    assert.deepEqual(await Promise.all(["a", "b", "c"].map((name) => store.adopt(name, [heard()]))), [
      0,
      0,
      1,
    ]);
  });

  test("adopt() of a message without a uuid on a node's own queue is that node's", async (store) => {
    await join(store, "a", { queues: ["default", "a", "z"] });
    await join(store, "z");
    const heard = message({ queue: "z" }, { anonymous: true });
    assert.equal(await store.adopt("z", [heard]), 1);
    assert.equal(await inQueue(store, "z"), 1);
  });

  test("adopt() schedules a message with a delay", async (store) => {
    await join(store, "n");
    const [later, now] = [message({ delay: 3_600 }), message({ delay: 0 })];
    assert.equal(await store.adopt("n", [later, now]), 2);
    assert.equal((await row(store, later.envelope.uuid)).state, "scheduled");
    assert.equal((await row(store, now.envelope.uuid)).state, "available");
  });

  test("adopted() gives what waits of what the node took, with all that a filter may name", async (store) => {
    await join(store, "n");
    const make = (kwargs: string, more = {}) =>
      message({ uuid: uuid7(), ownUuid: true, delay: 60, kwargs, ...more });
    const [one, two] = [make('{"k":1}'), make('{"k":2}', { task: "examples/echo" })];
    const copied = { ...make("{}"), everyNode: true };
    await store.adopt("n", [one, two, copied, make("{}", { delay: null })]);
    const found = async (filter: { task?: string; uuid?: string; limit?: number } = {}) =>
      (await store.adopted("n", { limit: 10, ...filter })).map(({ kwargs, blocked }) => [kwargs, blocked]);
    assert.deepEqual(await found(), [[{ k: 1 }, false], [{ k: 2 }, false], [{}, false]]);
    assert.deepEqual(await found({ limit: 2 }), [[{ k: 1 }, false], [{ k: 2 }, false]]);
    assert.deepEqual(await found({ task: "examples/echo" }), [[{ k: 2 }, false]]);
    assert.deepEqual(await found({ uuid: one.envelope.uuid }), [[{ k: 1 }, false]]);
    const [copy] = await store.adopted("n", { uuid: copied.envelope.uuid, limit: 10 });
    assert.deepEqual([copy.origin, copy.uuid], [copied.envelope.uuid, copyUuid(copied.envelope.uuid, "n")]);
    assert.equal((await store.adopted("other", { limit: 10 })).length, 0);
  });

  test("adopt() runs nothing of a uuid that was published and is final", async (store) => {
    const node = await join(store, "n");
    const claimed = await running(store, node);
    await finish(store, node, claimed, { result: "1" });
    assert.equal(await store.adopt("n", [message({ uuid: claimed.uuid })]), 0);
    assert.deepEqual(await claim(store, node), []);
    assert.equal((await row(store, claimed.uuid)).result, 1);
  });

  test("adopt() changes nothing of a uuid that waits already", async (store) => {
    await join(store, "n");
    const { uuid } = await publish(store, { uuid: uuid7() }, ["first"]);
    assert.equal(await store.adopt("n", [message({ uuid, args: '["second"]' })]), 0);
    assert.deepEqual((await row(store, uuid)).args, ["first"]);
  });
}

function staging(test: StoreTest): void {
  test("stage() makes available what is due and nothing else, and tells when to look again", async (store) => {
    const node = await join(store, "n");
    assert.deepEqual(await store.stage(10), { queues: [], next: null });
    const soon = await publish(store, { delay: 0.02, queue: "soon" });
    const later = await publish(store, { delay: 3_600 });
    const staged: string[] = [];
    await eventually(async () => {
      staged.push(...(await store.stage(10)).queues);
      assert.deepEqual(staged, ["soon"]);
    });
    const { state, due_at } = await row(store, soon.uuid);
    assert.deepEqual([state, due_at], ["available", null]);
    assert.equal((await row(store, later.uuid)).state, "scheduled");
    const { next } = await store.stage(10);
    assert.ok(next! > 3_500 && next! <= 3_600, `${next} s`);
    assert.equal((await claim(store, node, { queues: ["soon"] })).length, 1);
  });

  test("stage() makes available what is to be tried again, its attempts counted on", async (store) => {
    const node = await join(store, "n");
    const claimed = await running(store, node, { maxAttempts: 2 });
    await settle(store, node, settlement(claimed, { outcome: "retry", delay: 0 }));
    assert.deepEqual(await store.stage(10), { queues: ["default"], next: null });
    const [again] = await claim(store, node);
    assert.deepEqual([again.uuid, again.attempt], [claimed.uuid, 2]);
  });

  test("stage() moves no more than its limit, the longest due first, and says that more are due", async (store) => {
    const node = await join(store, "n");
    await publishMany(store, 5);
    const order: string[] = [];
    for (const claimed of await claim(store, node)) {
      order.push(claimed.uuid);
      await settle(store, node, settlement(claimed, { outcome: "retry", delay: 0 }));
    }
    const { queues, next } = await store.stage(2);
    assert.deepEqual(queues, ["default"]);
    assert.ok(next! <= 0, `${next} s`);
    assert.deepEqual((await claim(store, node)).map((one) => one.uuid), order.slice(0, 2));
    await store.stage(100);
    assert.deepEqual((await claim(store, node)).map((one) => one.uuid), order.slice(2));
  });

  test("stage() by many at once makes each envelope available once", async (store) => {
    const node = await join(store, "n");
    await publishMany(store, 40);
    const claimed = await claim(store, node, { limit: 40 });
    await settle(store, node, ...claimed.map((one) => settlement(one, { outcome: "retry", delay: 0 })));
    await Promise.all(Array.from({ length: 5 }, () => store.stage(15)));
    await store.stage(100);
    assert.equal((await claim(store, node, { limit: 100 })).length, 40);
  });
}
