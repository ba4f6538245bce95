/** A database that is reached by a name, when the name is not known for a while. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import process from "node:process";
import postgres from "postgres";
import { SocketBroker } from "../../runtime/broker/socket.ts";
import { systemClock } from "../../runtime/clock.ts";
import { request } from "../../runtime/control/control.ts";
import { eventually, tempDir, test, type TestContext } from "../harness.ts";
import { cluster } from "./cluster.ts";

const NAME = "database.edge-dispatcher.test";
const BOUND = 30_000;

/** The reason to skip, or false: a process's own /etc/hosts takes a mount namespace. */
function needsMounts(): string | false {
  if (process.platform !== "linux") return "no mount namespaces here";
  return spawnSync("unshare", ["-m", "mount", "--bind", "/etc/hosts", "/etc/hosts"]).status === 0
    ? false
    : "no right to unshare -m";
}

/** A command that gives a program name resolution of its own: a file of hosts, which the test writes, and no DNS. */
function ownHosts() {
  const dir = tempDir();
  const [hosts, nsswitch, resolv] = ["hosts", "nsswitch.conf", "resolv.conf"].map((name) => join(dir, name));
  const known = (address?: string) =>
    writeFileSync(hosts, `127.0.0.1 localhost\n${address ? `${address} ${NAME}\n` : ""}`);
  writeFileSync(nsswitch, "hosts: files\n");
  // For those who do not read the file above: nobody answers there, and that at once.
  writeFileSync(resolv, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
  const mounts = [[hosts, "/etc/hosts"], [nsswitch, "/etc/nsswitch.conf"], [resolv, "/etc/resolv.conf"]];
  const script = `${mounts.map(([from, to]) => `mount --bind ${from} ${to}`).join(" && ")} && exec "$@"`;
  return { known, before: ["unshare", "-m", "sh", "-ec", script, "sh"] };
}

async function site(t: TestContext) {
  const made = await cluster(t);
  const direct = new URL(made.url);
  const named = new URL(made.url);
  named.hostname = NAME;
  const address = isIP(direct.hostname) ? direct.hostname : "127.0.0.1";
  const { known, before } = ownHosts();
  known(address);
  const socket_path = join(tempDir(), "node.sock");
  const config = { self_check_seconds: 1, self_check_timeout: 0.5, safety_poll_seconds: 1, socket_path };
  const node = await made.node({ name: "n1", workers: 1, before, url: named.href, config });
  const sql = postgres(made.url, { max: 1, onnotice: () => {} });
  t.after(() => sql.end({ timeout: 1 }));
  const broker = new SocketBroker(socket_path);
  t.after(() => broker.close());
  const ask = { channel: "n1", command: "node_status", timeout: 10, expected: 1 };
  const connection = async () => (await request(broker, systemClock, ask))[0].connection;
  /** End all connections of the node, as when its address moves. */
  const cut = () =>
    sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name in ('edge-dispatcher n1', 'edge-dispatcher listen')`;
  return { ...made, node, cut, connection, gone: () => known(), back: () => known(address) };
}

test(
  "a node whose database's name is not known for a while stays up, says so, and goes on",
  { skip: needsMounts(), timeout: 120_000 },
  async (t) => {
    const { node, client, until, cut, connection, gone, back } = await site(t);
    assert.equal(await connection(), "connected");
    gone();
    assert.ok((await cut()).length >= 2);
    const missed = await client.publish("examples/add", [1, 1]);
    await eventually(async () => assert.equal(await connection(), "down"), { within: BOUND });
    await eventually(() => node.stderr().includes("Database does not answer"), { within: BOUND });
    assert.equal(node.proc.exitCode, null);
    back();
    await until(missed.uuid, (row) => row.state === "completed", BOUND);
    await eventually(async () => assert.equal(await connection(), "connected"), { within: BOUND });
    const after = await client.publish("examples/add", [1, 2]);
    await until(after.uuid, (row) => row.state === "completed", BOUND);
    assert.match(node.stderr(), /Database answers again/);
  },
);
