/** What a database may be set to, and what its locks do, that makes single statements fail. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join as path } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { connect } from "../../mod.ts";
import { ready } from "../../runtime/connect.ts";
import { isTransient } from "../../runtime/store/connection.ts";
import { HISTORY } from "../../runtime/store/sql_look.ts";
import { database, eventually, tempDir, test, type TestContext } from "../harness.ts";
import { FIXTURES } from "../integration/cluster.ts";
import { nodeFor } from "../integration/site.ts";
import { admin, times } from "./node_on.ts";

async function site(t: TestContext, settings: Record<string, string> = {}) {
  const { url, drop } = await database();
  t.after(drop);
  const sql = admin(t, url);
  const [{ name }] = await sql`select current_database() name`;
  for (const [key, value] of Object.entries(settings)) {
    await sql.unsafe(`alter database ${name} set ${key} = '${value}'`);
  }
  const client = await connect({ databaseUrl: url });
  t.after(() => client.close());
  const node = (name: string) => nodeFor(t, url, ["--node", name, "--tasks", FIXTURES, "--workers", "2"]);
  const archive = async () =>
    await sql`select uuid::text, task, state, attempt, json_array_length(${
      sql.unsafe(HISTORY)
    }) tries from dispatcher.archive`;
  return { url, sql, client, node, archive };
}

for (const isolation of ["repeatable read", "serializable"]) {
  test(`a database whose default is ${isolation}: nodes and publishers do not fail each other`, async (t) => {
    const { client, node, archive, sql } = await site(t, { default_transaction_isolation: isolation });
    const [{ usual }] = await sql`select setting usual from pg_db_role_setting s, unnest(setconfig) setting
      where setdatabase = (select oid from pg_database where datname = current_database())`;
    assert.equal(usual, `default_transaction_isolation=${isolation}`);
    const nodes = [await node("one"), await node("two")];
    const calls = Array.from({ length: 300 }, (_, i) => ({ task: "bound#plain", args: [i] }));
    const many = await client.publishMany(calls);
    // Publishers that see each other: one is published, the others find it.
    const gate = path(tempDir(), "gate");
    const same = await Promise.all(
      Array.from({ length: 8 }, () => client.publish("waits#gate", [gate], { onDuplicate: "discard" })),
    );
    assert.equal(same.filter(({ duplicateOf }) => duplicateOf === null).length, 1);
    writeFileSync(gate, "");
    await eventually(async () => assert.equal((await archive()).length, many.length + 1), { within: 40_000 });
    for (const { state, attempt, tries } of await archive()) {
      assert.deepEqual([state, attempt, tries], ["completed", 1, 1]);
    }
    for (const { stderr } of nodes) {
      assert.doesNotMatch(stderr(), /does not answer|could not serialize|failed/);
    }
  });
}

test("statements that time out while somebody holds a lock are tried again, and nothing is lost", async (t) => {
  const { client, node, sql, archive } = await site(t, { statement_timeout: "300ms" });
  const one = await node("one");
  const gate = path(tempDir(), "gate");
  const held = await client.publish("waits#gate", [gate]);
  await eventually(async () => assert.equal((await client.find(held.uuid))[0].progress, "waiting"));
  const waiting = await client.publishMany(
    Array.from({ length: 20 }, (_, i) => ({ task: "bound#plain", args: [i] })),
  );
  await sql.begin(async (tx) => {
    await tx`set local statement_timeout = 0`;
    await tx`select from dispatcher.envelope where uuid = ${held.uuid} for update`;
    writeFileSync(gate, "");
    await eventually(() => one.stderr().includes("canceling statement due to statement timeout"), {
      within: 20_000,
    });
    await rest(1_000);
  });
  await eventually(async () => assert.equal((await archive()).length, waiting.length + 1), {
    within: 40_000,
  });
  for (const { state, attempt } of await archive()) assert.deepEqual([state, attempt], ["completed", 1]);
  const told = one.stderr();
  assert.equal(times(told, "Database does not answer:"), times(told, "Database answers again"), told);
  assert.doesNotMatch(told, /cannot be stored|stale/);
});

test("an error of a deadlock's victim is one that passes: what was refused is tried again", async (t) => {
  const { url, sql } = await site(t);
  await sql`create table pair (n int primary key)`;
  await sql`insert into pair values (1), (2)`;
  const ours = await ready(url, { max: 1 });
  t.after(() => ours.end({ timeout: 1 }));
  await sql.begin(async (tx) => {
    // The other one's patience ends first.
    await tx`set local deadlock_timeout = '20s'`;
    await tx`select from pair where n = 2 for update`;
    const both =
      "do $$ begin perform from pair where n = 1 for update; perform from pair where n = 2 for update; end $$";
    const victim = ours.unsafe(both).then(() => null, (error) => error);
    const waits = async () =>
      await sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await eventually(async () => assert.equal((await waits()).length, 1));
    const theirs = tx`select from pair where n = 1 for update`;
    await theirs;
    const error = await victim;
    assert.equal(error?.code, "40P01");
    assert.ok(isTransient(error));
  });
  await ours.unsafe("select from pair where n = 1 for update");
});
