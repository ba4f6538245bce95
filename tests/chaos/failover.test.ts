import assert from "node:assert/strict";
import { connect } from "../../mod.ts";
import { addressOf } from "../../runtime/store/connection.ts";
import { firstHostOf, Hosts } from "../../runtime/store/hosts.ts";
import { database, eventually, test, type TestContext } from "../harness.ts";
import { nodeFor } from "../integration/site.ts";
import { admin, times } from "./node_on.ts";
import { TcpProxy } from "../harness/tcp_proxy.ts";

/** One database at two addresses, and the URL that names both. */
async function twoWays(t: TestContext) {
  const db = await database();
  t.after(() => db.drop());
  const ways = [await TcpProxy.open(db.url), await TcpProxy.open(db.url)];
  for (const way of ways) t.after(() => way.close());
  const own = new URL(db.url);
  const user = `${own.username}${own.password ? `:${own.password}` : ""}`;
  const url = `postgres://${user}@${ways.map(({ port }) => `127.0.0.1:${port}`).join(",")}${own.pathname}`;
  return { url, direct: db.url, ways };
}

test("Hosts: all connections go to one address until it is left, whoever complains", () => {
  const url = "postgres://me:a%2Cb@one:1,two,[::1]:3/app?ssl=false";
  assert.equal(firstHostOf(url), "postgres://me:a%2Cb@one:1/app?ssl=false");
  assert.equal(firstHostOf("postgres://me:a,b@one:1/app"), "postgres://me:a,b@one:1/app");
  assert.equal(addressOf(url), "one:1,two:5432,::1:3/app as me");
  const [mine, yours] = [new Hosts(url), new Hosts(url)];
  assert.deepEqual(mine.pick(), { host: "one", port: 1, at: 0 });
  mine.leave(0);
  yours.leave(0);
  assert.deepEqual(yours.pick(), { host: "two", port: 5432, at: 1 });
  yours.leave(1);
  assert.deepEqual(mine.pick(), { host: "::1", port: 3, at: 2 });
  mine.leave(2);
  assert.equal(mine.pick()?.at, 0);
  for (const one of ["postgres://me@one:1/app", "postgres:///app?host=/tmp"]) {
    assert.equal(new Hosts(one).pick(), undefined);
  }
});

test("a node and a client whose database has two addresses go on at the other, and back", async (t) => {
  const { url, direct, ways } = await twoWays(t);
  const node = await nodeFor(t, url, ["--node", "one", "--workers", "2"]);
  assert.match(node.line, /database=127\.0\.0\.1:\d+,127\.0\.0\.1:\d+$/);
  const publisher = await connect({ databaseUrl: direct });
  t.after(() => publisher.close());
  const client = await connect({ databaseUrl: url });
  t.after(() => client.close());
  const runs = async (n: number) =>
    assert.equal(await (await publisher.publish("examples/add", [n, n])).result({ within: 20 }), 2 * n);
  await runs(1);
  assert.deepEqual([ways[0].made > 0, ways[1].made], [true, 0]);
  for (const [gone, other] of [[0, 1], [1, 0]]) {
    await ways[gone].refuse();
    await runs(2 + gone);
    await eventually(async () => assert.equal((await client.nodes()).length, 1), { within: 20_000 });
    assert.ok(ways[other].connections > 0);
    await ways[gone].heal();
  }
  const told = node.stderr();
  assert.doesNotMatch(told, /lost its lease/);
  assert.equal(times(told, "Database does not answer:"), times(told, "Database answers again"), told);
  assert.ok(times(told, "Database does not answer:") <= 3, told);
});

test("while no address answers a client fails at once, and does not go round without a rest", async (t) => {
  const { url, ways } = await twoWays(t);
  const client = await connect({ databaseUrl: url });
  t.after(() => client.close());
  const before = ways[0].made + ways[1].made;
  ways.forEach((way) => way.breakFrom(1, 1e9));
  ways.forEach((way) => way.drop());
  await assert.rejects(async () => {
    for (;;) await client.nodes();
  });
  assert.ok(ways[0].made + ways[1].made - before < 20);
});

test("a server that became read-only is left, and what it refused is tried again", async (t) => {
  const { url, direct, ways } = await twoWays(t);
  const sql = admin(t, direct);
  const node = await nodeFor(t, url, ["--node", "one", "--workers", "2"]);
  const publisher = await connect({ databaseUrl: url });
  t.after(() => publisher.close());
  const [{ name }] = await sql`select current_database() name`;
  const readOnly = async (on: boolean) => {
    await sql.unsafe(`alter database ${name} set default_transaction_read_only = ${on ? "on" : "off"}`);
    // Sessions keep what they began with.
    ways.forEach((way) => way.drop());
  };
  await readOnly(true);
  await eventually(() => node.stderr().includes("cannot execute"), { within: 20_000 });
  await eventually(() => ways.every(({ made }) => made > 0), { within: 20_000 });
  await assert.rejects(
    publisher.publish("examples/add", [1, 1]),
    /read-only transaction|CONNECTION|ECONNRESET/,
  );
  await sql.begin(async (tx) => {
    await tx`set transaction read write`;
    await tx`select dispatcher.publish('examples/add', '[2, 2]', '{}', 'default', ${'{"uuid": "01900000-0000-7000-8000-000000000001"}'}::text::json)`;
  });
  await readOnly(false);
  const outcome = async () => (await publisher.find("01900000-0000-7000-8000-000000000001"))[0];
  await eventually(async () => assert.equal((await outcome()).result, 4), { within: 40_000, every: 100 });
  assert.equal((await outcome()).attempts.length, 1);
});
