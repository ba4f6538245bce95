// @runtimes bun
/** The archive's partitions, paused queues, and what else the port of the store does not show. */
import assert from "node:assert/strict";
import { seal } from "../../runtime/envelope.ts";
import { connect, isTransient, type Sql } from "../../runtime/store/connection.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { publishIn } from "../../runtime/store/postgres_publish.ts";
import { copyUuid, hashUuid, uuid7 } from "../../runtime/uuid.ts";
import { settlement } from "../conformance/make.ts";
import {
  claim,
  finish,
  join,
  message,
  publish,
  publishMany,
  row,
  running,
} from "../conformance/store/moves.ts";
import { eventually, test } from "../harness.ts";
import { migrated } from "./migrated.ts";

/** Partitions of the archive by day, without the default one. */
async function partitions(sql: Sql): Promise<string[]> {
  const rows = await sql`select inhrelid::regclass::text name from pg_inherits
    where inhparent = 'dispatcher.archive'::regclass order by 1`;
  return rows.map((one) => one.name.replace("dispatcher.", "")).filter((name) => name !== "archive_default");
}

/** The name of the partition so many days from today. */
function partition(days: number): string {
  return `archive_${new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10).replaceAll("-", "")}`;
}

async function createPartition(sql: Sql, days: number): Promise<void> {
  const day = (n: number) => new Date(Date.now() + n * 86_400_000).toISOString().slice(0, 10);
  await sql.unsafe(`create table dispatcher.${partition(days)} partition of dispatcher.archive
    for values from ('${day(days)}T00:00:00Z') to ('${day(days + 1)}T00:00:00Z')`);
}

/** A final row of so many days ago. */
async function archived(sql: Sql, days: number): Promise<string> {
  const uuid = uuid7();
  await sql`insert into dispatcher.archive (uuid, queue, task, args, kwargs, options, state, priority, attempt,
      created_at, finished_at, attempts)
    values (${uuid}, 'default', 'a', '[]', '{}', '{}', 'completed', 0, 1, now(),
      now() - ${days}::float8 * interval '1 day', '{}')`;
  return uuid;
}

test("indexes that grow at their ends leave no room for what comes between, those of days to come neither", async (t) => {
  const { sql, store } = await migrated(t);
  await sql.unsafe(`drop table dispatcher.${partition(2)}`);
  assert.equal((await store.prune(30)).created, 1);
  const full = await sql`select relname name from pg_class
    where relnamespace = 'dispatcher'::regnamespace and relkind = 'i' and 'fillfactor=97' = any(reloptions)`;
  const parts = [0, 1, 2, 3].map(partition).concat("archive_default");
  const expected = parts.flatMap((one) =>
    ["finished_at_idx", "finished_at_idx1", "uuid_idx"].map((of) => `${one}_${of}`)
  );
  assert.deepEqual(
    full.map(({ name }) => name).sort(),
    [...expected, "envelope_claim", "envelope_pkey"].sort(),
  );
});

test("prune() has partitions ready for today and three days ahead", async (t) => {
  const { sql, store } = await migrated(t);
  const ahead = [0, 1, 2, 3].map(partition);
  assert.deepEqual(await partitions(sql), ahead);
  assert.deepEqual(await store.prune(7), { created: 0, dropped: [], inUse: false });
  await sql.unsafe(`drop table dispatcher.${partition(2)}, dispatcher.${partition(3)}`);
  assert.deepEqual(await store.prune(7), { created: 2, dropped: [], inUse: false });
  assert.deepEqual(await partitions(sql), ahead);
});

test("prune() drops partitions whose last day is older than the retention, and no others", async (t) => {
  const { sql, store } = await migrated(t);
  for (const days of [-1, -6, -7, -8, -9, -400]) await createPartition(sql, days);
  const [young, old] = [await archived(sql, 6), await archived(sql, 9)];
  assert.deepEqual((await store.prune(7)).dropped.sort(), [-8, -9, -400].map(partition).sort());
  assert.deepEqual(
    (await partitions(sql)).filter((name) => name < partition(0)),
    [-7, -6, -1].map(partition),
  );
  assert.equal((await row(store, young)).state, "completed");
  assert.equal((await store.list({ uuid: old, limit: 1 })).length, 0);
});

test("prune() leaves the archive alone while somebody reads it, and whoever settles does not wait", async (t) => {
  const { sql, url, store } = await migrated(t);
  await createPartition(sql, -9);
  await sql.unsafe(`drop table dispatcher.${partition(3)}`);
  const reader = await sql.reserve();
  await reader.unsafe("begin");
  await reader.unsafe("select from dispatcher.archive");
  // Who would wait for longer than this fails.
  await sql.unsafe(`alter database ${new URL(url).pathname.slice(1)} set lock_timeout = '10s'`);
  const others = connect(url, { max: 2 });
  t.after(() => others.end({ timeout: 1 }));
  const settling = new PostgresStore(others);
  const node = await join(settling, "n");
  await publishMany(settling, 30);
  let pruning = true;
  const pruned = store.prune(7).finally(() => pruning = false);
  let settled = 0;
  while (pruning || settled === 0) {
    for (const claimed of await claim(settling, node, { limit: 1 })) {
      await finish(settling, node, claimed);
      settled++;
    }
  }
  assert.deepEqual(await pruned, { created: 0, dropped: [], inUse: true });
  assert.equal((await partitions(sql)).includes(partition(-9)), true);
  await reader.unsafe("commit");
  reader.release();
  assert.deepEqual(await store.prune(7), { created: 1, dropped: [partition(-9)], inUse: false });
  const left = await partitions(sql);
  assert.deepEqual([left.includes(partition(-9)), left.includes(partition(3))], [false, true]);
});

test("prune() clears the default partition of what is older than the retention", async (t) => {
  const { sql, store } = await migrated(t);
  const [young, old] = [await archived(sql, 5), await archived(sql, 10)];
  assert.equal((await sql`select from dispatcher.archive_default`).length, 2);
  await store.prune(7);
  assert.equal((await row(store, young)).state, "completed");
  assert.equal((await store.list({ uuid: old, limit: 1 })).length, 0);
});

test("prune() clears the log of broadcasts, adoptions and nodes that are long gone", async (t) => {
  const { sql, store } = await migrated(t);
  const [gone, left] = [await join(store, "gone"), await join(store, "left")];
  await join(store, "here");
  await publish(store, { queue: "broadcast", ttl: 1e-6 });
  await publish(store, { queue: "broadcast", ttl: 60 });
  await store.deliver("here");
  await sql`insert into dispatcher.adoption (uuid, at) values (${uuid7()}, now()), (${uuid7()}, now() - interval '2 hours')`;
  await store.unregister(gone.instance);
  await store.unregister(left.instance);
  await sql`update dispatcher.node set last_seen = now() - interval '8 days' where name = 'gone'`;
  await store.prune(7);
  assert.equal((await sql`select from dispatcher.broadcast`).length, 1);
  assert.equal((await sql`select from dispatcher.adoption`).length, 1);
  assert.deepEqual((await store.nodes()).map((node) => node.name).sort(), ["here", "left"]);
});

test("prune() drops records of what was done that are older than the retention", async (t) => {
  const { sql, store } = await migrated(t);
  const entry = {
    how: "basic",
    address: "",
    node: "n",
    action: "purge",
    target: "q",
    count: 1,
    ok: true,
    detail: {},
  };
  await store.audit([{ ...entry, who: "old" }, { ...entry, who: "young" }]);
  await sql`update dispatcher.audit set at = now() - interval '8 days' where who = 'old'`;
  await store.prune(7);
  assert.deepEqual((await store.audits({ limit: 9 })).map(({ who }) => who), ["young"]);
});

test("exchange() settles into the default partition when that of the day is missing, and prune() leaves it", async (t) => {
  const { sql, store } = await migrated(t);
  await sql.unsafe(`drop table dispatcher.${partition(0)}`);
  const node = await join(store, "n");
  const claimed = await running(store, node);
  await finish(store, node, claimed, { result: "1" });
  assert.equal((await sql`select from dispatcher.archive_default`).length, 1);
  assert.equal((await row(store, claimed.uuid)).result, 1);
  assert.deepEqual(await store.publish([seal("a", [], { uuid: claimed.uuid })]), [{
    isNew: false,
    duplicateOf: null,
  }]);
  assert.deepEqual(await store.prune(7), { created: 0, dropped: [], inUse: false });
  assert.equal((await row(store, claimed.uuid)).state, "completed");
});

test("exchange() moves a row out of the hot table when it is final", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  for (const outcome of ["completed", "cancelled", "discarded"] as const) {
    await finish(store, node, await running(store, node), { outcome });
  }
  assert.equal((await sql`select from dispatcher.envelope`).length, 0);
  assert.equal((await sql.unsafe(`select from dispatcher.${partition(0)}`)).length, 3);
});

test("exchange() claims in order also when the plan does not happen to walk the index", async (t) => {
  const { url, store } = await migrated(t);
  const lone = connect(url, { max: 1 });
  t.after(() => lone.end({ timeout: 1 }));
  await lone.unsafe(
    "set enable_indexscan = off; set enable_indexonlyscan = off; set enable_bitmapscan = off",
  );
  const node = await join(store, "n");
  await publishMany(store, 20);
  const urgent = await publishMany(store, 3, { priority: -1 });
  const claimed = await claim(new PostgresStore(lone), node, { limit: 3 });
  assert.deepEqual(claimed.map((one) => one.uuid), urgent);
});

test("adopt() keeps the order of the messages also when the plan joins them in another", async (t) => {
  const { url, store } = await migrated(t);
  const lone = connect(url, { max: 1 });
  t.after(() => lone.end({ timeout: 1 }));
  // What is left is a merge join, which sorts by uuid.
  await lone.unsafe("set enable_hashjoin = off; set enable_nestloop = off");
  const node = await join(store, "n");
  const heard = Array.from({ length: 20 }, (_, i) => message({ args: `[${i}]`, uuid: uuid7() })).toReversed();
  assert.equal(await new PostgresStore(lone).adopt("n", heard), 20);
  const claimed = await claim(store, node, { limit: 20 });
  assert.deepEqual(claimed.map((one) => one.args), heard.map((one) => one.envelope.args));
});

test("exchange() claims nothing from a queue that is paused, and everything when it is resumed", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  await publishMany(store, 3, { queue: "paused", priority: -9 });
  await publishMany(store, 3, { queue: "open" });
  await sql`insert into dispatcher.queue (name, paused_at) values ('paused', now()), ('open', null), ('empty', now())`;
  const queues = ["paused", "open"];
  assert.deepEqual((await claim(store, node, { queues, limit: 4 })).map((one) => one.queue), [
    "open",
    "open",
    "open",
  ]);
  assert.deepEqual((await store.queues()).map((one) => [one.queue, one.paused, one.available]), [
    ["empty", true, 0],
    ["open", false, 0],
    ["paused", true, 3],
  ]);
  await sql`update dispatcher.queue set paused_at = null`;
  assert.equal((await claim(store, node, { queues })).length, 3);
});

test("copyUuid() and hashUuid() are what SQL computes", async (t) => {
  const { sql } = await migrated(t);
  for (const [uuid, node] of [[uuid7(), "node-1"], [uuid7().toUpperCase(), "é€😀 'x'"]]) {
    const [made] =
      await sql`select md5(${uuid}::uuid::text || '/' || ${node}::text)::uuid copy, md5(${node}::text)::uuid hash`;
    assert.deepEqual([copyUuid(uuid, node), hashUuid(node)], [made.copy, made.hash]);
  }
});

test("publishIn() writes in the caller's transaction: seen after its commit, gone when it is rolled back", async (t) => {
  const { sql, store } = await migrated(t);
  const [kept, dropped] = [uuid7(), uuid7()];
  const write = (uuid: string, end: () => void) =>
    sql.begin(async (tx) => {
      const batch = [seal("a", [], { uuid }), seal("a", [], { queue: "broadcast" })];
      assert.deepEqual((await publishIn(tx as never, batch)).map((one) => one.isNew), [true, true]);
      assert.equal((await store.list({ uuid, limit: 1 })).length, 0, "nobody else sees it yet");
      end();
    });
  await write(kept, () => {});
  await assert.rejects(
    write(dropped, () => {
      throw new Error("roll back");
    }),
    /roll back/,
  );
  assert.equal((await row(store, kept)).state, "available");
  assert.equal((await store.list({ uuid: dropped, limit: 1 })).length, 0);
  assert.equal((await sql`select from dispatcher.broadcast`).length, 1);
});

test("cancel() of many while a node settles them in another order is no deadlock", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  const uuids = await publishMany(store, 3);
  const [retried, completed, blocked] = await claim(store, node);
  const [held, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const holder = sql.begin(async (tx) => {
    await tx`select from dispatcher.envelope where uuid = ${blocked.uuid} for update`;
    held.resolve();
    await gate.promise;
  });
  await held.promise;
  const waiting = () =>
    sql`select from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`;
  // What completes comes first: it holds the second one, waits for the third, and wants the first one then.
  const { name, instance } = node;
  const retry = settlement(retried, { outcome: "retry", delay: 3_600 });
  const settlements = [retry, settlement(completed), settlement(blocked)];
  const work = store.exchange({ node: name, instance, settlements, queues: [], limit: 0 });
  await eventually(async () => (await waiting()).length === 1);
  // It would hold the first one and wait for the second.
  let answered = false;
  const cancelling = store.cancel([retried.uuid, completed.uuid]).finally(() => answered = true);
  await eventually(async () => answered || (await waiting()).length === 2);
  gate.resolve();
  await holder;
  const [{ settled }, cancelled] = await Promise.all([work, cancelling]);
  assert.deepEqual([...settled].sort(), uuids.sort());
  assert.deepEqual(cancelled.map((one) => one.uuid).sort(), [retried.uuid, completed.uuid].sort());
});

test("cancel() of what is settled while it waits tells how that ended", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  const claimed = await running(store, node);
  const [settled, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const settling = sql.begin(async (tx) => {
    await finish(new PostgresStore(tx as unknown as Sql), node, claimed);
    settled.resolve();
    await gate.promise;
  });
  await settled.promise;
  const cancelling = store.cancel([claimed.uuid]);
  await eventually(async () => {
    const waiting = await sql`select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    return waiting.length === 1;
  });
  gate.resolve();
  await settling;
  const [{ uuid, did }] = await cancelling;
  assert.deepEqual([uuid, did], [claimed.uuid, "completed"]);
});

test("adopt() by nodes that heard the same in different orders is no deadlock", async (t) => {
  const { sql, store } = await migrated(t);
  for (const name of ["a", "b"]) await join(store, name);
  const heard = Array.from({ length: 3 }, () => message());
  const [held, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  // Both wait in the middle of their batches, until it is clear that each has begun.
  const holder = sql.begin(async (tx) => {
    await tx`insert into dispatcher.adoption (uuid) values (${heard[1].envelope.uuid})`;
    held.resolve();
    await gate.promise;
    throw new Error("roll back");
  }).catch(() => {});
  await held.promise;
  const takes = Promise.all([store.adopt("a", heard), store.adopt("b", heard.toReversed())]);
  await eventually(async () => {
    const waiting = await sql`select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`;
    assert.equal(waiting.length, 2);
  });
  gate.resolve();
  await holder;
  assert.deepEqual((await takes).sort(), [0, 3]);
});

test("publish() that loses its connection fails with an error of the caller's, and the store works on", async (t) => {
  const { sql, url } = await migrated(t);
  const lone = connect(url, { max: 1, application: "lone" });
  t.after(() => lone.end({ timeout: 1 }));
  const store = new PostgresStore(lone);
  const uuid = uuid7();
  const [held, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  // Holds the row that the other one waits for.
  const holder = sql.begin(async (tx) => {
    await tx`insert into dispatcher.envelope (uuid, queue, task) values (${uuid}, 'q', 'a')`;
    held.resolve();
    await gate.promise;
  });
  await held.promise;
  const batch = [seal("a", [], { uuid }), seal("a", [], { queue: "broadcast" })];
  const lost = assert.rejects(store.publish(batch), (error) => isTransient(error));
  await eventually(async () => {
    const [ended] = await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'lone' and wait_event_type = 'Lock'`;
    return ended;
  });
  await lost;
  gate.resolve();
  await holder;
  await eventually(async () => assert.equal(await store.waiting(["q"]), 1));
  assert.equal((await sql`select from dispatcher.broadcast`).length, 0, "nothing of the batch was written");
});

test("what a task returned is kept, and nothing for those that returned nothing", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "n");
  const results = ["null", "0", '"null"'];
  const claimed = [];
  for (const result of results) {
    const one = await running(store, node);
    await finish(store, node, one, { result });
    claimed.push(one);
  }
  const kept = await sql`select result::text from dispatcher.archive order by uuid`;
  assert.deepEqual(kept.map(({ result }) => result), [null, "0", '"null"']);
  const shown = await Promise.all(claimed.map(({ uuid }) => row(store, uuid)));
  assert.deepEqual(shown.map(({ result }) => result), [null, 0, "null"]);
});
