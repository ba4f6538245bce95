import assert from "node:assert/strict";
import type { NodeRegistration, Registered, Store } from "../../../runtime/store/store.ts";
import { uuid7 } from "../../../runtime/uuid.ts";
import { registration, settlement } from "../make.ts";
import {
  beat,
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

async function refused(store: Store, node: NodeRegistration) {
  const answer: Registered = await store.register(node);
  assert.equal(answer.ok, false);
  return (answer as Extract<Registered, { ok: false }>).holder;
}

async function leaders(store: Store): Promise<string[]> {
  return (await store.nodes()).filter((node) => node.leader).map((node) => node.name);
}

export function nodes(test: StoreTest): void {
  registering(test);
  beating(test);
  leading(test);
  leaving(test);
}

function registering(test: StoreTest): void {
  test("register() makes a node that nodes() shows with all that it said", async (store) => {
    const node = await join(store, "n", { queues: ["default", "n", "a'b"], minSlots: 2, maxSlots: 8 });
    const [{ started_at, last_seen, lease_until, ...shown }] = await store.nodes();
    assert.deepEqual(shown, {
      name: "n",
      instance: node.instance,
      runtime: "deno",
      version: "0.1.0",
      host: "somewhere",
      pid: 4711,
      boot: "boot/4711",
      state: "running",
      alive: true,
      min: 2,
      max: 8,
      slots: 0,
      busy: 0,
      listener: "connected",
      rss: null,
      resources: null,
      queues: ["default", "n", "a'b"],
      leader: false,
    });
    const lease = Date.parse(lease_until) - Date.parse(last_seen);
    assert.ok(Math.abs(lease - 30_000) < 1_000, `${lease} ms`);
    assert.match(started_at, /Z$/);
  });

  test("schedules() has what live nodes tick by themselves, once for each form, and nobody pauses it", async (store) => {
    const own = {
      name: "sweep",
      task: "t",
      args: [{ a: "\u0000\ud800" }],
      options: { priority: 1 },
      every: null,
      cron: "@daily",
      timezone: null,
      catch_up: "one",
      enabled: true,
    } as const;
    const listed = async () =>
      (await store.schedules()).map(({ name, scope, nodes, every }) => [name, scope, nodes, every]);
    const schedules = [{ ...own, args: [...own.args] }];
    const b = await join(store, "b", { schedules });
    const other = await join(store, "a", {
      schedules: [...schedules, { ...schedules[0], name: "own", every: 5 }],
    });
    await join(store, "none");
    assert.deepEqual(await listed(), [["own", "node", ["a"], 5], ["sweep", "node", ["a", "b"], null]]);
    const unknown = { kwargs: {}, queue: "", next_at: null, last_at: null, last_uuid: null };
    assert.deepEqual((await store.schedules())[1], { ...own, ...unknown, scope: "node", nodes: ["a", "b"] });
    assert.equal(await store.enableSchedule("sweep", false, () => null), false);
    const shared = { ...own, args: [1], kwargs: {}, queue: "default", next_at: null };
    await store.putSchedules([shared], () => new Date("2030-01-01T00:00:00Z"));
    assert.deepEqual((await listed())[0], ["sweep", "cluster", null, null], "the cluster's first");
    assert.equal(await store.enableSchedule("sweep", false, () => null), true);
    await lapse(store, other);
    await store.unregister(b.instance);
    assert.deepEqual(await listed(), [["sweep", "cluster", null, null]]);
    await join(store, "b");
    assert.deepEqual(await listed(), [["sweep", "cluster", null, null]], "an instance of before told it");
  });

  test("register() refuses a name while the lease of its holder lives, and tells who that is", async (store) => {
    const holder = await join(store, "n");
    assert.equal((await refused(store, registration("n"))).instance, holder.instance);
    assert.equal((await refused(store, registration("n", { replaces: uuid7() }))).instance, holder.instance);
    assert.equal((await store.register(registration("N"))).ok, true, "another name");
    assert.equal((await beat(store, holder)).alive, true);
  });

  test("register() of one name by ten at once is granted to one", async (store) => {
    const all = await Promise.all(Array.from({ length: 10 }, () => store.register(registration("n"))));
    assert.equal(all.filter((answer) => answer.ok).length, 1);
    assert.equal((await store.nodes()).length, 1);
  });

  test("register() takes a name whose lease has lapsed, and rescues what its holder had", async (store) => {
    const old = await join(store, "n");
    await publishMany(store, 3);
    const claimed = await claim(store, old);
    await lapse(store, old);
    assert.deepEqual(await store.register(registration("n")), { ok: true, rescued: 3 });
    assert.equal((await beat(store, old)).alive, false);
    for (const { uuid } of claimed) assert.equal((await row(store, uuid)).state, "available");
  });

  test("register() takes the name of a node that has left", async (store) => {
    const old = await join(store, "n");
    await store.unregister(old.instance);
    assert.deepEqual(await store.register(registration("n")), { ok: true, rescued: 0 });
  });

  test("register() replaces an instance that is known to be dead although its lease lives", async (store) => {
    const dead = await join(store, "n");
    const claimed = await running(store, dead);
    const next = registration("n", { replaces: dead.instance });
    assert.deepEqual(await store.register(next), { ok: true, rescued: 1 });
    assert.equal((await beat(store, dead)).alive, false);
    assert.deepEqual(await settle(store, dead, settlement(claimed)), []);
    assert.equal((await store.nodes())[0].instance, next.instance);
  });
}

function beating(test: StoreTest): void {
  test("heartbeat() renews the lease and shows what the node does", async (store) => {
    const node = await join(store, "n", { leaseSeconds: 1 });
    assert.equal(
      (await beat(store, node, { state: "draining", slots: 5, busy: 3, leaseSeconds: 60 })).alive,
      true,
    );
    const [{ state, slots, busy, lease_until, last_seen, alive }] = await store.nodes();
    assert.deepEqual([state, slots, busy, alive], ["draining", 5, 3, true]);
    assert.ok(Date.parse(lease_until) - Date.parse(last_seen) > 59_000);
  });

  test("heartbeat() tells of a node that hears nothing, and how much memory it takes", async (store) => {
    const node = await join(store, "n");
    const told = async () => (await store.nodes()).map(({ listener, rss }) => [listener, rss]);
    await beat(store, node, { listener: "isolated", rss: 5_000_000_000 });
    assert.deepEqual(await told(), [["isolated", 5_000_000_000]]);
    await store.unregister(node.instance);
    await join(store, "n");
    assert.deepEqual(await told(), [["connected", null]]);
  });

  test("heartbeat() is not alive for an instance that nobody knows", async (store) => {
    const { alive, leader, cancels, broadcasts } = await beat(store, registration("n"));
    assert.deepEqual([alive, leader, cancels, broadcasts], [false, false, [], false]);
  });

  test("heartbeat() tells every node of a lease that has lapsed, and for a while after it was reclaimed", async (store) => {
    const [node, dead] = [await join(store, "n"), await join(store, "dead")];
    assert.equal((await beat(store, node)).lapsed, false);
    await lapse(store, dead);
    assert.equal((await beat(store, node)).lapsed, true);
    await store.unregister(dead.instance);
    assert.equal((await beat(store, node)).lapsed, false, "it has ended in order");
  });

  test("heartbeat() revives a lease that has lapsed, but not one that was reclaimed", async (store) => {
    const node = await join(store, "n");
    await lapse(store, node);
    assert.equal((await store.nodes())[0].alive, false);
    assert.equal((await beat(store, node)).alive, true);
    await lapse(store, node);
    await store.rescue();
    const reply = await beat(store, node);
    assert.deepEqual([reply.alive, reply.leader], [false, false]);
    assert.equal((await store.nodes())[0].state, "lost");
  });

  test("heartbeat() does not bring back an instance that has left", async (store) => {
    const node = await join(store, "n");
    await store.unregister(node.instance);
    assert.equal((await beat(store, node)).alive, false);
    assert.equal((await store.register(registration("n"))).ok, true);
  });

  test("heartbeat() tells what runs here and is to be cancelled, each time until it has ended", async (store) => {
    const [node, other] = [await join(store, "n"), await join(store, "o")];
    const mine = [await running(store, node), await running(store, node)];
    const theirs = await running(store, other);
    await running(store, node);
    await store.cancel([...mine, theirs].map((one) => one.uuid));
    const expected = mine.map((one) => one.uuid).sort();
    for (let i = 0; i < 2; i++) assert.deepEqual((await beat(store, node)).cancels.sort(), expected);
    assert.deepEqual((await beat(store, other)).cancels, [theirs.uuid]);
    await finish(store, node, mine[0], { outcome: "cancelled" });
    assert.deepEqual((await beat(store, node)).cancels, [mine[1].uuid]);
  });

  test("heartbeat() tells that broadcasts wait until they are delivered", async (store) => {
    const node = await join(store, "n");
    assert.equal((await beat(store, node)).broadcasts, false);
    await publish(store, { queue: "broadcast" });
    assert.equal((await beat(store, node)).broadcasts, true);
    await store.deliver("n");
    assert.equal((await beat(store, node)).broadcasts, false);
  });
}

function leading(test: StoreTest): void {
  test("heartbeat() makes one node the leader, and leaves it that", async (store) => {
    const all = [await join(store, "a"), await join(store, "b"), await join(store, "c")];
    const first = await Promise.all(all.map((node) => beat(store, node)));
    assert.equal(first.filter((reply) => reply.leader).length, 1);
    for (let round = 0; round < 3; round++) {
      const again = await Promise.all(all.map((node) => beat(store, node)));
      assert.deepEqual(again.map((reply) => reply.leader), first.map((reply) => reply.leader));
    }
    assert.deepEqual(await leaders(store), all.filter((_, i) => first[i].leader).map((node) => node.name));
  });

  test("heartbeat() makes another the leader when the term of a silent one has ended", async (store) => {
    const [a, b] = [await join(store, "a"), await join(store, "b")];
    assert.equal((await beat(store, a)).leader, true);
    assert.equal((await beat(store, b)).leader, false);
    assert.equal((await beat(store, a, { leaderSeconds: 0 })).leader, true);
    assert.deepEqual(await leaders(store), []);
    assert.equal((await beat(store, b)).leader, true);
    assert.equal((await beat(store, a)).leader, false);
  });

  test("heartbeat() lets no node lead that drains, and none that is not alive", async (store) => {
    const [a, b] = [await join(store, "a"), await join(store, "b")];
    assert.equal((await beat(store, a, { state: "draining" })).leader, false);
    assert.equal((await beat(store, registration("x"))).leader, false);
    assert.equal((await beat(store, b)).leader, true);
  });
}

function leaving(test: StoreTest): void {
  test("unregister() gives back what the node holds, uncharged, and ends its lease", async (store) => {
    const [node, other] = [await join(store, "n"), await join(store, "o")];
    const [mine, theirs] = [await running(store, node), await running(store, other)];
    await store.unregister(node.instance);
    const { state, attempt, node: name } = await row(store, mine.uuid);
    assert.deepEqual([state, attempt, name], ["available", 0, null]);
    assert.equal((await row(store, theirs.uuid)).state, "running");
    const left = (await store.nodes()).find((one) => one.name === "n")!;
    assert.deepEqual([left.state, left.alive, left.slots, left.busy], ["stopped", false, 0, 0]);
    assert.deepEqual(await settle(store, node, settlement(mine)), []);
  });

  test("unregister() of the leader lets another lead at once", async (store) => {
    const [a, b] = [await join(store, "a"), await join(store, "b")];
    assert.equal((await beat(store, a)).leader, true);
    await store.unregister(a.instance);
    assert.deepEqual(await leaders(store), []);
    assert.equal((await beat(store, b)).leader, true);
  });

  test("unregister() of an instance that was replaced leaves the new one alone", async (store) => {
    const old = await join(store, "n");
    const next = await join(store, "n", { replaces: old.instance });
    const claimed = await running(store, next);
    await beat(store, next);
    await store.unregister(old.instance);
    assert.equal((await row(store, claimed.uuid)).state, "running");
    assert.deepEqual(await leaders(store), ["n"]);
  });
}
