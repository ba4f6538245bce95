/** What a database may be set to, and what its locks do, that makes single statements fail. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { connect } from "../../mod.ts";
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
    await sql`select uuid::text, task, state, attempt, cardinality(attempts)::int tries from dispatcher.archive`;
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
    const gate = join(tempDir(), "gate");
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
  const gate = join(tempDir(), "gate");
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

test("a statement that is chosen as the victim of a deadlock is tried again, and nothing is lost", async (t) => {
  const { client, node, sql, archive } = await site(t);
  const one = await node("one");
  const gate = join(tempDir(), "gate");
  const held = await Promise.all([1, 2].map((n) => client.publish("waits#gate", [gate, n])));
  for (const { uuid } of held) {
    await eventually(async () => assert.equal((await client.find(uuid))[0].progress, "waiting"));
  }
  const next = await client.publish("waits#gate", [gate, 3], { priority: -1 });
  await sql.begin(async (tx) => {
    // The node's patience ends first.
    await tx`set local deadlock_timeout = '20s'`;
    await tx`select from dispatcher.envelope where uuid = any(${held.map(({ uuid }) => uuid)}) for update`;
    writeFileSync(gate, "");
    // It has locked what it claims, and waits for what it settles.
    await eventually(async () => {
      const rows =
        await sql`select from pg_stat_activity where wait_event_type = 'Lock' and query like '%dispatcher.envelope%'`;
      assert.ok(rows.length > 0);
    });
    await tx`select from dispatcher.envelope where uuid = ${next.uuid} for update`;
  });
  await eventually(async () => assert.equal((await archive()).length, 3), { within: 40_000 });
  for (const { state, attempt, tries } of await archive()) {
    assert.deepEqual([state, attempt, tries], ["completed", 1, 1]);
  }
  assert.match(one.stderr(), /deadlock detected/);
  assert.doesNotMatch(one.stderr(), /cannot be stored|stale/);
});
