/** Everything but LISTEN works through a pooler in transaction mode. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import postgres from "postgres";
import { connect } from "../../mod.ts";
import { connect as open } from "../../runtime/store/connection.ts";
import { migrate, SCHEMA_VERSION, schemaStatus } from "../../runtime/store/migrate.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { chooseStatements, sessionOf } from "../../runtime/store/statements.ts";
import { settlement } from "../conformance/make.ts";
import { claim, join, publishMany, settle } from "../conformance/store/moves.ts";
import { database, eventually, tempDir, test, type TestContext } from "../harness.ts";
import { needsPgbouncer, pgbouncer } from "./pgbouncer.ts";
import { nodeFor } from "./site.ts";

const skip = needsPgbouncer();
const options = { skip, timeout: 120_000 };

/** A database, the way to it through a pooler, and a client that goes there. */
async function site(t: TestContext, { migrated = true } = {}) {
  const db = await database();
  t.after(() => db.drop());
  if (migrated) {
    const sql = open(db.url, { max: 1 });
    await migrate(sql);
    await sql.end({ timeout: 1 });
  }
  return { direct: db.url, pooled: await pgbouncer(t, db.url) };
}

async function clientOf(t: TestContext, pooled: string, listenUrl?: string) {
  const client = await connect({ databaseUrl: pooled, listenUrl, max: 4 });
  t.after(() => client.close());
  return client;
}

test(
  "migrate() of several at once through a pooler is done once, and leaves no lock behind",
  options,
  async (t) => {
    const { direct, pooled } = await site(t, { migrated: false });
    const pools = Array.from({ length: 6 }, () => open(pooled, { max: 1, prepare: false }));
    t.after(() => Promise.all(pools.map((sql) => sql.end({ timeout: 1 }))));
    const applied = (await Promise.all(pools.map((sql) => migrate(sql)))).flat();
    assert.equal(applied.length, SCHEMA_VERSION);
    assert.equal(new Set(applied).size, SCHEMA_VERSION);
    const sql = open(direct, { max: 1 });
    t.after(() => sql.end({ timeout: 1 }));
    assert.equal((await schemaStatus(sql)).ready, true);
    assert.deepEqual([
      ...await sql`select from pg_locks where locktype = 'advisory' and
    database = (select oid from pg_database where datname = current_database())`,
    ], []);
  },
);

test(
  "a pooler is told from PostgreSQL itself, and statements are named on the latter only",
  options,
  async (t) => {
    const { direct, pooled } = await site(t);
    const [toServer, toPooler] = [direct, pooled].map((url) => open(url, { max: 1, prepare: false }));
    t.after(() => Promise.all([toServer, toPooler].map((sql) => sql.end({ timeout: 1 }))));
    const sessions = [await sessionOf(toServer), await sessionOf(toPooler)];
    assert.deepEqual(sessions.map(({ isPooled }) => isPooled), [false, true]);
    assert.deepEqual(sessions.map(({ readsCommitted }) => readsCommitted), [true, true]);
    const said: string[] = [];
    const names = async (sql: typeof toServer) => {
      chooseStatements(sql, "auto", await sessionOf(sql), (why) => said.push(why));
      await new PostgresStore(sql).waiting(["a"]);
      return (await sql.unsafe("select from pg_prepared_statements")).length;
    };
    assert.equal(await names(toServer), 1);
    assert.equal(await names(toPooler), 0);
    assert.deepEqual(said, ["a pooler is between this process and PostgreSQL"]);
  },
);

test("a thousand are published, claimed and settled once each, by many at once", options, async (t) => {
  const { pooled } = await site(t);
  const sql = open(pooled, { max: 6, prepare: false });
  t.after(() => sql.end({ timeout: 1 }));
  chooseStatements(sql, "auto", await sessionOf(sql));
  const store = new PostgresStore(sql);
  const node = await join(store, "n");
  const uuids = (await Promise.all(Array.from({ length: 20 }, () => publishMany(store, 50)))).flat();
  const settled: string[] = [];
  await eventually(async () => {
    await Promise.all(Array.from({ length: 10 }, async () => {
      const claimed = await claim(store, node, { limit: 20 });
      assert.deepEqual(claimed.filter((one) => one.fence !== 1), []);
      settled.push(...await settle(store, node, ...claimed.map((one) => settlement(one))));
    }));
    return settled.length >= uuids.length;
  });
  assert.deepEqual(settled.sort(), uuids.sort());
});

test("statements of every kind at once through a pooler are all answered", options, async (t) => {
  const { pooled } = await site(t);
  const sql = open(pooled, { max: 2, prepare: false, answerSeconds: 20 });
  t.after(() => sql.end({ timeout: 1 }));
  // The first asks for no types and the second does: a pooler must not give the session away between them.
  const one = (i: number) => i % 2 ? sql.unsafe("select $1::int n", [i]) : sql.unsafe(`select ${i} n`);
  for (let round = 0; round < 20; round++) {
    const rows = await Promise.all(Array.from({ length: 12 }, (_, i) => one(i)));
    assert.deepEqual(rows.map(([row]) => row.n), rows.map((_, i) => i));
  }
});

test(
  "a node behind a pooler hears through listen_url, and does all that it does without one",
  options,
  async (t) => {
    const { direct, pooled } = await site(t);
    const client = await clientOf(t, pooled, direct);
    const node = await nodeFor(t, pooled, ["--node", "n1", "--workers", "2", "--tasks", "tasks"], {
      DISPATCHER_LISTEN_URL: direct,
      DISPATCHER_SELF_CHECK_SECONDS: "1",
      DISPATCHER_SELF_CHECK_TIMEOUT: "2",
      DISPATCHER_SAFETY_POLL_SECONDS: "600",
    });
    assert.match(node.stderr(), /Statements are not named: a pooler/);
    assert.equal(await (await client.publish("examples/add", [1, 2])).result({ within: 20 }), 3);
    const many = await client.publishMany(
      Array.from({ length: 100 }, (_, i) => ({ task: "examples/add", args: [i, i] })),
    );
    for (const { uuid } of many) assert.equal((await client.wait(uuid, 30)).state, "completed");
    assert.deepEqual(
      await (await client.publish("examples/add", [2, 2], { queue: "broadcast" })).result({ within: 20 }),
      { n1: 4 },
    );
    assert.equal((await client.control("ping", undefined, { timeout: 10, expected: 1 })).length, 1);
    assert.equal((await client.nodes())[0].leader, true);
    assert.doesNotMatch(node.stderr(), /Hears no notifications|No notifications/);
  },
);

test(
  "a node behind a pooler and without listen_url goes on by looking, and says so once",
  options,
  async (t) => {
    const { pooled } = await site(t);
    const client = await clientOf(t, pooled);
    const config = joinPath(tempDir(), "config.json");
    const ticks = { task: "examples/add", args: [7, 7], every: 1 };
    writeFileSync(config, JSON.stringify({ schedules: { ticks } }));
    const args = ["--node", "n1", "--workers", "2", "--tasks", "tasks", "--config", config];
    const node = await nodeFor(t, pooled, args, {
      DISPATCHER_SELF_CHECK_SECONDS: "1",
      DISPATCHER_SELF_CHECK_TIMEOUT: "0.5",
      DISPATCHER_SAFETY_POLL_SECONDS: "600",
    });
    await eventually(() => node.stderr().includes("No notifications come through this address"), {
      within: 30_000,
    });
    assert.equal((await client.nodes())[0].listener, "isolated");
    const look = postgres(pooled, { max: 1, prepare: false, fetch_types: false, onnotice: () => {} });
    t.after(() => look.end({ timeout: 1 }));
    const isFree = async () => (await look`select from dispatcher.on_call where free`).length > 0;
    assert.equal(await isFree(), false, "it would not hear of what it is handed");

    // What is published is found, one by one and in batches, with rules for duplicates, later, and from SQL.
    assert.equal(await (await client.publish("examples/add", [1, 2])).result({ within: 20 }), 3);
    const serial = await Promise.all(
      [1, 2, 3].map(() => client.publish("examples/add", [5, 5], { onDuplicate: "serial" })),
    );
    for (const one of serial) assert.equal(await one.result({ within: 30 }), 10);
    const later = await client.publish("examples/add", [3, 3], { delay: 0.5 });
    assert.equal(await later.result({ within: 20 }), 6);
    const cast = await client.publish("examples/add", [2, 2], { queue: "broadcast" });
    assert.deepEqual(await cast.result({ within: 20 }), { n1: 4 });

    assert.equal(await isFree(), false);

    // The caller's own client, as poolers want it.
    const sql = postgres(pooled, { max: 2, prepare: false, fetch_types: false, onnotice: () => {} });
    t.after(() => sql.end({ timeout: 1 }));
    const inside = await sql.begin((tx) =>
      client.publishIn(tx, "examples/add", [4, 4], { onDuplicate: "discard" })
    );
    assert.equal((await client.wait(inside.uuid, 20)).result, 8);
    const [{ uuid }] = await sql`select dispatcher.publish('examples/add', '[6, 6]') uuid`;
    assert.equal((await client.wait(uuid, 20)).result, 12);

    const sleeping = await client.publish("examples/sleep", [60]);
    await eventually(async () => (await client.find(sleeping.uuid))[0].state === "running", {
      within: 20_000,
    });
    assert.equal((await client.cancel([sleeping.uuid]))[0].did, "requested");
    assert.equal((await client.wait(sleeping.uuid, 30)).state, "cancelled");

    await eventually(async () => {
      const ticked = (await client.list({ state: ["completed"] })).filter((row) => row.result === 14);
      assert.ok(ticked.length >= 2);
    }, { within: 20_000 });
    assert.equal(node.stderr().split("No notifications come through").length, 2, node.stderr());
    assert.equal(node.stderr().split("Hears no notifications").length, 2, node.stderr());
  },
);
