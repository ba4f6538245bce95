/** A node that is woken often looks by itself, and is not to be woken meanwhile. */
import assert from "node:assert/strict";
import { connect } from "../../runtime/store/connection.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { eventually, test, type TestContext } from "../harness.ts";
import { cluster } from "./cluster.ts";

async function site(t: TestContext) {
  const made = await cluster(t);
  const sql = connect(made.url, { max: 2 });
  t.after(() => sql.end({ timeout: 1 }));
  const store = new PostgresStore(sql);
  /** As many commits of as many publishers. */
  const rouse = () =>
    sql.unsafe(`do $$ begin
      for i in 1..400 loop perform pg_notify('dispatcher_wake', 'default'); commit; end loop; end $$`);
  /** Wake them until all of them keep vigil. */
  const vigil = async () => {
    await eventually(async () => {
      await rouse();
      assert.ok(await store.wake(["default"]) > 0);
    });
  };
  return { ...made, sql, store, vigil };
}

test("nodes that are woken often run what is published without a word, and are woken again later", async (t) => {
  const { client, node, store, sql, vigil, until } = await site(t);
  await Promise.all([node({ name: "one", workers: 1 }), node({ name: "two", workers: 1 })]);
  await vigil();
  const heard: string[] = [];
  await sql.listen("dispatcher_wake", (queue) => heard.push(queue));
  const write = async () => {
    const { uuid } = (await sql`select gen_random_uuid()::text uuid`)[0];
    await sql`insert into dispatcher.envelope (uuid, queue, task, args) values (${uuid}, 'default', 'examples/add', '[1, 1]')`;
    return uuid as string;
  };
  // Nobody is told of it: they find it by themselves, or not within half a minute.
  await until(await write(), (row) => row.state === "completed", 15_000);
  await eventually(async () => assert.equal(await store.wake(["default"]), 0));
  const { uuid } = await client.publish("examples/add", [1, 1]);
  await until(uuid, (row) => row.state === "completed", 15_000);
});

test("what is published while a node keeps vigil is run although that node dies", async (t) => {
  const { client, node, vigil, until } = await site(t);
  const one = await node({ name: "one", workers: 1 });
  await vigil();
  // The second of them learns that nobody need be woken.
  await Promise.all([client.publish("examples/add", [1, 1]), client.publish("examples/add", [1, 2])]);
  one.kill("SIGKILL");
  const { uuid } = await client.publish("examples/add", [2, 2]);
  await node({ name: "two", workers: 1 });
  const { result } = await until(uuid, (row) => row.state === "completed");
  assert.equal(result, 4);
});
