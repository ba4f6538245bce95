/** How a node starts, and how it says that it cannot. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { startEmbedded, stopEmbedded } from "../../runtime/store/embedded.ts";
import { database, eventually, type Runtime, runtimes, tempDir, test, thisRuntime } from "../harness.ts";
import { spawnCli, startNode } from "../processes.ts";
import { base, cli, environment, nodeFor, NOWHERE, stopNow } from "./site.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const OLD_NODE = "/usr/bin/node";
const START = ["dispatcher", "--no-http", "--workers", "1"];

/** The major version of a Node, 0 when there is none. */
function majorOf(binary: string): number {
  if (!existsSync(binary)) return 0;
  return Number(
    spawnSync(binary, ["-p", "process.versions.node.split('.')[0]"], { encoding: "utf8" }).stdout,
  );
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // All of it has ended.
  }
}

async function closedPort(): Promise<number> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test("ready line names node, pid, workers, queues and database, as text and as JSON", async (t) => {
  const db = await database();
  t.after(() => db.drop());
  const { host } = new URL(db.url);
  const node = await nodeFor(t, db.url, ["--node", "a", "--workers", "2", "--queues", "x,y"]);
  assert.equal(
    node.line,
    `ready node=a pid=${node.pid} workers=2 min=2 max=2 queues=x,y,a,broadcast http=off database=${host}`,
  );
  assert.equal(node.stdout(), `${node.line}\n`);
  const child = spawnCli([...START, "--node", "b", "--log-format", "json", "--once"], {
    env: environment(db.url),
  });
  const { code, stdout, stderr } = await child;
  assert.equal(code, 0, stderr);
  const { event, node: name, workers, min, max } = JSON.parse(stdout);
  assert.deepEqual([event, name, workers, min, max], ["ready", "b", 1, 1, 1]);
  for (const line of stderr.trim().split("\n").filter((text) => text.startsWith("{"))) JSON.parse(line);
});

test("--once works until every queue is empty, drains and exits 0", async (t) => {
  const made = await base(t);
  const sent = await made.client.publishMany(
    Array.from({ length: 50 }, (_, i) => ({ task: "examples/add", args: [i, 1] })),
  );
  const { code, stderr } = await cli(made.url, [...START, "--node", "once", "--once"]);
  assert.equal(code, 0, stderr);
  const rows = await made.client.list({ state: ["completed"], limit: 100 });
  assert.equal(rows.length, sent.length);
});

test("a database that is down at the start is waited for, and found when it comes", async (t) => {
  const dir = join(tempDir(), "postgres");
  const { url } = await startEmbedded({ dir });
  t.after(() => stopEmbedded({ dir }));
  await stopEmbedded({ dir });
  const started = startNode({ url, args: ["--workers", "1", "--node", "late"], env: environment(url) });
  // The port is the same at every start, so the waiting node finds it.
  await startEmbedded({ dir });
  const node = await started;
  t.after(() => stopNow(node));
  assert.equal(node.name, "late");
});

test("a database that does not answer is said with its address, and again, and no password", async (t) => {
  const url = `postgres://me:hunter2@127.0.0.1:${await closedPort()}/db`;
  const args = [...START, "--node", "waits", "--database-url", url];
  const binary = runtimes()[thisRuntime()];
  const flags: Record<Runtime, string[]> = { deno: ["run", "-A", "-q"], bun: [], node: ["--no-warnings"] };
  const main = join(ROOT, "cli/main.ts");
  const env = environment(undefined, process.env) as Record<string, string>;
  const child = spawn(binary, [...flags[thisRuntime()], main, ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => child.kill("SIGKILL"));
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => log += text);
  await eventually(() => log.split("next try in").length > 2, { within: 20_000 });
  assert.match(log, /Cannot connect to PostgreSQL at 127\.0\.0\.1:\d+\/db as me: /);
  assert.ok(!log.includes("hunter2"));
});

test("a database that does not answer ends --once with 69, and every command", async () => {
  const once = await cli(NOWHERE, [...START, "--once"]);
  assert.equal(once.code, 69, once.stderr);
  assert.equal(once.stdout, "");
  const listed = await cli(NOWHERE, ["list"]);
  assert.equal(listed.code, 69);
  assert.ok(!(once.stderr + listed.stderr).includes("hunter2"));
});

test("a wrong password ends with 78 and is not repeated", async (t) => {
  const dir = join(tempDir(), "postgres");
  const { url } = await startEmbedded({ dir });
  t.after(() => stopEmbedded({ dir }));
  const wrong = new URL(url);
  wrong.password = "hunter2";
  const { code, stderr } = await cli(wrong.href, START);
  assert.equal(code, 78, stderr);
  assert.match(stderr, /password authentication failed/);
  assert.ok(!stderr.includes("hunter2"));
});

test("a schema that is newer than the code ends with 78 and both versions", async (t) => {
  const made = await base(t);
  await made.sql`insert into dispatcher.migration (version, name, works_with) values (999, 'future', 999)`;
  const { code, stderr } = await cli(made.url, START);
  assert.equal(code, 78);
  assert.match(stderr, /schema is version 999 and needs code for 999 or newer, this code is for \d+/);
});

test("a name is free at once when its holder was killed on this machine", async (t) => {
  const db = await database();
  t.after(() => db.drop());
  const args = ["--node", "phoenix", "--workers", "1"];
  const first = await nodeFor(t, db.url, args);
  first.kill("SIGKILL");
  await first.exited;
  assert.equal((await nodeFor(t, db.url, args)).name, "phoenix");
});

const REFUSED: [string, string[], number, RegExp][] = [
  [
    "--workers together with --min-workers",
    ["--workers", "2", "--min-workers", "1"],
    2,
    /--workers together/,
  ],
  ["an unknown flag", ["--worker", "2"], 2, /Unknown flag "--worker" \(did you mean "--workers"\?\)/],
  [
    "--max-workers below --min-workers",
    ["--min-workers", "5", "--max-workers", "2"],
    78,
    /pool\.max_workers 2/,
  ],
  [
    "a tasks folder that is not there",
    ["--tasks", "/nowhere/at/all"],
    78,
    /Cannot use tasks "\/nowhere\/at\/all"/,
  ],
  ["a blank queue", ["--queues", " "], 78, /queues/],
  ["a node named like a shared queue", ["--node", "default"], 78, /Cannot use node "default"/],
  ["an address that is none", ["--database-url", "mysql://x"], 78, /postgres:\/\/user@host/],
];
for (const [what, args, code, why] of REFUSED) {
  test(`dispatcher refuses ${what}`, async () => {
    const url = args[0] === "--database-url" ? undefined : NOWHERE;
    const result = await cli(url, ["dispatcher", "--no-http", ...args]);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, why);
  });
}

test("an unknown configuration key is refused with a suggestion", async () => {
  const file = join(tempDir(), "config.json");
  writeFileSync(file, JSON.stringify({ pool: { max_worker: 3 } }));
  const { code, stderr } = await cli(NOWHERE, [...START, "--config", file]);
  assert.equal(code, 78);
  assert.match(stderr, /Unknown configuration key "pool\.max_worker" \(did you mean "pool\.max_workers"\?\)/);
});

const noOldNode = majorOf(OLD_NODE) === 0
  ? "no system Node here"
  : majorOf(OLD_NODE) >= 22 && "the system's Node is new enough";
test("an old Node is told which version it takes, in one line, with 78", { skip: noOldNode }, () => {
  const launcher = join(ROOT, "cli/launcher.mjs");
  const { status, stdout, stderr } = spawnSync(OLD_NODE, [launcher, "dispatcher"], { encoding: "utf8" });
  assert.equal(status, 78);
  assert.equal(stdout, "");
  assert.match(stderr, /^edge-dispatcher needs Node 22\.18 or newer, this is \d+\.\d+\.\d+\n$/);
});

const COMMANDS: Record<Runtime, string[]> = {
  deno: ["deno", "task", "-q"],
  bun: ["bun", "run", "--silent"],
  node: ["npm", "run", "--silent"],
};
const RUN = COMMANDS[thisRuntime()];
const noNpm = RUN[0] === "npm" && spawnSync("npm", ["--version"]).status !== 0 && "no npm here";

test(`"${RUN.join(" ")} dispatcher" starts a node with the embedded database, and the commands talk to it`, {
  skip: noNpm,
  timeout: 120_000,
}, async (t) => {
  const dir = join(tempDir(), "embedded");
  const binary = runtimes()[thisRuntime()];
  // What the scripts find as `deno`, `bun` and `node` is the runtime under test.
  const path = `${dirname(binary)}:${process.env.PATH}`;
  const env = environment(undefined, {
    ...process.env,
    PATH: path,
    DISPATCHER_EMBEDDED_DIR: dir,
    NO_COLOR: "1",
  });
  for (const [name, value] of Object.entries(env)) if (value === undefined) delete env[name];
  t.after(() => stopEmbedded({ dir }));
  const program = RUN[0] === "npm" ? "npm" : binary;
  const words = (
    args: string[],
  ) => [...RUN.slice(1), args[0], ...(RUN[0] === "npm" ? ["--"] : []), ...args.slice(1)];
  const options = { cwd: ROOT, env: env as Record<string, string> };
  const node = spawn(program, words(["dispatcher", "--node", "mine", "--workers", "1"]), {
    ...options,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  // A script runner may not hand signals on: the whole group is told, as a terminal would.
  t.after(() => killGroup(node.pid!));
  let out = "";
  let err = "";
  node.stdout.setEncoding("utf8").on("data", (text: string) => out += text);
  node.stderr.setEncoding("utf8").on("data", (text: string) => err += text);
  await eventually(() => /^ready node=mine .* database=embedded$/m.test(out) || assert.fail(err), {
    within: 60_000,
  });

  const run = (...args: string[]) =>
    spawnSync(program, words(["cli", ...args]), { ...options, encoding: "utf8" });
  const published = run("publish", "examples/add", "20", "22", "--wait");
  assert.equal(published.status, 0, published.stderr);
  assert.match(published.stdout, /^[0-9a-f-]{36}\n42\n$/);
  assert.match(run("status").stdout, /^mine\[pid:\d+\] workers total=1 min=1 max=1 rss=/);
  assert.match(run("db", "status").stdout, /^running pid=\d+ port=\d+ dir=/);
  const sql = postgres(run("db", "url").stdout.trim(), { max: 1 });
  assert.equal((await sql`select 1 one`)[0].one, 1);
  await sql.end();

  process.kill(-node.pid!, "SIGTERM");
  // The script runner may be gone before the node that it started.
  await eventually(() => err.includes('Node "mine" stopped') || assert.fail(err), { within: 40_000 });
  assert.equal(run("db", "stop").stdout, "stopped\n");
  const stopped = run("db", "status");
  assert.match(stopped.stdout, /^stopped dir=/);
});
