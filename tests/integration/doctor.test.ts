// @runtimes bun,node
/** The doctor: what it says of a healthy database, and of each thing that somebody has broken. */
import assert from "node:assert/strict";
import type { Finding } from "../../runtime/doctor/doctor.ts";
import { database, test, type TestContext, thisRuntime } from "../harness.ts";
import { spawnCli } from "../processes.ts";
import { needsPgbouncer, pgbouncer } from "./pgbouncer.ts";
import { base, cli, environment, ndjson, nodeFor, NOWHERE } from "./site.ts";

async function findings(
  url: string,
  args: string[] = [],
  env = {},
): Promise<{ code: number | null; found: Finding[] }> {
  const { code, stdout, stderr } = await cli(url, ["doctor", "--json", ...args], { env });
  assert.equal(stderr, "");
  return { code, found: ndjson(stdout) };
}

/** What is not in order, check by check. */
const wrong = (found: Finding[]) => found.filter(({ status }) => status !== "ok");
const of = (found: Finding[], check: string) => found.filter((one) => one.check === check);

test("doctor finds nothing wrong with a database that was just migrated and a node on it", async (t) => {
  const made = await base(t);
  await nodeFor(t, made.url, ["--node", "n1", "--workers", "1"]);
  const { code, found } = await findings(made.url);
  assert.deepEqual(wrong(found), []);
  assert.equal(code, 0);
  assert.deepEqual(found.map(({ check }) => check), [
    ..."database listen pooler schema clock nodes connections tasks archive bloat".split(" "),
  ]);
  const human = await made.cli("doctor");
  assert.equal(human.code, 0);
  assert.match(human.stdout, /^ok {7}schema {7}Version \d+, as its migrations make it$/m);
  assert.equal((await made.sql`select from pg_namespace where nspname like 'dispatcher%'`).length, 1);
});

test("doctor names what is missing from the schema, and its repair repairs it", async (t) => {
  const { url, sql, cli } = await base(t);
  await sql.unsafe(`
    drop index dispatcher.envelope_due;
    drop trigger envelope_asks on dispatcher.envelope;
    alter table dispatcher.node drop column rss;
    drop function dispatcher.drop_partition(text);
    create or replace function dispatcher.uuid7() returns uuid language sql volatile as 'select gen_random_uuid()';
    alter table dispatcher.envelope drop constraint envelope_max_attempts_check`);
  const { code, found } = await findings(url);
  assert.equal(code, 1);
  const schema = of(found, "schema");
  assert.deepEqual(schema.map(({ status, text }) => `${status} ${text}`), [
    "failed The column node.rss is missing",
    "failed The constraint envelope_max_attempts_check of envelope is missing",
    "failed The function drop_partition(name text) is missing",
    "warning The function uuid7() is different",
    "failed The index envelope_due is missing",
    "failed The trigger envelope_asks of envelope is missing",
  ]);
  const script = await cli("doctor", "--repair");
  assert.equal(script.code, 1);
  await sql.unsafe(script.stdout);
  assert.deepEqual(of((await findings(url)).found, "schema").map(({ status }) => status), ["ok"]);
});

test("doctor says which tasks nobody can run, that nobody vacuums or works, and that the archive lacks a day", async (t) => {
  const { url, sql, client } = await base(t);
  await client.publishMany([{ task: "nowhere/it's" }, { task: "examples/add" }, { task: "nowhere/at/all" }]);
  await sql.unsafe(`
    do $$ begin execute format('drop table dispatcher.archive_%s', to_char(now() at time zone 'utc', 'YYYYMMDD')); end $$;
    alter table dispatcher.envelope set (autovacuum_enabled = false)`);
  const { code, found } = await findings(url);
  assert.equal(code, 1);
  assert.deepEqual(of(found, "tasks").map(({ text }) => /"([^"]+)"/.exec(text)?.[1]), [
    "nowhere/at/all",
    "nowhere/it's",
  ]);
  assert.match(of(found, "archive")[0].text, /no partition for today/);
  assert.match(of(found, "bloat")[0].text, /Nobody vacuums dispatcher\.envelope/);
  assert.match(of(found, "nodes")[0].text, /No node is alive/);
  for (const repair of [...of(found, "archive"), ...of(found, "bloat")].map((one) => one.repair!)) {
    await sql.unsafe(repair);
  }
  const again = (await findings(url)).found;
  assert.deepEqual([...of(again, "archive"), ...of(again, "bloat")].map(({ status }) => status), [
    "ok",
    "ok",
  ]);
});

test("doctor works without a database, without a schema, and with an old one", async (t) => {
  const away = await findings(NOWHERE);
  assert.equal(away.code, 1);
  assert.deepEqual(away.found.map(({ check, status }) => [check, status]), [["database", "failed"]]);
  assert.ok(!away.found[0].text.includes("hunter2"));
  const db = await database();
  t.after(() => db.drop());
  const none = await findings(db.url);
  assert.equal(none.code, 1);
  assert.deepEqual(of(none.found, "schema"), [
    { check: "schema", status: "failed", text: "The schema is not there", repair: "cli migrate up" },
  ]);
  const made = await base(t);
  await made.sql`delete from dispatcher.migration where version > 5`;
  const old = await findings(made.url);
  assert.match(of(old.found, "schema")[0].text, /^The schema is version 5, these are missing: 0006_limits/);
});

// What is the server's alone is the same from every runtime.
const once: typeof test = thisRuntime() === "node" ? test : (() => {}) as typeof test;

once(
  "doctor tells a pooler in transaction mode, and that LISTEN cannot pass it",
  { skip: needsPgbouncer() },
  async (t) => {
    const made = await base(t);
    const through = await pgbouncer(t, made.url);
    const deaf = await findings(through);
    assert.equal(
      of(deaf.found, "pooler")[0].text,
      "A pooler in transaction mode is between this machine and PostgreSQL",
    );
    assert.equal(of(deaf.found, "listen")[0].status, "failed");
    assert.equal(of(deaf.found, "schema")[0].status, "ok", "compared through it all the same");
    const hears = await findings(through, [], { DISPATCHER_LISTEN_URL: made.url });
    assert.equal(of(hears.found, "listen")[0].status, "ok");
    const named = { DISPATCHER_LISTEN_URL: made.url, DISPATCHER_PREPARED_STATEMENTS: "on" };
    assert.equal(of((await findings(through, [], named)).found, "pooler")[0].status, "failed");
  },
);

once("doctor says what it cannot compare when its login has few rights", async (t: TestContext) => {
  const made = await base(t);
  const role = `doctor_${made.url.slice(-8)}`;
  await made.sql.unsafe(`create role ${role} login password 'p'; grant usage on schema dispatcher to ${role};
    grant select on all tables in schema dispatcher to ${role}`);
  t.after(() => made.sql.unsafe(`drop owned by ${role}; drop role ${role}`).catch(() => {}));
  const url = new URL(made.url);
  [url.username, url.password] = [role, "p"];
  const { stdout } = await spawnCli(["doctor", "--json"], { env: environment(url.href) });
  const [schema] = of(ndjson(stdout), "schema");
  assert.equal(schema.status, "warning");
  assert.match(schema.text, /this login may not create a schema/);
});
