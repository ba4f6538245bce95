/** Who is told that there is work. */
import assert from "node:assert/strict";
import { connect } from "../../runtime/store/connection.ts";
import { migrate } from "../../runtime/store/migrate.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { applyRoles } from "../../runtime/store/roles.ts";
import { beat, join } from "../conformance/store/moves.ts";
import { database, eventually, test, type TestContext } from "../harness.ts";

async function open(t: TestContext) {
  const db = await database();
  t.after(() => db.drop());
  const sql = connect(db.url, { max: 2 });
  t.after(() => sql.end({ timeout: 1 }));
  await migrate(sql);
  const heard: string[] = [];
  const store = new PostgresStore(sql);
  // What was said before is heard before: the last word of each look is one that is always passed on.
  const said = async (queues: string[]) => {
    heard.length = 0;
    await store.wake(queues);
    await store.wake([""]);
    await eventually(() => assert.equal(heard.at(-1), ""));
    return heard.slice(0, -1);
  };
  await sql.listen("dispatcher_wake", (payload) => heard.push(payload));
  return { sql, store, said };
}

test("wake() calls out the queues that a node serves, its own name among them, and no others", async (t) => {
  const { store, said } = await open(t);
  assert.deepEqual(await said(["default", "elsewhere"]), [], "nobody is there");
  await join(store, "n", { queues: ["default", "n"] });
  assert.deepEqual(await said(["default", "elsewhere", "n"]), ["default", "n"]);
});

test("wake() calls out broadcasts, and what is due at another time, whoever is there", async (t) => {
  const { said } = await open(t);
  assert.deepEqual(await said(["broadcast"]), ["broadcast"]);
});

test("wake() does not call nodes that drain or have left", async (t) => {
  const { store, said } = await open(t);
  const node = await join(store, "n", { queues: ["default"] });
  await beat(store, node, { state: "draining" });
  assert.deepEqual(await said(["default"]), []);
  await store.unregister(node.instance);
  assert.deepEqual(await said(["default"]), []);
});

test("wake() calls a node whose lease has lapsed and was not reclaimed: it may be late only", async (t) => {
  const { sql, store, said } = await open(t);
  await join(store, "n", { queues: ["default"] });
  await sql`update dispatcher.node set lease_until = now() - interval '1 second'`;
  assert.deepEqual(await said(["default"]), ["default"]);
});

test("wake() works for a publisher, who does not see nodes", async (t) => {
  const { sql, store } = await open(t);
  await join(store, "n", { queues: ["default"] });
  await applyRoles(sql);
  const heard: string[] = [];
  await sql.listen("dispatcher_wake", (payload) => heard.push(payload));
  await sql.unsafe("set local role dispatcher_publisher; select dispatcher.wake('{default}')").simple();
  await eventually(() => assert.deepEqual(heard, ["default"]));
});
