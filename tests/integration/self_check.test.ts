import assert from "node:assert/strict";
import { join } from "node:path";
import postgres from "postgres";
import { SocketBroker } from "../../runtime/broker/socket.ts";
import { systemClock } from "../../runtime/clock.ts";
import { request } from "../../runtime/control/control.ts";
import { eventually, tempDir, test, type TestContext } from "../harness.ts";
import { cluster } from "./cluster.ts";
import { TcpProxy } from "../harness/tcp_proxy.ts";

const EVERY = 1;
const TIMEOUT = 0.5;
/** Twice the time of the check, and what a loaded machine takes. */
const BOUND = 2 * (EVERY + TIMEOUT) * 1_000 + 8_000;

async function site(t: TestContext) {
  const made = await cluster(t);
  const way = await TcpProxy.before(t, made.url);
  const socket = join(tempDir(), "node.sock");
  const config = {
    listen_url: way.url,
    self_check_seconds: EVERY,
    self_check_timeout: TIMEOUT,
    // What was missed must be found by the reconnect, not by this.
    safety_poll_seconds: 600,
    socket_path: socket,
  };
  const node = await made.node({ name: "n1", workers: 1, config });
  return { ...made, way, node, socket };
}

test("a half open LISTEN is found, made anew, and what was missed runs", async (t) => {
  const { client, way, node, until, cli } = await site(t);
  const before = await client.publish("examples/add", [1, 1]);
  await until(before.uuid, (row) => row.state === "completed");
  const made = way.made;
  way.blackhole({ newOnes: false });
  const missed = await client.publish("examples/add", [1, 2]);
  await eventually(() => node.stderr().includes("Hears no notifications: listening anew"), { within: BOUND });
  await eventually(() => node.stderr().includes("Hears notifications again"), { within: BOUND });
  assert.ok(way.made > made);
  await until(missed.uuid, (row) => row.state === "completed", BOUND);
  assert.doesNotMatch((await cli("status")).stdout, /ISOLATED|DOWN|NO ANSWER/);
  const after = await client.publish("examples/add", [1, 3]);
  await until(after.uuid, (row) => row.state === "completed", BOUND);
  assert.equal(node.stderr().split("Hears no notifications").length, 2, "it says so once");
});

test("a node whose backend was terminated listens anew, and what was missed runs", async (t) => {
  const { url, client, way, until, cli } = await site(t);
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  t.after(() => sql.end({ timeout: 1 }));
  const made = way.made;
  const ended = await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name = 'edge-dispatcher listen'
      and pid <> pg_backend_pid()`;
  assert.ok(ended.length >= 1);
  const missed = await client.publish("examples/add", [1, 2]);
  await until(missed.uuid, (row) => row.state === "completed", BOUND);
  await eventually(() => way.made > made, { within: BOUND });
  const { stdout } = await cli("status", "--json");
  assert.equal(JSON.parse(stdout).connection, "connected");
});

test("a node that is deaf says isolated on its socket, and in its row for who asks in vain", async (t) => {
  const { client, way, cli, socket } = await site(t);
  const broker = new SocketBroker(socket);
  t.after(() => broker.close());
  const ask = { channel: "n1", command: "node_status", timeout: 10, expected: 1 };
  const connection = async () => (await request(broker, systemClock, ask))[0].connection;
  assert.equal(await connection(), "connected");
  way.blackhole();
  await eventually(async () => assert.equal(await connection(), "isolated"), { within: BOUND });
  const line = /^n1\[pid:\d+\] workers total=1 min=1 max=1 rss=\d+\.\d{3}MB \[ISOLATED\]\n$/;
  // The heartbeat that tells of it is under way.
  const isolated = async () => (await client.nodes())[0].listener === "isolated";
  await eventually(isolated, { within: BOUND });
  const { code, stdout } = await cli("status", "--timeout", "0.5");
  assert.equal(code, 69);
  assert.match(stdout, line);
  const json = JSON.parse((await cli("status", "--timeout", "0.5", "--json")).stdout);
  assert.deepEqual([json.answered, json.connection, json.state], [false, "isolated", "running"]);
  assert.match((await cli("node", "list")).stdout, /^n1\trunning \(isolated\)\t/);
  await way.heal({ reset: false });
  // A connection that was begun meanwhile is given up within the time of the check.
  await eventually(async () => assert.equal(await connection(), "connected"), { within: BOUND });
  assert.equal((await cli("status")).code, 0);
});
