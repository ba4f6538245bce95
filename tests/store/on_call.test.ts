// @runtimes bun
/** What is published alone is handed to a node that is on call, in one commit; whatever else happens, it is written. */
import assert from "node:assert/strict";
import { OnCall } from "../../runtime/dispatch/on_call.ts";
import { type PublishOptions, seal } from "../../runtime/envelope.ts";
import { Events } from "../../runtime/events.ts";
import { connect, type Sql } from "../../runtime/store/connection.ts";
import { applyRoles } from "../../runtime/store/roles.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import type { Claimed, NodeRegistration } from "../../runtime/store/store.ts";
import { systemClock } from "../../runtime/clock.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { settlement } from "../conformance/make.ts";
import { beat, claim, join, lapse, publish, row, settle } from "../conformance/store/moves.ts";
import { eventually, test, type TestContext } from "../harness.ts";
import { migrated } from "./migrated.ts";

const CHANNEL = "dispatcher_hand_test";

/** A database with a node that is on call, and what it and all others hear. */
async function open(t: TestContext) {
  const { sql, store, url } = await migrated(t);
  const node = await join(store, "n", { queues: ["default", "n"] });
  const heard: string[] = [];
  const woken: string[] = [];
  await sql.listen(CHANNEL, (payload) => heard.push(payload));
  await sql.listen("dispatcher_wake", (payload) => woken.push(payload));
  const ready = async (of = node) => {
    const { name, instance, queues } = of;
    assert.equal((await store.onCall({ node: name, instance, queues, channel: CHANNEL })).can, true);
  };
  await ready();
  /** Publish as a quiet publisher does; the state afterwards. */
  const hand = async (options: PublishOptions = {}, args: unknown[] = [1]) => {
    const envelope = seal("examples/add", args, options);
    assert.deepEqual(await store.publish([envelope], [envelope.queue]), [{ isNew: true, duplicateOf: null }]);
    return { uuid: envelope.uuid, state: (await row(store, envelope.uuid)).state };
  };
  /** All that was said until now is heard. */
  const silence = async () => {
    woken.length = 0;
    await store.wake([""]);
    await eventually(() => assert.ok(woken.includes("")));
  };
  return { sql, store, url, node, heard, woken, ready, hand, silence };
}

const isOnCall = async (sql: Sql) => (await sql`select free from dispatcher.on_call`).map(({ free }) => free);

/** What a node makes of what it hears. */
function read(payload: string, { instance, name: node, queues }: NodeRegistration): Claimed {
  const store = { onCall: () => Promise.resolve({ can: true, handed: 0 }), offCall: () => Promise.resolve() };
  const parts = { store, clock: systemClock, events: new Events(), node, queues, channel: CHANNEL };
  const own = new OnCall({ ...parts, hears: () => true });
  own.bind({ again: () => {}, doubt: () => assert.fail("it is not the first") });
  return own.hear(payload, instance)!;
}

test("one that is published alone is claimed for a node that is on call, and told to it whole", async (t) => {
  const { store, sql, node, heard, hand } = await open(t);
  const options = { kwargs: { b: "é\"'" }, timeout: 2.5, priority: -7, maxAttempts: 4, guid: "g" };
  const { uuid, state } = await hand(options, ["zwei", { drei: 3 }]);
  assert.equal(state, "running");
  await eventually(() => assert.equal(heard.length, 1));
  const claimed = read(heard[0], node);
  assert.deepEqual(claimed, {
    uuid,
    fence: 1,
    task: "examples/add",
    queue: "default",
    args: '["zwei",{"drei":3}]',
    kwargs: '{"b":"é\\"\'"}',
    options: '{"guid":"g"}',
    priority: -7,
    attempt: 1,
    forgiven: 0,
    maxAttempts: 4,
    timeout: 2.5,
    solo: false,
    origin: null,
    keyed: false,
  });
  const { attempt, node: runs, claimed_at, created_at } = await row(store, uuid);
  assert.deepEqual([attempt, runs, claimed_at], [1, "n", created_at]);
  const [{ uuids }] = await sql`select to_json(uuids) uuids from dispatcher.held`;
  assert.deepEqual(uuids, [uuid], "it is on the list of what runs");
  assert.deepEqual(await settle(store, node, settlement(claimed, { result: "3" })), [uuid]);
  assert.equal((await row(store, uuid)).state, "completed");
});

test("a node is handed one envelope for each time that it says that it is free", async (t) => {
  const { sql, hand, ready } = await open(t);
  assert.deepEqual(await isOnCall(sql), [true]);
  assert.equal((await hand()).state, "running");
  assert.deepEqual(await isOnCall(sql), [false]);
  const second = await hand();
  assert.equal(second.state, "available");
  await sql`delete from dispatcher.envelope where uuid = ${second.uuid}`;
  await ready();
  assert.equal((await hand()).state, "running");
});

test("what is handed over wakes nobody, and what is not wakes whoever can run it", async (t) => {
  const { hand, woken, silence } = await open(t);
  await silence();
  assert.equal((await hand()).state, "running");
  await silence();
  assert.deepEqual(woken, [""]);
  woken.length = 0;
  assert.equal((await hand()).state, "available");
  await eventually(() => assert.deepEqual(woken, ["default"]));
});

test("what must wait, or is not for everybody, is not handed over", async (t) => {
  const { sql, store, hand, node } = await open(t);
  const free = async () => assert.deepEqual(await isOnCall(sql), [true]);
  assert.equal((await hand({ queue: "elsewhere" })).state, "available");
  await free();
  const asking = await hand({ resources: { gpu: 1 } });
  assert.equal(asking.state, "available");
  await free();
  assert.equal((await hand({ delay: 60 })).state, "scheduled");
  await free();
  assert.equal((await hand({}, ["x".repeat(8_000)])).state, "available", "too long for a NOTIFY");
  await free();
  await store.cancel([asking.uuid]);
  // The last one waits now, and whoever is published later does not overtake it.
  assert.equal((await hand()).state, "available");
  assert.equal((await claim(store, node)).length, 2);
  await sql`insert into dispatcher.queue (name, paused_at) values ('default', now())`;
  assert.equal((await hand()).state, "available", "the queue is paused");
  await free();
});

test("publishers who gather, or do not wait for a wake, hand nothing over", async (t) => {
  const { sql, store } = await open(t);
  await publish(store);
  assert.deepEqual(await isOnCall(sql), [true]);
  await sql`delete from dispatcher.envelope`;
  await store.publish([seal("examples/add", [], {}), seal("examples/add", [], {})], ["default"]);
  assert.deepEqual(await isOnCall(sql), [true]);
});

test("who drains, was lost or has another instance is passed over", async (t) => {
  const { sql, store, hand, node, ready } = await open(t);
  await beat(store, node, { state: "draining" });
  assert.equal((await hand()).state, "available");
  await sql`delete from dispatcher.envelope`;

  await beat(store, node, { state: "running" });
  await lapse(store, node);
  assert.equal((await hand()).state, "available");
  await sql`delete from dispatcher.envelope`;

  await beat(store, node, { state: "running" });
  await sql`delete from dispatcher.on_call`;
  await ready({ ...node, instance: uuid7() });
  assert.equal((await hand()).state, "available");
  await sql`delete from dispatcher.envelope`;
  await ready();
  assert.equal((await hand()).state, "running");
});

test("a node whose session is gone is passed over: the next one is handed it", async (t) => {
  const { sql, store, hand } = await open(t);
  const other = await join(store, "m", { queues: ["default"] });
  // As of a node that was killed: its session ends with it.
  await sql`update dispatcher.on_call set pid = 2147483647`;
  await store.onCall({ node: "m", instance: other.instance, queues: ["default"], channel: CHANNEL });
  const { uuid } = await hand();
  assert.equal((await row(store, uuid)).node, "m");
});

test("of two who publish at once a node on call is handed one, and nobody waits for the other", async (t) => {
  const { sql, store, url } = await open(t);
  const first = connect(url, { max: 1 });
  t.after(() => first.end({ timeout: 1 }));
  await first.unsafe("begin");
  const hand =
    "select dispatcher.hand($1::uuid, 'default', 't', '[]', '{}', '{}', 0::smallint, null, null, 0) given";
  const [{ given }] = await first.unsafe(hand, [uuid7()]);
  assert.equal(given, true);
  const second = seal("examples/add", [], {});
  await store.publish([second], ["default"]);
  assert.equal((await row(store, second.uuid)).state, "available");
  await first.unsafe("rollback");
  assert.deepEqual(await isOnCall(sql), [true], "undone, it was not handed over");
});

test("a node leaves behind whoever is handing it something, and gives back what it does not know of", async (t) => {
  const { store, url, node } = await open(t);
  const publisher = connect(url, { max: 1 });
  t.after(() => publisher.end({ timeout: 1 }));
  await publisher.unsafe("begin");
  const uuid = uuid7();
  const hand =
    "select dispatcher.hand($1::uuid, 'default', 't', '[]', '{}', '{}', 0::smallint, null, null, 0) given";
  await publisher.unsafe(hand, [uuid]);
  let left = false;
  const leaving = store.offCall(node.instance).then(() => left = true);
  await eventually(async () => {
    const [{ n }] = await publisher.unsafe(`select count(*)::int n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`);
    assert.ok(n > 0);
  });
  assert.equal(left, false);
  await publisher.unsafe("commit");
  await leaving;
  assert.deepEqual(await store.reconcile(node.instance, []), [uuid]);
  const { state, attempt } = await row(store, uuid);
  assert.deepEqual([state, attempt], ["available", 0]);
});

test("what was handed to a node that ends or is lost is rescued", async (t) => {
  const { store, hand, node } = await open(t);
  const { uuid } = await hand();
  await store.unregister(node.instance);
  assert.equal((await row(store, uuid)).state, "available");
  const again = await join(store, "n", { queues: ["default"] });
  const [claimed] = await claim(store, again);
  assert.deepEqual([claimed.uuid, claimed.attempt, claimed.fence], [uuid, 1, 2]);
});

test("while nobody is on call, publishing does not look at what was claimed", async (t) => {
  const { sql, node, store } = await open(t);
  await store.offCall(node.instance);
  await sql.begin(async (given) => {
    const tx = given as unknown as Sql;
    const hand = () =>
      tx`select dispatcher.hand(${uuid7()}::uuid, 'default', 't', '[]', '{}', '{}', 0::smallint, null, null, 0) given`;
    const scans = async () =>
      (await tx`select pg_stat_get_xact_numscans('dispatcher.envelope_claim'::regclass)::int n`)[0].n;
    assert.equal((await hand())[0].given, false);
    assert.equal(await scans(), 0);
    await tx`update dispatcher.on_call set free = true`;
    await tx`delete from dispatcher.envelope`;
    assert.equal((await hand())[0].given, true);
    assert.ok(await scans() > 0, "it looks only then");
  });
});

test("what is handed over is counted among the work of who holds it", async (t) => {
  const { store, hand, node } = await open(t);
  await hand();
  assert.equal(await store.waiting(["default"]), 0);
  assert.equal(await store.waiting(["default"], node.instance), 1);
  assert.equal(await store.waiting(["default"], uuid7()), 0);
});

test("while the cluster has no room for notifications, envelopes are written as ever", async (t) => {
  const { sql, store, hand } = await open(t);
  // The server says so at the commit; here the function does.
  await sql.unsafe(`alter function dispatcher.hand rename to hand_of_before`);
  await sql.unsafe(
    `create function dispatcher.hand(uuid, text, text, json, json, json, smallint, int, float8, float8)
    returns boolean language plpgsql as $$
    begin raise exception 'too many notifications in the NOTIFY queue' using errcode = '54000'; end $$`,
  );
  const { uuid, state } = await hand();
  assert.equal(state, "available");
  await store.cancel([uuid]);
  await sql.unsafe(`drop function dispatcher.hand`);
  await sql.unsafe(`alter function dispatcher.hand_of_before rename to hand`);
  assert.equal((await hand()).state, "running", "it passes");
});

test("a uuid that is known is handed over once", async (t) => {
  const { store, ready, sql, hand } = await open(t);
  const { uuid } = await hand();
  await ready();
  const again = { ...seal("examples/add", [], {}), uuid };
  assert.deepEqual(await store.publish([again], ["default"]), [{ isNew: false, duplicateOf: null }]);
  assert.deepEqual(await isOnCall(sql), [true]);
  assert.equal((await row(store, uuid)).attempt, 1);
});

test("rows of who has ended or was lost are cleared away", async (t) => {
  const { sql, store, node } = await open(t);
  await store.offCall(node.instance);
  assert.deepEqual(await isOnCall(sql), [false]);
  await store.unregister(node.instance);
  assert.deepEqual(await isOnCall(sql), []);
  const [lost, live] = [await join(store, "lost"), await join(store, "live")];
  for (const { name, instance } of [lost, live]) {
    await store.onCall({ node: name, instance, queues: ["elsewhere"], channel: CHANNEL });
  }
  await lapse(store, lost);
  await store.rescue();
  await store.prune(7);
  assert.deepEqual((await sql`select node from dispatcher.on_call`).map((row) => row.node), ["live"]);
});

test("the heartbeat tells whether it may be handed something", async (t) => {
  const { sql, store, node, hand, ready } = await open(t);
  const told = async () => (await beat(store, node)).onCall;
  assert.deepEqual(await told(), { free: true, handed: 0 });
  await hand();
  assert.deepEqual(await told(), { free: false, handed: 1 });
  await ready();
  // As of a session that was closed in its turn.
  await sql`update dispatcher.on_call set pid = 2147483647`;
  assert.deepEqual(await told(), { free: false, handed: 1 });
  await ready();
  assert.deepEqual(await told(), { free: true, handed: 1 });
  await store.offCall(node.instance);
  assert.deepEqual(await told(), { free: false, handed: 1 });
  await sql`delete from dispatcher.on_call`;
  assert.equal(await told(), null);
});

test("while an old transaction keeps what was, nobody goes on call any more", async (t) => {
  const { store, sql, url, node } = await open(t);
  const old = connect(url, { max: 1 });
  t.after(() => old.end({ timeout: 1 }));
  await old.unsafe("begin isolation level repeatable read");
  await old.unsafe("select 1 from dispatcher.on_call");
  const { instance } = node;
  const call = { node: "n", instance, queues: ["default"], channel: CHANNEL };
  const again = async () => (await store.onCall(call)).can;
  let times = 0;
  while (await again()) assert.ok(++times < 5_000);
  assert.ok(times > 100, `after ${times}`);
  const [{ bytes }] = await sql`select pg_relation_size('dispatcher.on_call')::int bytes`;
  assert.ok(bytes <= 65_536 + 1_024 + 8_192, `${bytes}`);
  // VACUUM comes for the least: whoever reads a page clears it, so that little is counted as dead.
  const [{ options }] = await sql`select to_json(reloptions) options from pg_class
    where oid = 'dispatcher.on_call'::regclass`;
  assert.ok(options.includes("autovacuum_vacuum_threshold=0"), options);
  // Were its row left, what lies before it could not be given back.
  assert.deepEqual(await isOnCall(sql), []);
  await old.unsafe("rollback");
  await sql`vacuum dispatcher.on_call`;
  assert.equal(await again(), true);
});

test("where the database cannot hand over, envelopes are written as ever", async (t) => {
  const { sql, url, hand } = await open(t);
  await applyRoles(sql);
  const role = `t_${uuid7().replaceAll("-", "")}`;
  await sql.unsafe(`create role ${role} login password 'pw' in role dispatcher_publisher`);
  t.after(async () => {
    const admin = connect(url, { max: 1 });
    await admin.unsafe(`drop role ${role}`);
    await admin.end({ timeout: 1 });
  });
  const own = new URL(url);
  Object.assign(own, { username: role, password: "pw" });
  const theirs = connect(own.href, { max: 1 });
  t.after(() => theirs.end({ timeout: 1 }));
  const state = async () => {
    const envelope = seal("examples/add", [], {});
    await new PostgresStore(theirs).publish([envelope], ["default"]);
    const [found] = await sql`select state from dispatcher.envelope where uuid = ${envelope.uuid}`;
    return found.state;
  };
  await assert.rejects(async () => await theirs.unsafe("select channel from dispatcher.on_call"), {
    code: "42501",
  });
  assert.equal(await state(), "running", "a publisher may hand over");
  await sql`delete from dispatcher.envelope`;
  await sql.unsafe("revoke execute on function dispatcher.hand from dispatcher_publisher");
  assert.equal(await state(), "available");
  // As of a release before it.
  await sql.unsafe("drop function dispatcher.hand");
  assert.equal((await hand()).state, "available");
});
