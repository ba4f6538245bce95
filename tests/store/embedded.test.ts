import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import {
  defaultEmbeddedDir,
  EmbeddedStartError,
  embeddedStatus,
  startEmbedded,
  stopEmbedded,
} from "../../runtime/store/embedded.ts";
import { eventually, runtimes, tempDir, test, type TestContext, thisRuntime } from "../harness.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MODULE = new URL("../../runtime/store/embedded.ts", import.meta.url).href;
const isRoot = process.getuid?.() === 0;
const linuxOnly = process.platform !== "linux" && "reads /proc";
const rootOnly = !isRoot && "only root runs the server as another user";

/** A folder whose server is stopped after the test. */
function folder(t: TestContext): string {
  const dir = join(tempDir(), "pg");
  t.after(() => stopEmbedded({ dir }));
  return dir;
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    return [...await sql.unsafe(text)];
  } finally {
    await sql.end();
  }
}

interface Starter {
  child: ChildProcess;
  /** What startEmbedded() gave it; rejects when it failed. */
  result: Promise<{ url: string; pid: number; port: number; started: boolean }>;
}

/** Another process that calls startEmbedded() and then stays, in a process group of its own. */
function startIn(t: TestContext, runtime: keyof ReturnType<typeof runtimes>, dir: string): Starter {
  const code = `const m = await import(${JSON.stringify(MODULE)});
    const result = await m.startEmbedded({ dir: ${JSON.stringify(dir)} });
    console.log(JSON.stringify(result));
    setInterval(() => {}, 60_000);`;
  const args =
    { deno: ["eval", code], bun: ["-e", code], node: ["--input-type=module", "-e", code] }[runtime];
  const child = spawn(runtimes()[runtime], args, { cwd: ROOT, stdio: "pipe", detached: true });
  t.after(() => child.kill("SIGKILL"));
  let stdout = "", stderr = "";
  child.stderr?.on("data", (piece) => stderr += piece);
  const result = new Promise<string>((resolve, reject) => {
    child.stdout?.on("data", (piece) => {
      stdout += piece;
      if (stdout.endsWith("\n")) resolve(stdout);
    });
    child.on("close", () => reject(new Error(`The starter on ${runtime} ended: ${stderr}`)));
  }).then(JSON.parse);
  result.catch(() => {});
  return { child, result };
}

function exitOf(child: ChildProcess): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", resolve));
}

/** The pid of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ["--version"], { stdio: "ignore" });
  await exitOf(child);
  return child.pid!;
}

function halfMade(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir).filter((name) => name.startsWith("data.new-")) : [];
}

async function untilInitdbWorks(dir: string): Promise<void> {
  await eventually(() => halfMade(dir).some((name) => existsSync(join(dir, name, "base"))), {
    within: 30_000,
    every: 2,
  });
}

test("startEmbedded() creates a server, and attaches to it the second time", async (t) => {
  const dir = folder(t);
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  const first = await startEmbedded({ dir, log });
  assert.equal(first.started, true);
  assert.equal(first.dir, dir);
  assert.match(
    first.url,
    new RegExp(`^postgres://dispatcher:[\\w-]+@127\\.0\\.0\\.1:${first.port}/dispatcher$`),
  );
  assert.deepEqual(await startEmbedded({ dir, log }), { ...first, started: false });
  const text = "select current_database() as db, current_setting('server_encoding') as encoding, " +
    "current_setting('max_connections') as connections";
  assert.deepEqual(await query(first.url, text), [{
    db: "dispatcher",
    encoding: "UTF8",
    connections: "200",
  }]);
  assert.ok(lines.length > 0 && !lines.join().includes(new URL(first.url).password));
});

test("startEmbedded() called by six processes at once ends on one server", async (t) => {
  const dir = folder(t);
  const names = Object.keys(runtimes()) as (keyof ReturnType<typeof runtimes>)[];
  const starters = Array.from({ length: 6 }, (_, i) => startIn(t, names[i % names.length], dir));
  const results = await Promise.all(starters.map(({ result }) => result));
  assert.equal(results.filter(({ started }) => started).length, 1);
  assert.equal(new Set(results.map(({ url, pid }) => `${pid} ${url}`)).size, 1);
  assert.equal((await query(results[0].url, "select 1 as one"))[0].one, 1);
});

test("startEmbedded() called twice at once in one process starts one server", async (t) => {
  const dir = folder(t);
  const [a, b] = await Promise.all([startEmbedded({ dir }), startEmbedded({ dir })]);
  assert.equal(a.url, b.url);
  assert.notEqual(a.started, b.started);
});

test("startEmbedded() after kill -9 of the server keeps the data and the port", async (t) => {
  const dir = folder(t);
  const before = await startEmbedded({ dir });
  await query(before.url, "create table kept as select 42 as answer");
  const client = postgres(before.url, { max: 1, onnotice: () => {} });
  t.after(() => client.end({ timeout: 0 }));
  await client`select 1`; // its backend holds on to the shared memory
  process.kill(before.pid, "SIGKILL");
  const after = await startEmbedded({ dir });
  assert.equal(after.url, before.url);
  assert.equal(after.started, true);
  assert.notEqual(after.pid, before.pid);
  assert.deepEqual(await query(after.url, "select answer from kept"), [{ answer: 42 }]);
});

test(
  "startEmbedded() disowns a postmaster.pid whose pid another program has",
  { skip: linuxOnly },
  async (t) => {
    const dir = folder(t);
    const { pid, url } = await startEmbedded({ dir });
    process.kill(pid, "SIGKILL");
    await eventually(async () => (await embeddedStatus({ dir })).state === "stopped");
    const { uid, gid } = statSync(join(dir, "data"));
    const other = spawn("sleep", ["60"], { stdio: "ignore", ...(isRoot ? { uid, gid } : {}) });
    t.after(() => other.kill("SIGKILL"));
    const path = join(dir, "data", "postmaster.pid");
    writeFileSync(path, readFileSync(path, "utf8").replace(/^\d+/, String(other.pid)));
    assert.equal((await embeddedStatus({ dir })).state, "stopped");
    assert.equal(await stopEmbedded({ dir }), false);
    assert.equal((await startEmbedded({ dir })).url, url);
    assert.equal(other.signalCode, null);
  },
);

test("startEmbedded() begins anew after initdb was killed half-way", async (t) => {
  const dir = folder(t);
  const { child } = startIn(t, thisRuntime(), dir);
  await untilInitdbWorks(dir);
  process.kill(-child.pid!, "SIGKILL");
  await exitOf(child);
  assert.equal(existsSync(join(dir, "data")), false);
  const { url } = await startEmbedded({ dir });
  assert.equal((await query(url, "select 1 as one"))[0].one, 1);
  assert.deepEqual(halfMade(dir), []);
});

test("startEmbedded() does not wait for the orphaned initdb of a starter that was killed", async (t) => {
  const dir = folder(t);
  const { child } = startIn(t, thisRuntime(), dir);
  await untilInitdbWorks(dir);
  child.kill("SIGKILL");
  await exitOf(child);
  const { url, started } = await startEmbedded({ dir });
  assert.equal(started, true);
  assert.equal((await query(url, "select 1 as one"))[0].one, 1);
});

test("startEmbedded() breaks the lock of a process that is gone", async (t) => {
  const dir = folder(t);
  mkdirSync(dir);
  const lock = join(dir, "start.lock");
  writeFileSync(lock, `${await deadPid()}\n`);
  assert.equal((await startEmbedded({ dir })).started, true);
  assert.equal(existsSync(lock), false);
});

test("startEmbedded() breaks the lock of a pid that was given out again", { skip: linuxOnly }, async (t) => {
  const dir = folder(t);
  mkdirSync(dir);
  // This process lives, but did not begin at boot.
  writeFileSync(join(dir, "start.lock"), `${process.pid} 1 abc\n`);
  assert.equal((await startEmbedded({ dir })).started, true);
});

test("startEmbedded() waits for a lock that is held, until its signal aborts", async (t) => {
  const dir = folder(t);
  mkdirSync(dir);
  const lock = join(dir, "start.lock");
  writeFileSync(lock, `${process.pid}\n`);
  const reason = new Error("enough");
  const controller = new AbortController();
  const start = startEmbedded({ dir, signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(start, (error) => error === reason);
  assert.equal(existsSync(lock), true);
});

test("startEmbedded() takes another port when a program has the old one, and keeps that", async (t) => {
  const dir = folder(t);
  const { port } = await startEmbedded({ dir });
  await stopEmbedded({ dir });
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(port, "127.0.0.1", resolve));
  const moved = await startEmbedded({ dir });
  assert.notEqual(moved.port, port);
  assert.equal((await query(moved.url, "select 1 as one"))[0].one, 1);
  await new Promise((resolve) => squatter.close(resolve));
  await stopEmbedded({ dir });
  assert.equal((await startEmbedded({ dir })).port, moved.port);
});

test("startEmbedded() leaves a server that goes on when its starter is killed", async (t) => {
  const dir = folder(t);
  const { child, result } = startIn(t, thisRuntime(), dir);
  const { url, pid } = await result;
  process.kill(-child.pid!, "SIGKILL"); // with its group, as a terminal's hang-up does
  await exitOf(child);
  assert.equal((await query(url, "select 1 as one"))[0].one, 1);
  assert.deepEqual(await startEmbedded({ dir }).then(({ pid, started }) => ({ pid, started })), {
    pid,
    started: false,
  });
});

test("startEmbedded() when aborted during initdb throws the reason, and the next call starts", async (t) => {
  const dir = folder(t);
  const reason = new Error("changed my mind");
  const controller = new AbortController();
  const start = startEmbedded({ dir, signal: controller.signal });
  start.catch(() => {});
  await untilInitdbWorks(dir);
  controller.abort(reason);
  await assert.rejects(start, (error) => error === reason);
  assert.deepEqual(halfMade(dir), []);
  assert.equal((await startEmbedded({ dir })).started, true);
});

test("startEmbedded() guards the server by a password in a file of mode 0600", async (t) => {
  const dir = folder(t);
  const { url } = await startEmbedded({ dir });
  assert.equal(statSync(join(dir, "password")).mode & 0o777, 0o600);
  assert.equal(statSync(join(dir, "data")).mode & 0o777, 0o700);
  for (const password of ["", "wrong", randomBytes(24).toString("base64url")]) {
    const forged = new URL(url);
    forged.password = password;
    await assert.rejects(
      query(forged.href, "select 1"),
      (error: { code?: string }) => error.code === "28P01",
    );
  }
});

test("startEmbedded() quotes the log, not the password, when the server ends at its start", async (t) => {
  const dir = folder(t);
  await startEmbedded({ dir });
  await stopEmbedded({ dir });
  const password = readFileSync(join(dir, "password"), "utf8").trim();
  const settings = { shared_buffers: `lots-${password}` };
  await assert.rejects(startEmbedded({ dir, settings }), (error) => {
    assert.ok(error instanceof EmbeddedStartError);
    assert.ok(error.message.startsWith(`Cannot start the embedded PostgreSQL in "${dir}": the server ended`));
    assert.ok(error.message.includes(join(dir, "postgres.log")));
    assert.match(error.message, /invalid value for parameter "shared_buffers": "lots-\*\*\*"/);
    assert.ok(!`${error.stack}`.includes(password));
    return true;
  });
});

test("startEmbedded() passes settings to the server", async (t) => {
  const dir = folder(t);
  const { url } = await startEmbedded({ dir, settings: { max_connections: "33", "my.word": "x y" } });
  const text = "select current_setting('max_connections') as n, current_setting('my.word') as word";
  assert.deepEqual(await query(url, text), [{ n: "33", word: "x y" }]);
});

test("startEmbedded() refuses binaries that are not there", async (t) => {
  const dir = folder(t);
  const message = `Cannot start the embedded PostgreSQL in "${dir}": there is no /nowhere/bin/postgres`;
  await assert.rejects(startEmbedded({ dir, native: "/nowhere" }), { name: "EmbeddedStartError", message });
});

test("stopEmbedded() stops the server, once, and embeddedStatus() follows", async (t) => {
  const dir = folder(t);
  assert.deepEqual(await embeddedStatus({ dir }), { state: "absent", dir });
  assert.equal(await stopEmbedded({ dir }), false);
  const { url, pid, port } = await startEmbedded({ dir });
  assert.deepEqual(await embeddedStatus({ dir }), { state: "running", pid, port, dir, url });
  assert.equal(await stopEmbedded({ dir }), true);
  assert.deepEqual(await embeddedStatus({ dir }), { state: "stopped", dir });
  assert.equal(await stopEmbedded({ dir }), false);
  await assert.rejects(query(url, "select 1"), (error: { code?: string }) => error.code === "ECONNREFUSED");
});

test("defaultEmbeddedDir() is in the project, or what DISPATCHER_EMBEDDED_DIR says", () => {
  const project = tempDir();
  const before = process.env.DISPATCHER_EMBEDDED_DIR;
  try {
    delete process.env.DISPATCHER_EMBEDDED_DIR;
    assert.equal(defaultEmbeddedDir(project), join(project, ".dispatcher", "postgres"));
    process.env.DISPATCHER_EMBEDDED_DIR = "db";
    assert.equal(defaultEmbeddedDir(project), join(project, "db"));
  } finally {
    if (before === undefined) delete process.env.DISPATCHER_EMBEDDED_DIR;
    else process.env.DISPATCHER_EMBEDDED_DIR = before;
  }
});

test("defaultEmbeddedDir() as root leaves a project that the server cannot enter", { skip: rootOnly }, () => {
  const home = tempDir();
  chmodSync(home, 0o700);
  const project = join(home, "shop");
  const dir = defaultEmbeddedDir(project);
  assert.match(dir, /^\/var\/(lib\/edge-dispatcher\/|tmp\/edge-dispatcher-)shop-[0-9a-f]{10}$/);
  assert.equal(defaultEmbeddedDir(project), dir);
  assert.notEqual(basename(defaultEmbeddedDir(join(home, "other", "shop"))), basename(dir));
  // Data that is there stays in use, whatever happened to its parents since.
  mkdirSync(join(project, ".dispatcher", "postgres", "data"), { recursive: true });
  assert.equal(defaultEmbeddedDir(project), join(project, ".dispatcher", "postgres"));
});

test(
  "startEmbedded() as root names the folder that the server cannot enter",
  { skip: rootOnly },
  async () => {
    const home = tempDir();
    chmodSync(home, 0o700);
    const dir = join(home, "pg");
    await assert.rejects(startEmbedded({ dir }), (error: Error) => {
      assert.ok(error.message.includes(`cannot enter "${home}" (mode 0700)`), error.message);
      return true;
    });
  },
);
