import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { Events } from "../runtime/events.ts";
import { type Pulse, systemd } from "../runtime/systemd.ts";
import { FakeClock } from "./fake_clock.ts";
import { database, eventually, needs, tempDir, test, type TestContext } from "./harness.ts";
import { receiverDatabase, startedReceiver } from "./awx/receiver/rig.ts";
import { startNode } from "./processes.ts";

const ENV = { NOTIFY_SOCKET: "/run/notify", WATCHDOG_USEC: "20000000", WATCHDOG_PID: "7" };

function line(given: { env?: Record<string, string>; fails?: boolean } = {}) {
  const [clock, events, told] = [new FakeClock(), new Events(), [] as string[]];
  const warnings: string[] = [];
  events.on((event) => void warnings.push(event.text));
  const env: Record<string, string | undefined> = { ...ENV, ...given.env };
  // deno-lint-ignore require-await -- what it throws is to be a rejection
  const send = async (assignments: string[], socket: string) => {
    if (given.fails) throw new Error("no such program");
    told.push(`${socket} ${assignments.join(" ")}`);
  };
  const supervisor = systemd({ clock, events, env, pid: 7, send });
  return {
    supervisor,
    clock,
    env,
    warnings,
    told: () => told.splice(0).map((text) => text.replace("/run/notify ", "")),
  };
}

test("systemd() is nothing where nobody wants to be told, and leaves tasks no way to speak for the node", () => {
  assert.equal(line({ env: { NOTIFY_SOCKET: "" } }).supervisor, undefined);
  const { env, supervisor } = line();
  assert.deepEqual(Object.values(env), []);
  supervisor?.end();
});

test("a start may take its time, then the node is ready, and lives while its loops go round", async () => {
  const { supervisor, clock, told } = line();
  let pulse: Pulse = { status: "running, 0 of 4 slots busy" };
  await clock.advance(10_000);
  assert.deepEqual(told(), ["EXTEND_TIMEOUT_USEC=30000000 STATUS=starting"]);
  await supervisor!.ready(() => pulse);
  assert.deepEqual(told(), ["READY=1 STATUS=running, 0 of 4 slots busy"]);
  await clock.advance(20_000);
  assert.deepEqual(told(), Array(2).fill("WATCHDOG=1 STATUS=running, 0 of 4 slots busy"));
  pulse = { stuck: "heartbeat", status: "running" };
  await clock.advance(10_000);
  assert.deepEqual(told(), ["STATUS=heartbeat hangs"]);
  pulse = { status: "draining, 1 of 4 slots busy" };
  await supervisor!.stopping();
  await clock.advance(10_000);
  assert.deepEqual(told(), ["STOPPING=1 STATUS=draining", "WATCHDOG=1 STATUS=draining, 1 of 4 slots busy"]);
  supervisor!.end();
  await clock.advance(60_000);
  assert.deepEqual(told(), []);
});

test("no ping is sent for another process's watchdog, and what cannot be told is said once", async () => {
  const other = line({ env: { WATCHDOG_PID: "8" } });
  await other.supervisor!.ready(() => ({ status: "running" }));
  await other.clock.advance(30_000);
  assert.deepEqual(other.told(), ["READY=1 STATUS=running", "STATUS=running"]);
  other.supervisor!.end();
  const mute = line({ fails: true });
  await mute.supervisor!.ready(() => ({ status: "running" }));
  await mute.clock.advance(30_000);
  assert.deepEqual(mute.warnings, ["Cannot tell systemd anything: no such program"]);
  mute.supervisor!.end();
});

/** A Unix datagram socket, which no runtime has; each message is a line of the output. */
const LISTEN = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True: print(s.recv(4096).decode().replace("\\n", " "), flush=True)`;

async function notifySocket(t: TestContext): Promise<{ path: string; heard(): string[] }> {
  const path = join(tempDir(), "notify");
  const python = spawn("python3", ["-c", LISTEN, path], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => python.kill("SIGKILL"));
  let text = "";
  python.stdout.setEncoding("utf8").on("data", (piece: string) => text += piece);
  const heard = () => text.split("\n").slice(1, -1);
  await eventually(() => text.startsWith("bound"));
  return { path, heard };
}

test("a node tells a real socket through systemd-notify that it is ready, lives and stops", {
  skip: needs("systemd-notify") || needs("python3"),
}, async (t) => {
  const db = await database();
  t.after(() => db.drop());
  const { path, heard } = await notifySocket(t);
  const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "400000" };
  const node = await startNode({ url: db.url, args: ["--node", "told", "--workers", "1"], env });
  t.after(() => node.kill("SIGKILL"));
  const times = (text: string) => heard().filter((line) => line.includes(text)).length;
  await eventually(() => times("READY=1") === 1 && times("WATCHDOG=1") >= 2);
  assert.ok(times("STATUS=running, 0 of 1 slots busy") >= 2, heard().join("\n"));
  assert.equal((await node.stop()).code, 0);
  await eventually(() => times("STOPPING=1") === 1);
});

test("a receiver tells the same through a real socket", {
  skip: needs("systemd-notify") || needs("python3"),
}, async (t) => {
  const { url, sql } = await receiverDatabase(t);
  const { path, heard } = await notifySocket(t);
  const env = { NOTIFY_SOCKET: path, WATCHDOG_USEC: "400000" };
  const receiver = await startedReceiver(t, ["--database-url", url, "--http", "127.0.0.1:0"], env);
  const times = (text: string) => heard().filter((line) => line.includes(text)).length;
  await eventually(() => times("READY=1") === 1 && times("WATCHDOG=1") >= 2);
  assert.ok(times("STATUS=0 events saved, 0 set aside") >= 2, heard().join("\n"));
  await sql`insert into awx.job_event_queue (payload) values ('poison')`;
  await sql`select pg_notify('awx_job_event', 'FLUSH')`;
  await eventually(() => times("WATCHDOG=1 STATUS=0 events saved, 1 set aside") >= 1);
  assert.deepEqual(await receiver.stop(), { code: 0, signal: null });
  await eventually(() => times("STOPPING=1") === 1);
});
