import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { PAYLOAD_BYTES } from "../../runtime/broker/broker.ts";
import { PgNotifyBroker } from "../../runtime/broker/pg_notify.ts";
import { connect, type Sql } from "../../runtime/store/connection.ts";
import { database, eventually, test, type TestContext } from "../harness.ts";
import { TcpProxy } from "../harness/tcp_proxy.ts";

/** A broker on a database of its own; `url` is another way to it, for LISTEN. */
async function broker(t: TestContext, url?: (direct: string) => string) {
  const db = await database();
  t.after(() => db.drop());
  const sql = connect(db.url, { max: 2 });
  t.after(() => sql.end({ timeout: 1 }));
  const made = new PgNotifyBroker(sql, url?.(db.url) ?? db.url);
  t.after(() => made.close());
  return { broker: made, sql, url: db.url };
}

/** A listener that remembers. */
function recorder() {
  const heard: string[] = [];
  let gaps = 0;
  const message = (channel: string, payload: string) => void heard.push(`${channel}: ${payload}`);
  return { heard, message, gap: () => void gaps++, gaps: () => gaps };
}

async function listeners(sql: Sql): Promise<number[]> {
  const rows = await sql<{ pid: number }[]>`select pid from pg_stat_activity
    where datname = current_database() and application_name = 'edge-dispatcher listen'`;
  return rows.map((row) => row.pid);
}

/** Cut the connections that listen, as a restart of the server does. */
async function cut(sql: Sql): Promise<void> {
  const pids = await listeners(sql);
  assert.ok(pids.length > 0, "somebody listens");
  for (const pid of pids) await sql`select pg_terminate_backend(${pid})`;
}

/** Whatever was sent before this was heard, or never will be. */
async function flushed(broker: PgNotifyBroker, sql: Sql): Promise<void> {
  const { heard, ...listener } = recorder();
  const stop = await broker.listen(["flush"], listener);
  await eventually(async () => {
    await sql.notify("flush", "");
    return heard.length > 0;
  });
  await stop();
}

test("PgNotifyBroker brings a message to all who listen on its channel", async (t) => {
  const { broker: one, sql, url } = await broker(t);
  const two = new PgNotifyBroker(sql, url);
  t.after(() => two.close());
  const listening = [recorder(), recorder(), recorder()];
  await one.listen(["a", "b"], listening[0]);
  await one.listen(["b"], listening[1]);
  await two.listen(["b"], listening[2]);
  for (const [channel, payload] of [["a", "1"], ["b", "2"], ["c", "3"], ["b", ""]]) {
    await one.notify(channel, payload);
  }
  await eventually(() => assert.deepEqual(listening[0].heard, ["a: 1", "b: 2", "b: "]));
  for (const { heard } of listening.slice(1)) {
    await eventually(() => assert.deepEqual(heard, ["b: 2", "b: "]));
  }
});

test("PgNotifyBroker takes any name of a channel and any text", async (t) => {
  const { broker: made } = await broker(t);
  const channels = ["Node-1.example", 'quo"te', "sp ace", "semi;colon--", "x".repeat(63), "€".repeat(21)];
  const { heard, ...listener } = recorder();
  await made.listen(channels, listener);
  const text = "'; drop table x; -- \\ \" 😀\n\t$1";
  for (const channel of channels) await made.notify(channel, text);
  await eventually(() => assert.deepEqual(heard, channels.map((channel) => `${channel}: ${text}`)));
});

test("PgNotifyBroker carries 7,999 bytes and refuses 8,000", async (t) => {
  const { broker: made } = await broker(t);
  const { heard, ...listener } = recorder();
  await made.listen(["big"], listener);
  assert.equal(PAYLOAD_BYTES, 7_999);
  await made.notify("big", "x".repeat(7_999));
  await made.notify("big", "€".repeat(2_666));
  await assert.rejects(made.notify("big", "x".repeat(8_000)), /payload string too long/);
  await eventually(() => assert.deepEqual(heard, [`big: ${"x".repeat(7_999)}`, `big: ${"€".repeat(2_666)}`]));
});

test("PgNotifyBroker tells once that listening began, however many channels there are", async (t) => {
  const { broker: made, sql } = await broker(t);
  const { gaps, ...listener } = recorder();
  await made.listen(Array.from({ length: 20 }, (_, i) => `channel ${i}`), listener);
  await eventually(() => gaps() > 0);
  await flushed(made, sql);
  assert.equal(gaps(), 1);
});

test("PgNotifyBroker tells of the gap after a lost connection, and messages arrive again", async (t) => {
  const { broker: made, sql } = await broker(t);
  const { heard, gaps, ...listener } = recorder();
  await made.listen(["a", "b"], listener);
  await eventually(() => gaps() === 1);
  await made.notify("a", "before");
  await eventually(() => heard.length === 1);
  for (const round of [2, 3]) {
    await cut(sql);
    await eventually(() => assert.equal(gaps(), round));
    await made.notify("a", `after ${round}`);
    await made.notify("b", `after ${round}`);
    await eventually(() => assert.deepEqual(heard.slice(-2), [`a: after ${round}`, `b: after ${round}`]));
  }
  assert.equal((await listeners(sql)).length, 1);
});

test("PgNotifyBroker is deaf after the returned function was called, while others go on", async (t) => {
  const { broker: made, sql } = await broker(t);
  const [gone, stays] = [recorder(), recorder()];
  const stop = await made.listen(["a", "b"], gone);
  await made.listen(["a"], stays);
  await stop();
  await stop();
  await made.notify("a", "x");
  await made.notify("b", "y");
  await eventually(() => assert.deepEqual(stays.heard, ["a: x"]));
  await flushed(made, sql);
  assert.deepEqual(gone.heard, []);
});

test("PgNotifyBroker is deaf also when the connection was lost in between", async (t) => {
  const { broker: made, sql } = await broker(t);
  const [gone, stays] = [recorder(), recorder()];
  const stop = await made.listen(["a"], gone);
  await made.listen(["a"], stays);
  await eventually(() => gone.gaps() === 1 && stays.gaps() === 1);
  await cut(sql);
  await eventually(() => stays.gaps() === 2 && gone.gaps() === 2);
  await stop();
  await made.notify("a", "x");
  await eventually(() => assert.deepEqual(stays.heard, ["a: x"]));
  await cut(sql);
  await eventually(() => assert.equal(stays.gaps(), 3));
  assert.deepEqual([gone.heard, gone.gaps()], [[], 2]);
});

test("PgNotifyBroker.close() leaves no connection and is harmless twice, the pool stays the caller's", async (t) => {
  const { broker: made, sql } = await broker(t);
  const stop = await made.listen(["a"], recorder());
  assert.equal((await listeners(sql)).length, 1);
  await made.close();
  await made.close();
  await eventually(async () => assert.deepEqual(await listeners(sql), []));
  await stop();
  await made.notify("a", "still goes");
});

test("PgNotifyBroker closes its connection some time after the last one stopped listening", async (t) => {
  const { broker: made, sql } = await broker(t);
  const stops = [await made.listen(["a"], recorder()), await made.listen(["a"], recorder())];
  const [pid] = await listeners(sql);
  for (const stop of stops) await stop();
  await (await made.listen(["a"], recorder()))();
  assert.deepEqual(await listeners(sql), [pid], "who asks again soon gets the same one");
  await eventually(async () => assert.deepEqual(await listeners(sql), []));
});

test("PgNotifyBroker.listen() fails while there is no server, and works when it is tried again", async (t) => {
  const db = await database();
  t.after(() => db.drop());
  const sql = connect(db.url, { max: 1 });
  t.after(() => sql.end({ timeout: 1 }));
  const way = await TcpProxy.before(t, db.url);
  await way.refuse();
  const made = new PgNotifyBroker(sql, way.url);
  t.after(() => made.close());
  const { heard, ...listener } = recorder();
  await assert.rejects(made.listen(["a"], listener));
  await way.heal();
  await made.listen(["a"], listener);
  await made.notify("a", "x");
  await eventually(() => assert.deepEqual(heard, ["a: x"]));
});

test("PgNotifyBroker gives a connection up that is swallowed, after its own time", async (t) => {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => void sockets.add(socket.on("error", () => {})));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  const url = `postgres://nobody@127.0.0.1:${port}/none`;
  const sql = connect(url, { max: 1 });
  t.after(() => sql.end({ timeout: 0 }));
  const broker = new PgNotifyBroker(sql, url, 0.3);
  t.after(() => broker.close());
  // The client's own 10 s would be too long for this.
  let refused = false;
  broker.listen(["a", "b", "c"], recorder()).catch((error) => refused = error.code === "CONNECT_TIMEOUT");
  await eventually(() => refused, { within: 8_000 });
  assert.equal(sockets.size, 1);
});
