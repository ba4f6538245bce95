import assert from "node:assert/strict";
import { seal } from "../../runtime/envelope.ts";
import { connect, type Sql } from "../../runtime/store/connection.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import {
  chooseStatements,
  isForgotten,
  type PreparedStatements,
  sessionOf,
} from "../../runtime/store/statements.ts";
import { database, test, type TestContext } from "../harness.ts";

async function open(t: TestContext, wanted: PreparedStatements, max = 1) {
  const db = await database({ migrated: true });
  t.after(() => db.drop());
  const sql = connect(db.url, { max, prepare: false });
  t.after(() => sql.end({ timeout: 1 }));
  const said: string[] = [];
  chooseStatements(sql, wanted, await sessionOf(sql), (why) => said.push(why));
  return { sql, said, store: new PostgresStore(sql) };
}

const named = async (sql: Sql) => (await sql.unsafe("select from pg_prepared_statements")).length;

for (const [wanted, count] of [["auto", 1], ["on", 1], ["off", 0]] as const) {
  test(`chooseStatements() ${wanted} names ${count} of one statement on PostgreSQL itself`, async (t) => {
    const { sql, said, store } = await open(t, wanted);
    await store.waiting(["a"]);
    await store.waiting(["b"]);
    assert.equal(await named(sql), count);
    assert.deepEqual(said, []);
  });
}

test("a statement that the server has forgotten runs once all the same, and no other is named", async (t) => {
  const { sql, said, store } = await open(t, "auto");
  const batch = () => [seal("t", [1])];
  await store.publish(batch());
  await sql.unsafe("deallocate all");
  assert.equal((await store.publish(batch()))[0].isNew, true);
  assert.equal(await store.waiting(["default"]), 2);
  assert.deepEqual(said, ["PostgreSQL forgot one"]);
  await sql.unsafe("deallocate all");
  await store.publish(batch());
  assert.equal(await store.waiting(["default"]), 3);
  assert.equal(await named(sql), 0);
});

test("two who publish the same uuids in opposite order both succeed, and each uuid is written once", async (t) => {
  const { sql, store } = await open(t, "auto", 8);
  for (let round = 0; round < 2; round++) {
    const batch = Array.from({ length: 300 }, (_, i) => seal("t", [i], { uuid: crypto.randomUUID() }));
    const all = await Promise.all([store.publish(batch), store.publish(batch.toReversed())]);
    assert.equal(all.flat().filter((put) => put.isNew).length, batch.length);
  }
  assert.equal((await sql`select from dispatcher.envelope`).length, 600);
});

test("isForgotten() is true of what the server refused for its name, and of nothing that may have run", () => {
  assert.equal(isForgotten({ code: "26000" }), true);
  assert.equal(isForgotten({ code: "42P05" }), true);
  assert.equal(isForgotten({ code: "08P01", routine: "exec_bind_message" }), true);
  // A pooler's own: the server died, perhaps after it had done it.
  assert.equal(isForgotten({ code: "08P01" }), false);
  assert.equal(isForgotten({ code: "08006" }), false);
  assert.equal(isForgotten(undefined), false);
});
