/** The statements that run often must not read the whole table. */
import assert from "node:assert/strict";
import { connect, type Sql } from "../../runtime/store/connection.ts";
import { migrate } from "../../runtime/store/migrate.ts";
import { CLAIM, EXCHANGE, RECONCILE, STAGE } from "../../runtime/store/sql.ts";
import { HEARTBEAT } from "../../runtime/store/sql_nodes.ts";
import { ASK, CLAIM_ASKING, CONTENDERS, PREEMPT } from "../../runtime/store/sql_triage.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { database, needsServer, test, type TestContext } from "../harness.ts";

const WAITING = 50_000;

/** A database with much work in three queues, and statistics only where the test makes them. */
async function loaded(t: TestContext, server?: "pg15"): Promise<Sql> {
  const db = await database({ server });
  t.after(() => db.drop());
  const sql = connect(db.url, { max: 1 });
  t.after(() => sql.end({ timeout: 1 }));
  await migrate(sql);
  await sql`alter table dispatcher.envelope set (autovacuum_enabled = false)`;
  await sql`insert into dispatcher.envelope (uuid, queue, task)
    select gen_random_uuid(), 'queue ' || i % 3, 'a' from generate_series(1, ${WAITING}::int) i`;
  await sql`insert into dispatcher.envelope (uuid, queue, task, state, due_at)
    select gen_random_uuid(), 'queue 1', 'a', 'scheduled', now() + interval '1 hour' from generate_series(1, 5000)`;
  return sql;
}

interface Plan {
  "Node Type": string;
  "Relation Name"?: string;
  "CTE Name"?: string;
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

/** Ways in which a statement holds each row against each of a list: nested loops over what was written down before. */
async function crossings(sql: Sql, statement: string, params: (string | number)[]): Promise<string[]> {
  const found: string[] = [];
  const walk = (plan: Plan) => {
    for (const below of plan.Plans ?? []) {
      if (plan["Node Type"] === "Nested Loop" && below["CTE Name"] !== undefined) {
        found.push(below["CTE Name"]);
      }
      walk(below);
    }
  };
  for (const plan of await plans(sql, statement, params)) walk(plan);
  // One row.
  return found.filter((name) => name !== "texts");
}

/** Parameters of a claim from three queues. */
function claim(limit: number): (string | number)[] {
  const queues = ['{"queue 0","queue 1","queue 2"}', "{-32768,0,0}", "{-1,-1,9000}", "{32767,32767,32767}"];
  return [...queues, limit, limit, "node-1", uuid7()];
}

/** Those of an exchange that settles so many besides. */
function exchange(limit: number, settles = 1): (string | number)[] {
  const many = (value: string) => `{${Array(settles).fill(value)}}`;
  const uuids = `{${Array.from({ length: settles }, () => uuid7())}}`;
  const texts = ["", "", "", ""];
  const verdicts = [uuids, many("1"), many("completed"), ...texts, many("null"), many("false")];
  return [...claim(limit), ...verdicts, many("1.1"), many("1"), many("2")];
}

async function claimReadsNoTable(sql: Sql): Promise<void> {
  for (const statistics of ["without statistics", "with statistics"]) {
    if (statistics === "with statistics") await sql`analyze`;
    for (const mode of ["force_generic_plan", "auto", "force_custom_plan"]) {
      await sql.unsafe(`set plan_cache_mode = ${mode}`);
      for (const limit of [1, 20, 500]) {
        for (const [statement, params] of [[EXCHANGE, exchange(limit)], [CLAIM, claim(limit)]] as const) {
          const found = await scans(sql, statement, params);
          const bad = found.filter((scan) => scan === "Seq Scan on envelope");
          assert.deepEqual(bad, [], `${statistics}, ${mode}, limit ${limit}: ${found.join(", ")}`);
          assert.ok(found.some((scan) => scan.endsWith("Scan on envelope")), "the plan was read");
        }
      }
    }
  }
}

test("CLAIM and EXCHANGE read envelopes by index only, with statistics and without, whatever the plan", async (t) => {
  await claimReadsNoTable(await loaded(t));
});

test("both do so on the system's PostgreSQL", { skip: needsServer("pg15") }, async (t) => {
  await claimReadsNoTable(await loaded(t, "pg15"));
});

test("EXCHANGE holds no row against all outcomes, also where the table was empty when it was analyzed", async (t) => {
  const sql = await loaded(t);
  const params = exchange(500, 500);
  for (const statistics of ["of much", "of nothing"]) {
    if (statistics === "of nothing") await sql`delete from dispatcher.envelope`;
    await sql`vacuum analyze dispatcher.envelope`;
    for (const mode of ["force_generic_plan", "force_custom_plan"]) {
      await sql.unsafe(`set plan_cache_mode = ${mode}`);
      assert.deepEqual(await crossings(sql, EXCHANGE, params), [], `statistics ${statistics}, ${mode}`);
    }
  }
});

test("STAGE, RECONCILE, HEARTBEAT and the statements of the triage read envelopes by index only", async (t) => {
  const sql = await loaded(t);
  await sql`analyze`;
  const uuid = uuid7();
  const statements: [string, string, (string | number)[]][] = [
    ["STAGE", STAGE, [1_000]],
    ["RECONCILE", RECONCILE, [uuid, `{${uuid}}`, "{1}"]],
    ["HEARTBEAT", HEARTBEAT, [uuid, "running", 4, 1, 30, 15, "connected", 1_000, 4, 60, "{}"]],
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
