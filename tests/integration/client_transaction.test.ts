/** Statements of a caller and what he publishes, in one transaction. */
import assert from "node:assert/strict";
import { eventually, test } from "../harness.ts";
import { cluster } from "./cluster.ts";

test("client.transaction() commits its statements and its envelopes together, and wakes the nodes", async (t) => {
  const { client, node, until } = await cluster(t);
  await node({ name: "n1", workers: 1 });
  await client.database().unsafe("create table account (id int)");
  const { uuid } = await client.transaction(async (tx, publish) => {
    await tx.unsafe("insert into account values (1)");
    return await publish("examples/add", [1, 2]);
  });
  const row = await until(uuid, ({ state }) => state === "completed");
  assert.equal(row.result, 3);
  assert.deepEqual([...await client.database().unsafe("select id from account")], [{ id: 1 }]);
});

test("client.transaction() that fails leaves neither statement nor envelope", async (t) => {
  const { client } = await cluster(t);
  await client.database().unsafe("create table account (id int)");
  const failing = client.transaction(async (tx, publish) => {
    await tx.unsafe("insert into account values (1)");
    await publish("examples/add", [1, 2]);
    throw new Error("no");
  });
  await assert.rejects(failing, /^Error: no$/);
  assert.equal((await client.list()).length, 0);
  assert.equal((await client.database().unsafe("select from account")).length, 0);
});

test("client.transaction() whose connection is cut fails, and what it did is undone", async (t) => {
  const { client } = await cluster(t);
  const sql = client.database();
  await sql.unsafe("create table account (id int)");
  const failing = client.transaction(async (tx) => {
    await tx.unsafe("insert into account values (1)");
    const [{ pid }] = await tx.unsafe("select pg_backend_pid() pid");
    await sql.unsafe("select pg_terminate_backend($1::int)", [pid]);
    await tx.unsafe("insert into account values (2)");
  });
  await assert.rejects(failing, /connection|terminating|lost|ECONNRESET|EPIPE|broken pipe|socket/i);
  await eventually(async () => assert.equal((await sql.unsafe("select from account")).length, 0));
});

test("what is published at once in client.transaction() learns the same of itself as what is published in turn", async (t) => {
  const { client } = await cluster(t);
  const calls = (uuid: string, queue: string) => [
    { uuid, queue },
    { uuid, queue },
    ...Array.from({ length: 3 }, () => ({ queue, onDuplicate: "queue_one" as const })),
    { queue },
  ];
  const uuids = ["1", "2"].map((digit) => `0199a2b4-0000-7000-8000-00000000000${digit}`);
  const atOnce = await client.transaction((_, publish) =>
    Promise.all(calls(uuids[0], "a").map((options) => publish("examples/add", [1, 2], options)))
  );
  const inTurn = await client.transaction(async (_, publish) => {
    const sent = [];
    for (const options of calls(uuids[1], "b")) sent.push(await publish("examples/add", [1, 2], options));
    return sent;
  });
  const brief = (sent: typeof atOnce) => sent.map(({ known, duplicateOf }) => [known, duplicateOf !== null]);
  assert.deepEqual(brief(atOnce), brief(inTurn));
  assert.equal(brief(atOnce)[1][0], true);
  assert.equal((await client.list({ queue: "a" })).length, (await client.list({ queue: "b" })).length);
});

test("a bound task is told its node, and asks the database over connections that its worker shares", async (t) => {
  const { client, node } = await cluster(t);
  await node({ name: "n1", workers: 1, tasks: new URL("../fixtures/tasks", import.meta.url).pathname });
  const published = await client.publish<{ node: string; same: boolean; sum: number }>("asks_database");
  assert.deepEqual(await published.result(), { node: "n1", same: true, sum: 3 });
});
