/** Long content lies apart: written once, referred to by the envelope and by its row in the archive. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { seal } from "../../runtime/envelope.ts";
import type { Sql } from "../../runtime/store/connection.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { fetchContents, LONG_CALL } from "../../runtime/store/postgres_content.ts";
import { publishIn } from "../../runtime/store/postgres_publish.ts";
import { runStatement } from "../../runtime/store/statements.ts";
import type { Claimed, EnvelopeRow } from "../../runtime/store/store.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { settlement } from "../conformance/make.ts";
import { claim, finish, join, publish, put, row, settle } from "../conformance/store/moves.ts";
import { test } from "../harness.ts";
import { migrated } from "./migrated.ts";

/** Text that does not compress. */
const noise = () => randomBytes(LONG_CALL).toString("hex");

type Table = "envelope" | "archive";

/** Where the arguments of an envelope lie: in its row, or apart on which day. */
async function place(sql: Sql, table: Table, uuid: string): Promise<string> {
  const [{ args }] = await sql.unsafe(`select args::text from dispatcher.${table} where uuid = '${uuid}'`);
  return args.startsWith("[") ? "in its row" : `${JSON.parse(args).day}`;
}

const count = async (sql: Sql) => (await sql`select count(*)::int n from dispatcher.content`)[0].n as number;

/** As if what lies apart had been published so many days ago: the content, and what refers to it. */
async function backdate(sql: Sql, days: number): Promise<string> {
  const [{ day, next }] = await sql`
    select to_char((now() - ${days}::float8 * interval '1 day') at time zone 'utc', 'YYYYMMDD') as day,
      to_char((now() - ${days - 1}::float8 * interval '1 day') at time zone 'utc', 'YYYYMMDD') as next`;
  const name = `content_${day}`;
  await sql.unsafe(`create table dispatcher.${name} partition of dispatcher.content
    for values from (${day}) to (${next})`);
  await sql.unsafe(`update dispatcher.content set day = ${day}`);
  for (const table of ["envelope", "archive"]) {
    await sql.unsafe(`update dispatcher.${table} set created_at = created_at - ${days} * interval '1 day',
        args = json_build_object('content', args ->> 'content', 'day', ${day})
      where starts_with(args::text, '{')`);
    // As it is written: without a blank.
    await sql.unsafe(`update dispatcher.${table} set args = replace(args::text, ' ', '')::json
      where starts_with(args::text, '{')`);
  }
  return name;
}

const isThere = async (sql: Sql, name: string) =>
  (await sql`select to_regclass(${`dispatcher.${name}`}) is not null there`)[0].there as boolean;

test("what is long lies apart, what is short in its row, and each gets its own", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "one");
  const calls: [unknown[], Record<string, unknown>][] = [
    [[noise()], {}],
    [[1], { short: true }],
    [["short"], { long: noise(), odd: "\u0000 \ud800 \u001f {1,2} ü€𝄞" }],
    [[noise(), noise()], { a: noise() }],
  ];
  const batch = calls.map(([args, kwargs]) => seal("t", args, { kwargs }));
  assert.deepEqual(await put(store, ...batch), [true, true, true, true]);
  const [{ today }] = await sql`select to_char(now() at time zone 'utc', 'YYYYMMDD') today`;
  const places = await Promise.all(batch.map(({ uuid }) => place(sql, "envelope", uuid)));
  assert.deepEqual(places, [today, "in its row", today, today]);
  assert.equal(await count(sql), 3);
  const claimed = await claim(store, node);
  assert.deepEqual(
    claimed.map(({ args, kwargs }) => [args, kwargs]),
    batch.map(({ args, kwargs }) => [args, kwargs]),
  );
  for (const one of claimed) await finish(store, node, one);
  assert.equal(await place(sql, "archive", batch[0].uuid), today);
  assert.equal(await count(sql), 3, "written once");
  for (const [i, { uuid }] of batch.entries()) {
    const { args, kwargs, state } = await row(store, uuid);
    assert.deepEqual([args, kwargs, state], [...calls[i], "completed"]);
  }
});

test("what was due later, has a priority or a timeout is the same when it is long", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "one");
  const options = { priority: 7, timeout: 5, maxAttempts: 3, delay: 3600, kwargs: { a: 1 } };
  const long = seal("t", [noise()], options);
  const short = seal("t", [1], options);
  await put(store, long, short);
  const facts = (
    { kwargs, state, priority, timeout, max_attempts, due_at }: EnvelopeRow,
  ) => [kwargs, state, priority, timeout, max_attempts, due_at !== null];
  assert.deepEqual(facts(await row(store, long.uuid)), facts(await row(store, short.uuid)));
  await sql`update dispatcher.envelope set due_at = now()`;
  await store.stage(10);
  const claimed = await claim(store, node);
  assert.deepEqual(claimed.map(({ args, maxAttempts }) => [args, maxAttempts]), [[long.args, 3], [
    short.args,
    3,
  ]]);
});

test("what is published once more while it waits or is done keeps its content", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "one");
  const first = seal("t", [noise()]);
  assert.deepEqual(await put(store, first), [true]);
  assert.deepEqual(await put(store, { ...first, args: JSON.stringify([noise()]) }), [false]);
  const [claimed] = await claim(store, node);
  assert.equal(claimed.args, first.args);
  await finish(store, node, claimed);
  assert.equal(JSON.stringify((await row(store, first.uuid)).args), first.args);
  assert.equal(await count(sql), 1, "what was refused left nothing");
});

test("whoever claims without knowing references is handed content", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "one");
  const batch = [
    seal("t", [noise()]),
    seal("t", [1]),
    seal("t", [noise()], { kwargs: { a: 1 }, timeout: 4 }),
  ];
  await put(store, ...batch);
  await sql`update dispatcher.node set contents = null`;
  const raw = await runStatement(
    sql,
    `select args, kwargs, uuid from dispatcher.exchange('{default}', '{-32768}', '{-1}', '{32767}', 9, 9, 'one', $1,
      '{}', '{}', '{}', null, null, null, null, null, null, null, null, null, 1000)`,
    [node.instance],
  );
  const [columns, ...long] = raw;
  assert.deepEqual(columns.args.split("\x1f"), ["", "[1]", ""]);
  const byUuid = new Map(long.map(({ uuid, args, kwargs }) => [uuid, [args, kwargs]]));
  for (const { uuid, args, kwargs } of [batch[0], batch[2]]) {
    assert.deepEqual(byUuid.get(uuid), [args, kwargs]);
  }
});

test("while a node lives that does not know references, long calls are written whole", async (t) => {
  const { sql, store } = await migrated(t);
  const [former] = [await join(store, "former"), await join(store, "one")];
  // As code of before that took over the name of a node.
  await sql`update dispatcher.node set contents = gen_random_uuid() where name = 'former'`;
  const whole = await publish(store, {}, [noise()]);
  assert.deepEqual([await place(sql, "envelope", whole.uuid), await count(sql)], ["in its row", 0]);
  await store.unregister(former.instance);
  // Its answer holds for a while.
  const { uuid } = await publish(new PostgresStore(sql), {}, [noise()]);
  assert.notEqual(await place(sql, "envelope", uuid), "in its row");
});

test("what asks for resources has its content when it is claimed", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "one");
  const { uuid, args } = await publish(store, { resources: { gpu: 1 } }, [noise()]);
  assert.notEqual(await place(sql, "envelope", uuid), "in its row");
  const [claimed] = await store.claimAsking(node.name, node.instance, [uuid]);
  assert.equal(claimed.args, args);
});

test("a reference to nothing, or written by hand, is handed on for the task to refuse, beside others", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "one");
  const good = await publish(store, {}, [noise()]);
  const gone = await publish(store, {}, [noise()]);
  const [{ args: lost }] = await sql`
    delete from dispatcher.content c using dispatcher.envelope e
    where e.uuid = ${gone.uuid} and c.id::text = e.args ->> 'content' returning e.args::text`;
  const odd = [
    '{"content":"x","day":"y"}',
    "{}",
    `{"content":"${"z".repeat(36)}","day":20261129}`,
    `{"content":"${"-".repeat(36)}","day":20261129}`,
    `{"content":"${uuid7()}","day":99999999}`,
  ];
  for (const args of odd) {
    await sql.unsafe(
      `insert into dispatcher.envelope (uuid, queue, task, args) values (gen_random_uuid(), 'default', 't', '${args}')`,
    );
  }
  for (const contents of [node.instance, null]) {
    await sql`update dispatcher.node set contents = ${contents}`;
    await sql`update dispatcher.envelope set state = 'available', instance = null`;
    const claimed = await claim(store, node);
    assert.deepEqual(claimed.map(({ args }) => args), [good.args, lost, ...odd], `${contents}`);
  }
  assert.equal((await store.list({ limit: 10 })).length, 7, "who looks sees them all");
});

test("page() finds an argument that lies apart, also beside one that is gone", async (t) => {
  const { sql, store } = await migrated(t);
  const { uuid } = await publish(store, {}, [noise(), { id: 42 }]);
  await publish(store, {}, [noise(), { id: 43 }]);
  const gone = await publish(store, {}, [noise()]);
  const [{ id }] = await sql`
    delete from dispatcher.content c using dispatcher.envelope e
    where e.uuid = ${gone.uuid} and c.id::text = e.args ->> 'content' returning c.id::text`;
  const found = async (member: string, value: string) =>
    (await store.look.page({ args: [{ member, value }] }, 10)).rows.map((one) => one.uuid);
  assert.deepEqual(await found("id", "42"), [uuid]);
  assert.deepEqual(await found("0", id), []);
  assert.deepEqual(await found("content", id), []);
});

test("what is cancelled, discarded, purged or lost with its node takes its content into the archive", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "one");
  const make = async (queue = "default") =>
    await publish(store, { queue, kwargs: { a: noise() } }, [noise()]);
  const [cancelled, discarded] = [await make(), await make()];
  const purged = await make("purged");
  const lost = await make("lost");
  await store.cancel([cancelled.uuid]);
  await store.discard([discarded.uuid], "no");
  assert.equal(await store.purge("purged"), 1);
  await claim(store, node, { queues: ["lost"] });
  await store.cancel([lost.uuid]);
  await sql`update dispatcher.node set lease_until = now() - interval '1 hour', last_seen = now() - interval '2 hours'`;
  await sql`update dispatcher.node set state = 'lost'`;
  await store.rescue(true);
  for (const { uuid, args, kwargs } of [cancelled, discarded, purged, lost]) {
    assert.equal(await place(sql, "archive", uuid), "in its row");
    const got = await row(store, uuid);
    assert.deepEqual([JSON.stringify(got.args), JSON.stringify(got.kwargs)], [args, kwargs]);
  }
});

test("what is dead and retried takes its content along, whatever becomes of the day", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "one");
  const { uuid, args } = await publish(store, {}, [noise()]);
  const [claimed] = await claim(store, node);
  await settle(
    store,
    node,
    settlement(claimed, { outcome: "discarded", error: '{"name":"E","message":"m"}' }),
  );
  assert.notEqual(await place(sql, "archive", uuid), "in its row");
  await store.retry([uuid]);
  await sql`delete from dispatcher.content`;
  const [again] = await claim(store, node);
  assert.deepEqual([again.uuid, again.args], [uuid, args]);
});

test("an attempt that is repeated or released has its content again", async (t) => {
  const { store } = await migrated(t);
  const node = await join(store, "one");
  const { args } = await publish(store, { maxAttempts: 5 }, [noise()]);
  for (const outcome of ["released", "retry", "released"] as const) {
    const [claimed] = await claim(store, node);
    assert.equal(claimed.args, args);
    await settle(store, node, settlement(claimed, { outcome, delay: outcome === "retry" ? 0 : null }));
    await store.retry([claimed.uuid]);
  }
  assert.equal((await claim(store, node))[0].args, args);
});

test("what is settled more than a day after it was published takes its content along", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "one");
  const { uuid, args } = await publish(store, {}, [noise()]);
  await backdate(sql, 2);
  const [claimed] = await claim(store, node);
  assert.equal(claimed.args, args);
  await finish(store, node, claimed);
  assert.equal(await place(sql, "archive", uuid), "in its row");
  assert.equal(JSON.stringify((await row(store, uuid)).args), args);
});

test("prune() drops a day of content when the archive of it is gone, and first puts back what still waits", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "one");
  const done = await publish(store, {}, [noise()]);
  await finish(store, node, (await claim(store, node))[0]);
  const waiting = await publish(store, { kwargs: { a: noise() } }, [noise()]);
  const name = await backdate(sql, 10);
  await store.prune(8);
  assert.equal(await isThere(sql, name), true, "the archive may refer to it two days longer");
  assert.equal((await row(store, done.uuid)).state, "completed");
  assert.deepEqual([(await store.prune(7)).inUse, await isThere(sql, name), await count(sql)], [
    false,
    false,
    0,
  ]);
  const [claimed] = await claim(store, node);
  assert.deepEqual([claimed.args, claimed.kwargs], [waiting.args, waiting.kwargs]);
});

test("prune() keeps a day of content while somebody has locked what refers to it", async (t) => {
  const { sql, store } = await migrated(t);
  const { uuid, args } = await publish(store, {}, [noise()]);
  const name = await backdate(sql, 20);
  const holder = await sql.reserve();
  await holder.unsafe(`begin; select from dispatcher.envelope where uuid = '${uuid}' for update`);
  assert.deepEqual([(await store.prune(7)).inUse, await isThere(sql, name)], [true, true]);
  await holder.unsafe("commit");
  holder.release();
  assert.deepEqual([(await store.prune(7)).inUse, await isThere(sql, name)], [false, false]);
  assert.equal(JSON.stringify((await row(store, uuid)).args), args);
});

test("content of a day without a partition is kept as long, and pruned as well", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "one");
  await sql.unsafe(`do $$ begin
    execute format('drop table dispatcher.content_%s', to_char(now() at time zone 'utc', 'YYYYMMDD')); end $$`);
  const [waiting, done] = [await publish(store, {}, [noise()]), await publish(store, {}, [noise()])];
  assert.equal((await sql`select from dispatcher.content_default`).length, 2);
  assert.equal((await claim(store, node, { limit: 1 }))[0].args, waiting.args);
  assert.equal((await claim(store, node))[0].args, done.args);
  await sql`update dispatcher.content_default set day = day - 20`;
  await sql`delete from dispatcher.envelope where uuid = ${done.uuid}`;
  await sql`update dispatcher.envelope set args = regexp_replace(args::text, '[0-9]{8}\\}$',
    (select day::text from dispatcher.content_default limit 1) || '}')::json`;
  await store.prune(7);
  assert.equal(await count(sql), 1, "what waits still refers to it");
  assert.equal(JSON.stringify((await row(store, waiting.uuid)).args), waiting.args);
});

test("prune() between a claim and the fetch of what it refers to loses nothing", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "one");
  const { args } = await publish(store, {}, [noise()]);
  const name = await backdate(sql, 20);
  const claimed = await runStatement(
    sql,
    `select * from dispatcher.exchange('{default}', '{-32768}', '{-1}', '{32767}', 9, 9, 'one', $1,
      '{}', '{}', '{}', null, null, null, null, null, null, null, null, null, 1000)`,
    [node.instance],
  );
  const one = { ...claimed[0], args: claimed[0].args as string } as unknown as Claimed;
  assert.match(one.args, /^\{"content"/);
  await store.prune(7);
  assert.equal(await isThere(sql, name), false);
  await fetchContents((text, params) => runStatement(sql, text, params), [one]);
  assert.equal(one.args, args);
});

test("prune() goes on beside long transactions of publishers, and finds days of content missing later", async (t) => {
  const { sql, store } = await migrated(t);
  await join(store, "one");
  const old = await publish(store, {}, [noise()]);
  const name = await backdate(sql, 20);
  await sql.unsafe(`do $$ begin execute format('drop table dispatcher.content_%s',
    to_char((now() + interval '3 days') at time zone 'utc', 'YYYYMMDD')); end $$`);
  const days = async () =>
    (await sql`select from pg_inherits where inhparent = 'dispatcher.content'::regclass`).length;
  const before = await days();
  const holder = await sql.reserve();
  await holder.unsafe("begin");
  await holder.unsafe(`insert into dispatcher.${name} (day, id, args, kwargs)
    select day, gen_random_uuid(), '[]', '{}' from dispatcher.content limit 1`);
  assert.deepEqual([(await store.prune(7)).inUse, await isThere(sql, name)], [true, true]);
  assert.equal(JSON.stringify((await row(store, old.uuid)).args), old.args);
  await holder.unsafe("commit");
  holder.release();
  assert.deepEqual([(await store.prune(7)).inUse, await isThere(sql, name), await days()], [
    false,
    false,
    before,
  ]);
  assert.deepEqual(await store.prune(7), { created: 0, dropped: [], inUse: false });
  const [{ gone }] = await sql`select dispatcher.drop_content(${name}) gone`;
  assert.equal(gone, true, "another pruner was faster");
});

test("drop_content() takes nothing but a day of the content", async (t) => {
  const { sql } = await migrated(t);
  for (const name of ["content_default", "archive_20260101", "content_20260101; drop table x", "node"]) {
    await assert.rejects(sql`select dispatcher.drop_content(${name})`, {
      code: "22023",
      message: `Cannot drop '${name}': it is no day of the content`,
    });
  }
});

test("what has a uuid of its publisher's, or is published in a transaction, lies apart as well", async (t) => {
  const { sql, store } = await migrated(t);
  const node = await join(store, "one");
  const own = seal("t", [noise()], { uuid: uuid7() });
  const batch = [own, seal("t", [1]), seal("t", [noise()], { onDuplicate: "discard" })];
  assert.deepEqual(await put(store, ...batch), [true, true, true]);
  const places = await Promise.all(batch.map(({ uuid }) => place(sql, "envelope", uuid)));
  assert.deepEqual(
    places.map((one) => one === "in its row"),
    [false, true, true],
    "those with a rule are whole",
  );
  assert.equal(await count(sql), 1);
  assert.deepEqual(await put(store, { ...own, args: JSON.stringify([noise()]) }), [false]);
  assert.equal(await count(sql), 1, "what is known leaves nothing");
  const within = seal("t", [noise()]);
  await sql.begin((tx) => publishIn(tx, [within]));
  const undone = seal("t", [noise()]);
  await assert.rejects(sql.begin(async (tx) => {
    await publishIn(tx, [undone]);
    throw new Error("undone");
  }));
  assert.equal(await count(sql), 2, "rolled back, there is no content either");
  const claimed = await claim(store, node);
  assert.deepEqual(claimed.map(({ args }) => args), [...batch, within].map(({ args }) => args));
});
