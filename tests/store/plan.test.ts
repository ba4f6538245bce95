// @runtimes bun
/** The statements that run often must not read the whole table. */
import assert from "node:assert/strict";
import { connect, type Sql } from "../../runtime/store/connection.ts";
import { migrate } from "../../runtime/store/migrate.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { claimParams, exchangedOf, settleParams } from "../../runtime/store/postgres_exchange.ts";
import { EXCHANGE, RECONCILE, STAGE } from "../../runtime/store/sql.ts";
import { HEARTBEAT, RESCUE } from "../../runtime/store/sql_nodes.ts";
import { ASKING } from "../../runtime/store/sql_page.ts";
import { held } from "../../runtime/store/sql_rows.ts";
import { ASK, CLAIM_ASKING, CONTENDERS, PREEMPT } from "../../runtime/store/sql_triage.ts";
import type { Row } from "../../runtime/store/statements.ts";
import { CLAIM_BYTES } from "../../runtime/store/exchange.ts";
import type { Settlement, Token } from "../../runtime/store/store.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { database, needsServer, test, type TestContext } from "../harness.ts";

const WAITING = 50_000;

/** A database with much work in three queues, and statistics only where the test makes them. */
async function loaded(t: TestContext, server?: "pg15"): Promise<Sql> {
  const { sql } = await loadedFor(t, server);
  return sql;
}

/** The same, and a connection of somebody else's. */
async function loadedFor(t: TestContext, server?: "pg15"): Promise<{ sql: Sql; other: Sql }> {
  const db = await database({ server });
  t.after(() => db.drop());
  const [sql, other] = [connect(db.url, { max: 1 }), connect(db.url, { max: 1 })];
  t.after(() => Promise.all([sql, other].map((each) => each.end({ timeout: 1 }))));
  await migrate(sql);
  await sql`alter table dispatcher.envelope set (autovacuum_enabled = false)`;
  await fill(sql);
  await sql`insert into dispatcher.envelope (uuid, queue, task, state, due_at)
    select gen_random_uuid(), 'queue 1', 'a', 'scheduled', now() + interval '1 hour' from generate_series(1, 5000)`;
  return { sql, other };
}

async function fill(sql: Sql, count = WAITING): Promise<void> {
  await sql`insert into dispatcher.envelope (uuid, queue, task)
    select gen_random_uuid(), 'queue ' || i % 3, 'a' from generate_series(1, ${count}::int) i`;
}

interface Plan {
  "Node Type": string;
  "Relation Name"?: string;
  Plans?: Plan[];
}

/** How a statement is planned when it is executed with these parameters. */
async function plans(sql: Sql, statement: string, params: (string | number)[]): Promise<Plan[]> {
  await sql.unsafe(`deallocate all; prepare looked_at as ${statement}`);
  const values = params.map((value) => typeof value === "number" ? String(value) : `'${value}'`).join(", ");
  const [row] = await sql.unsafe(`explain (format json) execute looked_at(${values})`).simple();
  const explained = typeof row["QUERY PLAN"] === "string" ? JSON.parse(row["QUERY PLAN"]) : row["QUERY PLAN"];
  return (explained as { Plan: Plan }[]).map(({ Plan }) => Plan);
}

/** How each table is read. */
async function scans(sql: Sql, statement: string, params: (string | number)[]): Promise<string[]> {
  const found: string[] = [];
  const walk = (plan: Plan) => {
    if (plan["Relation Name"]) found.push(`${plan["Node Type"]} on ${plan["Relation Name"]}`);
    plan.Plans?.forEach(walk);
  };
  for (const plan of await plans(sql, statement, params)) walk(plan);
  return found;
}

/** What was read of envelopes so far: walks through the table, rows and entries of its indexes, those of dead rows too. */
async function reads(sql: Sql): Promise<{ scans: number; fetched: number; entries: number }> {
  const [row] = await sql`select seq_scan::int scans, idx_tup_fetch::int fetched, (
      select sum(pg_stat_get_xact_tuples_returned(indexrelid)) from pg_index where indrelid = relid)::int entries
    from pg_stat_xact_user_tables where schemaname = 'dispatcher' and relname = 'envelope'`;
  return row as unknown as { scans: number; fetched: number; entries: number };
}

const undone = new Error("undone");

const NODE = { node: "node-1", instance: uuid7() };

/** An exchange in a transaction of its own, and what it read. */
async function exchange(sql: Sql, settled: readonly Token[], limit: number) {
  return await sql.begin(async (tx) => {
    const [queues, floors] = [["queue 0", "queue 1", "queue 2"], [{
      queue: "queue 2",
      priority: 0,
      id: 9_000,
    }]];
    const settlements = settled.map(completed);
    const params = [
      ...claimParams({ ...NODE, settlements, queues, floors, limit }, limit),
      ...settleParams(settlements, CLAIM_BYTES),
    ];
    const before = await reads(tx as unknown as Sql);
    const rows = await tx.unsafe<Row[]>(EXCHANGE, params, { prepare: true });
    const after = await reads(tx as unknown as Sql);
    return {
      claimed: exchangedOf(rows, queues).claimed,
      unsettled: exchangedOf(rows, queues).stale.length,
      scans: after.scans - before.scans,
      fetched: after.fetched - before.fetched,
      entries: after.entries - before.entries,
    };
  });
}

function completed({ uuid, fence }: Token): Settlement {
  const [none, ran] = [null, { worker: "1.1", started: 1, finished: 2 }];
  const nothing = { record: none, result: none, error: none, progress: none, delay: none };
  return { uuid, fence, outcome: "completed", ...nothing, solo: false, ran } as unknown as Settlement;
}

/** Each session keeps its plans: what was planned for an empty table serves a full one, and the other way. */
async function exchangeReadsByIndex(t: TestContext, server?: "pg15"): Promise<void> {
  const sql = await loaded(t, server);
  let running: Token[] = [];
  const look = async (limit: number, about: string) => {
    const { claimed, unsettled, scans, fetched } = await exchange(sql, running, limit);
    assert.deepEqual([scans, unsettled], [0, 0], about);
    // Of each of three queues it may lock what it would take of one, and it reads at most one row more.
    assert.ok(fetched <= running.length + 3 * (limit + 1), `${about}: ${fetched} rows`);
    running = claimed;
    return claimed.length;
  };
  for (const statistics of ["without statistics", "with statistics"]) {
    if (statistics === "with statistics") await sql`analyze`;
    await sql`discard plans`;
    for (const limit of [1, 20, 500, 0, 500]) {
      assert.equal(await look(limit, `${statistics}, limit ${limit}`), limit);
    }
  }
  await look(0, "to the end");
  await sql`delete from dispatcher.envelope`;
  await sql`vacuum analyze dispatcher.envelope`;
  assert.equal(await look(500, "nothing there"), 0);
  await fill(sql);
  for (let i = 0; i < 3; i++) assert.equal(await look(500, "planned when nothing was there"), 500);
}

/** An old transaction keeps all that ever was; what was planned when nothing else was there settles what came since. */
async function settlesByKey(t: TestContext, server?: "pg15"): Promise<void> {
  const { sql, other } = await loadedFor(t, server);
  await other.begin("isolation level repeatable read", async (old) => {
    await old`select count(*) from dispatcher.envelope`;
    await sql`delete from dispatcher.envelope`;
    await sql`vacuum analyze dispatcher.envelope`;
    for (const count of [1, 20, 500]) {
      await fill(sql, 3 * count);
      const { claimed } = await exchange(sql, [], count);
      const { entries, unsettled } = await exchange(sql, claimed, 0);
      assert.deepEqual([claimed.length, unsettled], [count, 0]);
      // Each stands in the key twice: as it was written, and as it was claimed.
      assert.ok(entries <= 2 * count + 10, `${count} settled, ${entries} entries read`);
    }
  });
}

test("settling reads what it settles and no more, beside an old transaction", async (t) => {
  await settlesByKey(t);
});

test(
  "it does so on the system's PostgreSQL, beside an old transaction",
  { skip: needsServer("pg15") },
  async (t) => {
    await settlesByKey(t, "pg15");
  },
);

test("an exchange reads envelopes by index only, and no more than it needs, whatever was known when it was planned", async (t) => {
  await exchangeReadsByIndex(t);
});

test("it does so on the system's PostgreSQL", { skip: needsServer("pg15") }, async (t) => {
  await exchangeReadsByIndex(t, "pg15");
});

test("STAGE, RECONCILE, RESCUE, HEARTBEAT, ASKING and the statements of the triage read envelopes by index only", async (t) => {
  const sql = await loaded(t);
  await sql`analyze`;
  const uuid = uuid7();
  const statements: [string, string, (string | number)[]][] = [
    ["STAGE", STAGE, [1_000]],
    ["RECONCILE", RECONCILE, [uuid, `{${uuid}}`, "{1}"]],
    ["RESCUE", RESCUE, ["true"]],
    ["HEARTBEAT", HEARTBEAT, [uuid, "running", 4, 1, 30, 15, "connected", 1_000, 4, 60, "{}"]],
    ["ASKING", ASKING, [10_000]],
    ["CONTENDERS", CONTENDERS, ['{"queue 0","queue 1"}', 16, ""]],
    ["CLAIM_ASKING", CLAIM_ASKING, [`{${uuid}}`, "node-1", uuid]],
    ["ASK", ASK, [uuid, `{${uuid}}`, "{1}", "{gpu=1}", '{"{\\"gpu\\":1}"}']],
    ["PREEMPT", PREEMPT, [uuid, `{${uuid}}`, "{1}", 3]],
  ];
  for (const mode of ["force_generic_plan", "auto"]) {
    await sql.unsafe(`set plan_cache_mode = ${mode}`);
    for (const [name, statement, params] of statements) {
      const found = await scans(sql, statement, params);
      assert.ok(!found.includes("Seq Scan on envelope"), `${name}, ${mode}: ${found.join(", ")}`);
      assert.ok(found.some((scan) => scan.endsWith("Scan on envelope")), "the plan was read");
    }
  }
});

test("who looks for what runs, tidies or rescues reads what was claimed, and not what waits", async (t) => {
  const sql = await loaded(t);
  const { claimed } = await exchange(sql, [], 60);
  assert.equal(claimed.length, 60);
  const looks = [
    `select dispatcher.tidy('${NODE.instance}')`,
    `select count(*) from dispatcher.envelope where ${held()} and state = 'running'`,
    RESCUE.replaceAll("$1", "true"),
  ];
  for (const statistics of ["without statistics", "with statistics"]) {
    if (statistics === "with statistics") await sql`analyze`;
    for (const look of looks) {
      await sql.begin(async (tx) => {
        const before = await reads(tx as unknown as Sql);
        await tx.unsafe(look);
        const after = await reads(tx as unknown as Sql);
        const read = after.entries - before.entries;
        assert.ok(read >= 60 && read <= 500, `${look}: ${read} entries of ${WAITING}`);
        throw undone;
      }).catch((error) => assert.equal(error, undone));
    }
  }
});

test("STAGE reads what is due, and not what is due later", async (t) => {
  const sql = await loaded(t);
  for (const statistics of ["without statistics", "with statistics"]) {
    if (statistics === "with statistics") await sql`analyze`;
    await sql.begin(async (tx) => {
      const before = await reads(tx as unknown as Sql);
      await tx.unsafe(STAGE, [10], { prepare: true });
      const after = await reads(tx as unknown as Sql);
      const read = after.entries - before.entries;
      assert.ok(read <= 20, `${statistics}: ${read} entries of 5,000`);
    });
  }
});

test("warmUp() has so many connections run an exchange, each by itself", async (t) => {
  const db = await database({ migrated: true });
  t.after(() => db.drop());
  const [sql, other] = [connect(db.url, { max: 4 }), connect(db.url, { max: 1 })];
  t.after(() => Promise.all([sql, other].map((each) => each.end({ timeout: 1 }))));
  await new PostgresStore(sql).warmUp(3);
  const [{ count }] = await other`select count(*)::int from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and query like '%dispatcher.exchange(%'`;
  assert.equal(count, 3);
});
