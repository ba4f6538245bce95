// @runtimes bun
/** A claim writes no index, and what runs is found by the list of what was claimed, whoever claimed it. */
import assert from "node:assert/strict";
import type { Sql } from "../../runtime/store/connection.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { settlement } from "../conformance/make.ts";
import { claim, finish, join, lapse, publish, publishMany, row, settle } from "../conformance/store/moves.ts";
import { test } from "../harness.ts";
import { migrated } from "./migrated.ts";

const NOBODY = "00000000-0000-0000-0000-000000000000";

/** What the list holds, by instance, a line a row. */
async function heldIn(sql: Sql): Promise<{ instance: string; uuids: string[] }[]> {
  const rows = await sql`select instance::text, to_json(uuids) uuids from dispatcher.held order by ctid`;
  return rows.map(({ instance, uuids }) => ({ instance, uuids }));
}

/** All of it. */
async function listed(sql: Sql): Promise<string[]> {
  return (await heldIn(sql)).flatMap(({ uuids }) => uuids).sort();
}

test("a claim writes no index, and one of what asks for resources neither", async (t) => {
  const { sql, store } = await migrated(t, 1);
  const node = await join(store, "n");
  await publishMany(store, 200);
  const asking = await publish(store, { resources: { gpu: 1 } });
  await sql.unsafe("begin");
  await claim(store, node, { limit: 200 });
  await store.claimAsking("n", node.instance, [asking.uuid]);
  const [counts] = await sql`select pg_stat_get_xact_tuples_updated(oid)::int updated,
    pg_stat_get_xact_tuples_hot_updated(oid)::int hot from pg_class where oid = 'dispatcher.envelope'::regclass`;
  await sql.unsafe("commit");
  assert.deepEqual({ ...counts }, { updated: 201, hot: 201 });
});

test("what is claimed is on the list until it is tidied, and then what still runs", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  const uuids = await publishMany(store, 3);
  const asking = await publish(store, { resources: { gpu: 1 } });
  const [first, second, third] = await claim(store, node);
  const [fourth] = await store.claimAsking("n", node.instance, [asking.uuid]);
  const all = [...uuids, fourth.uuid].sort();
  assert.deepEqual(await listed(sql), all);
  assert.deepEqual((await heldIn(sql)).map(({ instance }) => instance), [node.instance, node.instance]);
  await finish(store, node, first);
  await finish(store, node, third, { outcome: "retry", delay: 60 });
  await finish(store, node, fourth, { outcome: "released" });
  assert.deepEqual(await listed(sql), all);
  await sql`select dispatcher.tidy(${node.instance})`;
  assert.deepEqual(await heldIn(sql), [{ instance: node.instance, uuids: [second.uuid] }]);
  await finish(store, node, second);
  await store.rescue();
  assert.deepEqual(await heldIn(sql), []);
});

test("claims tidy the list as they go", async (t) => {
  const { sql, store } = await migrated(t, 1);
  const node = await join(store, "n");
  await publishMany(store, 301);
  const [long] = await claim(store, node, { limit: 1 });
  // The lots are drawn by the session.
  await sql`select setseed(0.25)`;
  for (let i = 0; i < 300; i++) {
    const [claimed] = await claim(store, node, { limit: 1 });
    assert.deepEqual(await settle(store, node, settlement(claimed)), [claimed.uuid]);
  }
  const left = await listed(sql);
  assert.ok(left.length < 150, `${left.length} are left`);
  assert.ok(left.includes(long.uuid), "what runs is left");
});

test("claims of many tidy the list as they go, whatever the last tidying took", async (t) => {
  const { sql, store } = await migrated(t, 1);
  const node = await join(store, "n");
  await sql`select setseed(0.25)`;
  const lengths: number[] = [];
  let claimed: Awaited<ReturnType<typeof claim>> = [];
  for (let i = 0; i < 150; i++) {
    await publishMany(store, 100);
    const { name, instance } = node;
    const settlements = claimed.map((one) => settlement(one));
    const work = { node: name, instance, settlements, queues: ["default"], limit: 1_000 };
    claimed = (await store.exchange(work)).claimed;
    assert.equal(claimed.length, 100);
    lengths.push((await sql`select count(*)::int from dispatcher.held`)[0].count);
  }
  assert.ok(Math.max(...lengths) < 80, `the list had ${Math.max(...lengths)} rows`);
  assert.ok(lengths.slice(75).some((length) => length < 5), "it was tidied to the end");
});

test("who rescues tidies a long list part by part", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  await sql`insert into dispatcher.held (instance, uuids)
    select ${node.instance}, array[gen_random_uuid()] from generate_series(1, 450)`;
  const { uuid } = await publish(store);
  await claim(store, node);
  assert.deepEqual({ ...(await sql`select * from dispatcher.tidy(${node.instance})`)[0] }, {
    rows: 200,
    uuids: 200,
  });
  await store.rescue();
  assert.deepEqual(await heldIn(sql), [{ instance: node.instance, uuids: [uuid] }]);
});

test("a claim that is undone is not on the list", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  await publish(store);
  await assert.rejects(
    sql.begin(async (tx) => {
      await tx.unsafe(
        `select * from dispatcher.exchange(array['default'], array[0::smallint], array[-1::bigint], array[9::smallint],
          10, 10, 'n', '${node.instance}', '{}', '{}', '{}', null, null, null, null, null, null, null, null, null, 1000)`,
      );
      assert.equal((await tx.unsafe(`select from dispatcher.held`)).length, 1);
      throw new Error("undone");
    }),
    /undone/,
  );
  assert.deepEqual(await heldIn(sql), []);
});

test("what somebody else claims, or sets to run by hand, is on the list and rescued", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  const [byHand, inserted] = [await publish(store), uuid7()];
  await sql`update dispatcher.envelope set state = 'running', attempt = attempt + 1, fence = fence + 1, node = 'n',
    instance = ${node.instance}, claimed_at = now() where uuid = ${byHand.uuid}`;
  await sql`insert into dispatcher.envelope (uuid, queue, task, state, attempt, fence)
    values (${inserted}, 'default', 'examples/add', 'running', 1, 1)`;
  assert.deepEqual(await heldIn(sql), [
    { instance: node.instance, uuids: [byHand.uuid] },
    { instance: NOBODY, uuids: [inserted] },
  ]);
  await sql`update dispatcher.envelope set state = 'available', node = null, instance = null where uuid = ${byHand.uuid}`;
  await sql`delete from dispatcher.held where instance = ${node.instance}`;
  await sql`update dispatcher.envelope set state = 'running', node = 'n', instance = ${node.instance}
    where uuid = ${byHand.uuid}`;
  assert.deepEqual(await listed(sql), [byHand.uuid, inserted].sort());
  await lapse(store, node);
  assert.equal((await store.rescue()).rescued, 2);
  assert.deepEqual([(await row(store, byHand.uuid)).state, (await row(store, inserted)).state], [
    "available",
    "available",
  ]);
});

test("what is set to run by hand in a transaction that has claimed is on the list, too", async (t) => {
  const { sql, store } = await migrated(t, 1);
  const node = await join(store, "n");
  const uuids = await publishMany(store, 2);
  await sql.unsafe("begin");
  await claim(store, node, { limit: 1 });
  await sql`select dispatcher.tidy(${node.instance})`;
  await sql`update dispatcher.envelope set state = 'running', attempt = 1, fence = 1, node = 'n',
    instance = ${node.instance}, claimed_at = now() where uuid = ${uuids[1]}`;
  await sql.unsafe("commit");
  assert.deepEqual(await listed(sql), uuids.sort());
});

test("what passes to another instance by hand is rescued when that one dies", async (t) => {
  const { sql, store } = await migrated(t);
  const [one, two] = [await join(store, "one"), await join(store, "two")];
  const { uuid } = await publish(store);
  await claim(store, one);
  await sql`update dispatcher.envelope set node = 'two', instance = ${two.instance} where uuid = ${uuid}`;
  await sql`select dispatcher.tidy(${one.instance})`;
  assert.deepEqual(await heldIn(sql), [{ instance: two.instance, uuids: [uuid] }]);
  await lapse(store, two);
  assert.equal((await store.rescue(false)).rescued, 1);
});

test("who tidies passes over what another tidies, and over what is not committed", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  const uuids = await publishMany(store, 2);
  await claim(store, node, { limit: 1 });
  await sql.begin(async (tx) => {
    await tx.unsafe(`select dispatcher.tidy('${node.instance}')`);
    await sql`select dispatcher.tidy(${node.instance})`;
    await claim(store, node, { limit: 1 });
    await sql`select dispatcher.tidy(${node.instance})`;
  });
  assert.deepEqual(await listed(sql), uuids.sort());
});

test("what has run for a while is put aside, and comes back when it is given back", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  const uuids = await publishMany(store, 4);
  const asking = await publish(store, { resources: { gpu: 1 } });
  const claimed = await claim(store, node);
  claimed.push(...await store.claimAsking("n", node.instance, [asking.uuid]));
  const asides = async () => {
    const rows = await sql`select uuid::text from dispatcher.envelope where aside order by id`;
    return rows.map(({ uuid }) => uuid as string);
  };
  await sql`select dispatcher.tidy(${node.instance})`;
  assert.deepEqual(await asides(), [], "all have begun just now");
  await sql`update dispatcher.envelope set claimed_at = now() - interval '1 minute'`;
  await sql`select dispatcher.tidy(${node.instance})`;
  assert.deepEqual(await asides(), [...uuids, asking.uuid]);
  // Given back by its node, tried again, by hand, rescued.
  const [first, second, third, , last] = claimed;
  await finish(store, node, first, { outcome: "released" });
  await finish(store, node, second, { outcome: "retry", delay: 0 });
  await sql`update dispatcher.envelope set state = 'available', node = null, instance = null, claimed_at = null
    where uuid = ${third.uuid}`;
  await lapse(store, node);
  assert.equal((await store.rescue(false)).rescued, 2);
  await store.stage(10);
  assert.deepEqual(await asides(), []);
  const other = await join(store, "other");
  assert.deepEqual((await claim(store, other)).map(({ uuid }) => uuid), uuids);
  assert.equal((await store.claimAsking("other", other.instance, [last.uuid])).length, 1);
});

test("who tidies waits for nobody who settles", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  await publishMany(store, 2);
  const [first, second] = await claim(store, node);
  await sql`update dispatcher.envelope set claimed_at = now() - interval '1 minute'`;
  await sql.begin(async (tx) => {
    await tx.unsafe(`delete from dispatcher.envelope where uuid = '${first.uuid}'`);
    await sql`select dispatcher.tidy(${node.instance})`;
  });
  assert.deepEqual(await listed(sql), [first.uuid, second.uuid].sort(), "what was not committed is kept");
  assert.deepEqual([...await sql`select uuid::text, aside from dispatcher.envelope`], [
    { uuid: second.uuid, aside: true },
  ]);
});

test("what asks for resources is found, whatever is written of its time", async (t) => {
  const { sql, store } = await migrated(t);
  const uuids = [uuid7(), uuid7()];
  const options = '{"resources":{"gpu":1}}';
  await sql`insert into dispatcher.envelope (uuid, queue, task, options, due_at, blocked) values
    (${uuids[0]}, 'default', 'examples/add', ${options}::text::json, now() + interval '1 hour', false),
    (${uuids[1]}, 'default', 'examples/add', ${options}::text::json, null, true)`;
  const { uuid } = await publish(store, { resources: { gpu: 1 } });
  await sql`update dispatcher.envelope set due_at = now() + interval '1 hour' where uuid = ${uuid}`;
  const found = await store.contenders(["default"], 9);
  assert.deepEqual(found.map((one) => one.uuid), [...uuids, uuid]);
});

test("what is written as put aside, or asks for nothing any more, is claimed", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  const uuid = uuid7();
  await sql`insert into dispatcher.envelope (uuid, queue, task, aside) values (${uuid}, 'default', 'examples/add', true)`;
  const asking = await publish(store, { resources: { gpu: 1 } });
  await sql`update dispatcher.envelope set demand = null where uuid = ${asking.uuid}`;
  assert.deepEqual((await claim(store, node)).map((one) => one.uuid), [uuid, asking.uuid]);
});

test("what is written as available with a time, or as behind another, is claimed", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  const uuids = [uuid7(), uuid7()];
  await sql`insert into dispatcher.envelope (uuid, queue, task, due_at, blocked) values
    (${uuids[0]}, 'default', 'examples/add', now() + interval '1 hour', false),
    (${uuids[1]}, 'default', 'examples/add', null, true)`;
  const later = await publish(store, { delay: 60 });
  await sql`update dispatcher.envelope set state = 'available' where uuid = ${later.uuid}`;
  const timed = await publish(store);
  await sql`update dispatcher.envelope set due_at = now() + interval '1 hour' where uuid = ${timed.uuid}`;
  const claimed = await claim(store, node);
  assert.deepEqual(claimed.map(({ uuid }) => uuid), [...uuids, later.uuid, timed.uuid]);
});
