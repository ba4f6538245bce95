/**
 * The server's life under the start lock: initdb, launch, stop.
 *
 * @module
 */
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import * as files from "./files.ts";
import type { Layout, PidFile } from "./files.ts";
import type { Native } from "./native.ts";
import { probe, USER } from "./probe.ts";
import { codeOf, isAlive, pause, run, type RunAs, spawnDetached } from "./process.ts";

const READY_LIMIT_MS = 60_000;
/** After kill -9 of a postmaster its pid, its memory and its port come free within 1 to 2 s. */
const REMAINS_LIMIT_MS = 15_000;
const PORT_LIMIT_MS = 500;
const STOP_LIMIT_MS = 30_000;
const POLL_MS = 10;

/** What a launch needs besides the files. */
export interface Launch {
  native: Native;
  as: RunAs;
  settings: Record<string, string>;
  signal?: AbortSignal;
}

/**
 * Create the data folder if there is none. initdb works in a folder of its own that gets its name when it is
 * complete, so one that is killed half-way leaves nothing that could be taken for a database.
 */
export async function ensureData(layout: Layout, { native, as, signal }: Launch): Promise<void> {
  if (files.hasData(layout)) return checkVersion(layout, native);
  files.ensurePassword(layout, as.user);
  const fresh = `${layout.data}.new-${process.pid}-${Date.now()}`;
  mkdirSync(fresh, { mode: 0o700 });
  if (as.user) chownSync(fresh, as.user.uid, as.user.gid);
  const login = [`--username=${USER}`, `--pwfile=${layout.password}`, "--auth=scram-sha-256"];
  const args = ["-D", fresh, ...login, "--encoding=UTF8", "--locale=C"];
  try {
    const { code, output } = await run(native.initdb, args, as, signal);
    signal?.throwIfAborted();
    if (code !== 0) throw new Error(`initdb failed with exit code ${code}:\n${output}`);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    throw error;
  }
  renameSync(fresh, layout.data);
  files.syncDir(layout.dir);
}

function checkVersion(layout: Layout, native: Native): void {
  const path = join(layout.data, "PG_VERSION");
  if (!existsSync(path)) throw new Error(`${layout.data} exists, but is not a database folder`);
  const made = readFileSync(path, "utf8").trim();
  if (Number(made) === native.major) return;
  throw new Error(`its data was made by PostgreSQL ${made} and cannot be opened by ${native.version}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * The port of the last start, so that clients find the server again; another one when a program has taken it.
 * Below 32768, where no system takes the ports of outgoing connections: a client that tries again and again to
 * reach a port of that range on its own machine can be given that very port, and connect to itself.
 */
async function choosePort(layout: Layout, signal?: AbortSignal): Promise<number> {
  const kept = files.readPort(layout);
  const deadline = performance.now() + PORT_LIMIT_MS;
  while (kept !== undefined) {
    if (await isFree(kept)) return kept;
    if (performance.now() > deadline) break;
    await pause(50, signal);
  }
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 12_768);
    if (await isFree(port)) return port;
  }
  throw new Error("no free port was found on 127.0.0.1");
}

function serverArgs(layout: Layout, port: number, { native, settings }: Launch): string[] {
  const all: Record<string, string> = {
    listen_addresses: "127.0.0.1",
    max_connections: "200",
    shared_buffers: "64MB",
    ...(native.major >= 18 ? { io_method: "sync" } : {}), // without it three idle processes more
    ...settings,
  };
  const pairs = Object.entries(all).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  return ["-D", layout.data, "-p", String(port), "-k", "", ...pairs];
}

/** Start a server once and wait until it serves; a string tells how it ended instead. */
async function tryLaunch(layout: Layout, launch: Launch, port: number): Promise<PidFile | string> {
  const child = spawnDetached(
    launch.native.postgres,
    serverArgs(layout, port, launch),
    launch.as,
    layout.log,
  );
  const deadline = performance.now() + READY_LIMIT_MS;
  for (;;) {
    if (child.ended) return child.ended;
    // Another pid is that of a dead server, or of an old one whose end this one has to wait for.
    if (files.readPidFile(layout)?.pid === child.pid) {
      const found = await probe(layout);
      if (found.state === "ready") return found.file;
    }
    if (performance.now() > deadline) {
      // Left alone: it may be recovering a long log, and the next start attaches to it.
      throw new Error(`the server was not ready within ${READY_LIMIT_MS / 1000} s: see ${layout.log}`);
    }
    await pause(POLL_MS, launch.signal);
  }
}

/** What the log says that another try can mend: the remains of a dead server, or a port that was lost. */
function remedy(log: string): "wait" | "port" | undefined {
  if (/lock file ".*" already exists|shared memory block .* still in use/.test(log)) return "wait";
  if (/could not bind|could not create any TCP\/IP sockets|Address already in use/.test(log)) return "port";
  return undefined;
}

/** Launch the server and wait until it serves; try again while the remains of a dead one are in the way. */
export async function launchServer(layout: Layout, launch: Launch): Promise<PidFile> {
  files.rotateLog(layout);
  const deadline = performance.now() + REMAINS_LIMIT_MS;
  for (;;) {
    const found = await probe(layout);
    if (found.state === "down" && found.proven && found.file) files.disownPidFile(layout, launch.as.user);
    const port = await choosePort(layout, launch.signal);
    const from = files.logSize(layout);
    const ended = await tryLaunch(layout, launch, port);
    if (typeof ended !== "string") {
      files.writePort(layout, ended.port);
      return ended;
    }
    const tail = files.logTail(layout, from);
    const next = remedy(tail);
    if (!next || performance.now() > deadline) {
      const said = tail ? `; the last lines of ${layout.log}:\n${tail}` : `; ${layout.log} has no word of it`;
      throw new Error(`the server ended while it started (${ended})${said}`);
    }
    if (next === "wait") await pause(150, launch.signal);
  }
}

/** Ask a postmaster for a fast shutdown (open transactions are rolled back) and wait until it is gone. */
export async function shutDown(pid: number, signal?: AbortSignal): Promise<void> {
  try {
    process.kill(pid, "SIGINT");
  } catch (error) {
    if (codeOf(error) === "ESRCH") return;
    throw new Error(`process ${pid} cannot be signalled by this user (${codeOf(error)})`);
  }
  const deadline = performance.now() + STOP_LIMIT_MS;
  while (isAlive(pid)) {
    if (performance.now() > deadline) {
      throw new Error(`process ${pid} did not end within ${STOP_LIMIT_MS / 1000} s`);
    }
    await pause(POLL_MS, signal);
  }
}
