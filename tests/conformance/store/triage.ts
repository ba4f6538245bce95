import assert from "node:assert/strict";
import { seal } from "../../../runtime/envelope.ts";
import { eventually } from "../../harness.ts";
import { settlement } from "../make.ts";
import {
  beat,
  claim,
  finish,
  join,
  lapse,
  publish,
  publishMany,
  put,
  row,
  running,
  settle,
  type StoreTest,
} from "./moves.ts";

const GPU = { resources: { gpu: 1 } };
const QUEUES = ["default"];

export function choosing(test: StoreTest): void {
  test("what asks for resources is available to whoever looks, and to no ordinary claim", async (store) => {
    const node = await join(store, "n");
    const { uuid } = await publish(store, { resources: { gpu: 2, cpu: 0.5 } });
    const plain = await publish(store);
    const { claimed, all, asking } = await store.exchange({
      node: "n",
      instance: node.instance,
      settlements: [],
      queues: QUEUES,
      limit: 10,
    });
    assert.deepEqual([claimed.map((one) => one.uuid), all, asking], [[plain.uuid], true, true]);
    assert.equal((await row(store, uuid)).state, "available");
    assert.deepEqual((await store.list({ state: ["available"], limit: 9 })).map((one) => one.uuid), [uuid]);
    assert.deepEqual((await store.matching({ state: ["available"], limit: 9 })).map(({ state }) => state), [
      "available",
    ]);
    assert.equal((await store.outcomes([uuid])).get(uuid)?.state, "available");
    assert.equal((await store.queues())[0].available, 1);
    assert.equal((await store.look.counts()).live.available, 1);
    const [look] = (await store.look.queues()).filter(({ queue }) => queue === "default");
    assert.equal(look.available, 1);
    assert.notEqual(look.oldest_at, null);
  });

  test("exchange() tells that something asks only of its own queues", async (store) => {
    const node = await join(store, "n");
    await publish(store, { ...GPU, queue: "other" });
    const work = { node: "n", instance: node.instance, settlements: [], limit: 1 };
    assert.equal((await store.exchange({ ...work, queues: QUEUES })).asking, false);
    assert.equal((await store.exchange({ ...work, queues: ["other"] })).asking, true);
  });

  test("exchange() of a lane claims from its queue and priority alone", async (store) => {
    const node = await join(store, "n");
    await publishMany(store, 3, { priority: 1 });
    const wanted = await publishMany(store, 3, { priority: 2 });
    await publishMany(store, 3, { priority: 3 });
    await publishMany(store, 3, { priority: 2, queue: "other" });
    const lane = { queue: "default", priority: 2 };
    const work = { node: "n", instance: node.instance, settlements: [], queues: ["default", "other"], lane };
    const { claimed } = await store.exchange({ ...work, limit: 2 });
    assert.deepEqual(claimed.map((one) => one.uuid), wanted.slice(0, 2));
    const rest = await store.exchange({ ...work, limit: 9 });
    assert.deepEqual(rest.claimed.map((one) => one.uuid), wanted.slice(2));
  });

  test("contenders() gives the first few of each queue, demand and priority", async (store) => {
    const batch = [
      ...["a", "b"].flatMap((queue) =>
        [1, 2].flatMap((gpu) =>
          [0, 5].flatMap((priority) =>
            [1, 2, 3].map((n) => seal("t", [n], { queue, priority, resources: { gpu, none: 0 } }))
          )
        )
      ),
      ...[0, 5].flatMap((priority) => [1, 2, 3].map((n) => seal("t", [n], { queue: "a", priority }))),
    ];
    await put(store, ...batch);
    const found = await store.contenders(["a", "b", "c"], 2);
    const expected = batch.filter(({ args }) => args !== "[3]");
    assert.deepEqual(found.map(({ uuid }) => uuid).sort(), expected.map(({ uuid }) => uuid).sort());
    const [one] = found.filter(({ uuid }) => uuid === batch[9].uuid);
    assert.deepEqual([one.queue, one.demand, one.priority], ["a", { gpu: 2 }, 5]);
    assert.ok(one.waited >= 0 && one.waited < 60, `${one.waited}`);
    const plain = found.filter(({ demand }) => demand === null);
    assert.deepEqual(plain.map(({ priority }) => priority), [0, 0, 5, 5]);
    await store.pause("a", true);
    assert.deepEqual(
      new Set((await store.contenders(["a", "b"], 1)).map(({ queue }) => queue)),
      new Set(["b"]),
    );
  });

  test("contenders() leaves out no demand, however many there are", async (store) => {
    await put(
      store,
      ...Array.from({ length: 1_500 }, (_, i) => seal("t", [], { resources: { cpu: i + 1 } })),
    );
    const seen = new Set<number>();
    for (let look = 0; look < 2; look++) {
      for (const { demand } of await store.contenders(QUEUES, 1)) seen.add(demand!.cpu);
    }
    assert.equal(seen.size, 1_500);
    assert.equal((await store.contenders(QUEUES, 1)).length, 1_000, "and begins again");
  });

  test("contenders() counts waiting from the time at which it is due", async (store) => {
    const { uuid } = await publish(store, { ...GPU, delay: 0.2 });
    const [{ waited }] = await eventually(async () => {
      await store.stage(10);
      const found = await store.contenders(QUEUES, 1);
      return found.length > 0 ? found : undefined;
    }) as { waited: number }[];
    const age = (Date.now() - Date.parse((await row(store, uuid)).created_at)) / 1000;
    assert.ok(waited <= age - 0.1, `${waited} of ${age}`);
  });

  test("claimAsking() claims each once, with the guards of every claim", async (store) => {
    const [a, b] = [await join(store, "a"), await join(store, "b")];
    const uuids = await publishMany(store, 20, GPU);
    const halves = await Promise.all([a, b].map((n) => store.claimAsking(n.name, n.instance, uuids)));
    assert.deepEqual(halves.flat().map(({ uuid }) => uuid).sort(), uuids.sort());
    for (const one of halves.flat()) assert.deepEqual([one.attempt, one.fence, one.priority], [1, 1, 0]);
    const paused = await publish(store, GPU);
    await store.pause("default", true);
    assert.deepEqual(await store.claimAsking("a", a.instance, [paused.uuid]), []);
    await store.pause("default", false);
    assert.deepEqual(await store.claimAsking("a", b.instance, [paused.uuid]), [], "another has the name");
    assert.equal((await store.claimAsking("a", a.instance, [paused.uuid])).length, 1);
  });

  test("what is tried again, given back, rescued or brought back waits apart again", async (store) => {
    const node = await join(store, "n");
    const { uuid } = await publish(store, GPU);
    const take = async () => {
      assert.deepEqual(await claim(store, node), [], "no ordinary claim gets it");
      const [claimed] = await store.claimAsking("n", node.instance, [uuid]);
      assert.ok(claimed, "it waits");
      return claimed;
    };
    await finish(store, node, await take(), { outcome: "released" });
    await finish(store, node, await take(), { outcome: "retry", delay: 0 });
    await store.stage(10);
    await take();
    assert.equal((await store.reconcile(node.instance, [])).length, 1);
    await finish(store, node, await take(), { outcome: "discarded", error: '{"name":"E","message":"m"}' });
    assert.deepEqual((await store.retry([uuid])).map(({ did }) => did), ["retried"]);
    assert.deepEqual((await store.retry([uuid])).map(({ did }) => did as string), ["available"]);
    await take();
    await lapse(store, node);
    await store.rescue();
    const other = await join(store, "m");
    assert.deepEqual(await claim(store, other), []);
    assert.equal((await store.claimAsking("m", other.instance, [uuid])).length, 1);
  });

  test("what is scheduled, or behind an equal one, waits apart when its time comes", async (store) => {
    const node = await join(store, "n");
    await put(store, seal("t", [], { ...GPU, delay: 0.01 }));
    const twins = [1, 2].map(() => seal("twin", [], { ...GPU, onDuplicate: "serial" }));
    await put(store, ...twins);
    await eventually(async () => {
      await store.stage(10);
      assert.equal((await store.contenders(QUEUES, 5)).length, 2);
    });
    assert.deepEqual(await claim(store, node), []);
    const [claimed] = await store.claimAsking("n", node.instance, [twins[0].uuid]);
    await finish(store, node, claimed, { keyed: true });
    await store.stage(10);
    assert.deepEqual(await claim(store, node), []);
    assert.equal((await store.claimAsking("n", node.instance, [twins[1].uuid])).length, 1);
  });

  test("ask() gives back what turned out to ask, with what for, uncharged", async (store) => {
    const node = await join(store, "n");
    const claims = [await running(store, node), await running(store, node, { guid: "g" })];
    const asked = claims.map(({ uuid, fence }) => ({ uuid, fence, demand: { gpu: 2 } }));
    assert.deepEqual(await store.ask(node.instance, asked), new Set(claims.map(({ uuid }) => uuid)));
    assert.deepEqual(await claim(store, node), []);
    const found = await row(store, claims[1].uuid);
    assert.deepEqual([found.state, found.attempt, found.node], ["available", 0, null]);
    assert.deepEqual(found.options, { guid: "g", resources: { gpu: 2 } });
    assert.deepEqual((await row(store, claims[0].uuid)).options, { resources: { gpu: 2 } });
    assert.deepEqual((await store.contenders(QUEUES, 5)).map(({ demand }) => demand), [{ gpu: 2 }, {
      gpu: 2,
    }]);
    assert.equal((await store.ask(node.instance, asked)).size, 0, "stale");
  });

  test("ask() leaves what somebody asked to cancel to its settling", async (store) => {
    const node = await join(store, "n");
    const { uuid, fence } = await running(store, node);
    await store.cancel([uuid]);
    assert.equal((await store.ask(node.instance, [{ uuid, fence, demand: { gpu: 1 } }])).size, 0);
    await settle(store, node, settlement({ uuid, fence }, { outcome: "released" }));
    assert.equal((await row(store, uuid)).state, "cancelled");
  });

  test("preempt() counts up to its limit, of what runs here under this fence", async (store) => {
    const node = await join(store, "n");
    const other = await join(store, "m");
    const { uuid, fence } = await running(store, node);
    assert.equal((await store.preempt(other.instance, [{ uuid, fence }], 3)).size, 0);
    assert.equal((await store.preempt(node.instance, [{ uuid, fence: fence + 1 }], 3)).size, 0);
    const counted = [];
    for (let i = 0; i < 4; i++) counted.push((await store.preempt(node.instance, [{ uuid, fence }], 3)).size);
    assert.deepEqual(counted, [1, 1, 1, 0]);
    const gives = await running(store, node, { preemptible: true, priority: 3 });
    const urgent = await publish(store, { priority: 2 });
    assert.deepEqual((await store.holdups(urgent.uuid))?.victims, ["n"]);
    assert.deepEqual((await store.holdups((await publish(store, { priority: 3 })).uuid))?.victims, []);
    assert.equal((await store.preempt(node.instance, [gives], 3)).size, 1);
    assert.equal((await store.holdups(uuid))?.preempted, 3);
  });

  test("heartbeat() keeps what a node offers, until another instance has its name", async (store) => {
    const node = await join(store, "n");
    assert.equal((await store.nodes())[0].resources, null);
    const resources = { offers: { cpu: 2, gpu: 1 }, used: { gpu: 1 }, ageing: 300, reserved: null };
    await beat(store, node, { resources });
    assert.deepEqual((await store.nodes())[0].resources, resources);
    await lapse(store, node);
    await join(store, "n");
    assert.equal((await store.nodes())[0].resources, null);
  });
}
