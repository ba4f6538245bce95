/**
 * Facts about other processes, and the two ways to run a program of PostgreSQL: to its end (`initdb`), or
 * detached (the server). Both can run as another user, since PostgreSQL refuses to run as root.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, constants, openSync, readFileSync, statSync } from "node:fs";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

export { isAlive, startTime } from "../../platform/process_identity.ts";

/** The user a child runs as. */
export interface User {
  name: string;
  uid: number;
  gid: number;
}

/** Where and as whom a child runs; without `user` it stays the user of this process. */
export interface RunAs {
  cwd: string;
  user?: User;
}

/** The error code of Node's system errors, the same on the three runtimes. */
export function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | null)?.code;
}

/** Wait between `ms` and twice `ms`, so that several waiters do not move in step; throw the abort reason. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms * (1 + Math.random()), undefined, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/**
 * Tell whether a process is the postmaster of a data folder: true or false when its command line proves it,
 * undefined when it cannot be known. Read from cmdline, not from cwd: a container's root may not read the
 * cwd of another user's process.
 */
export function isPostmaster(pid: number, data: string): boolean | undefined {
  let args: string[];
  try {
    args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return undefined;
  }
  if (args[0] === "") return undefined;
  if (!/(^|\/)(postgres|postmaster)(\b|$)/.test(args[0])) return false;
  const folder = args[args.indexOf("-D") + 1];
  if (!args.includes("-D") || !folder) return undefined;
  return sameFolder(folder, data);
}

/**
 * Tell whether two paths lead to one folder, whatever the links and mounts on the way; undefined when it cannot
 * be known, since one may name a folder of another mount namespace.
 */
export function sameFolder(a: string, b: string): boolean | undefined {
  if (a === b) return true;
  try {
    const [first, second] = [statSync(a), statSync(b)];
    return first.dev === second.dev && first.ino === second.ino;
  } catch {
    return undefined;
  }
}

/**
 * Few variables pass: PGDATA or PGPORT would change what the server does, and DATABASE_URL or a token of the
 * starter would stay readable in the environment of a daemon. LC_ALL=C keeps its messages in English.
 * TEST_RUN_ID is what tests/run.ts finds a server by that a test has left running.
 */
function environment(): Record<string, string> {
  const env: Record<string, string> = { LC_ALL: "C" };
  for (const name of ["PATH", "TZ", "LD_LIBRARY_PATH", "SystemRoot", "TEMP", "TMP", "TEST_RUN_ID"]) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

function options(as: RunAs) {
  return { cwd: as.cwd, env: environment(), uid: as.user?.uid, gid: as.user?.gid };
}

/** Run a program to its end and return its exit code and what it wrote; an abort ends it with SIGTERM. */
export function run(
  command: string,
  args: string[],
  as: RunAs,
  signal?: AbortSignal,
): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const child = spawn(command, args, { ...options(as), stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const stop = () => child.kill("SIGTERM");
    const settle = (then: () => void) => {
      signal?.removeEventListener("abort", stop);
      then();
    };
    signal?.addEventListener("abort", stop, { once: true });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        output += chunk;
      });
    }
    child.on("error", (error) => settle(() => reject(new Error(cannotRun(command, error)))));
    child.on("close", (code) => settle(() => resolve({ code: code ?? -1, output: output.trim() })));
  });
}

function cannotRun(command: string, error: unknown): string {
  // The file is there (it was looked for), so it is its loader that is missing: Alpine has no glibc.
  const hint = codeOf(error) === "ENOENT" ? " (is it built for another C library than this system's?)" : "";
  return `cannot run ${command}${hint}: ${(error as Error).message}`;
}

/** A detached child. `ended` is written by its listeners and read by the loop that waits for it. */
export interface Detached {
  pid?: number;
  ended?: string;
}

/** Start a program in a session of its own that outlives this process, its output appended to a file. */
export function spawnDetached(command: string, args: string[], as: RunAs, logFile: string): Detached {
  // O_NOFOLLOW: as root, do not write through a link that the owner of the folder laid.
  const { O_APPEND, O_CREAT, O_WRONLY, O_NOFOLLOW = 0 } = constants;
  const log = openSync(logFile, O_APPEND | O_CREAT | O_WRONLY | O_NOFOLLOW, 0o600);
  try {
    const child: ChildProcess = spawn(command, args, {
      ...options(as),
      detached: true,
      stdio: ["ignore", log, log],
    });
    const state: Detached = { pid: child.pid };
    child.on("error", (error) => state.ended ??= cannotRun(command, error));
    child.on("exit", (code, signal) => state.ended ??= signal ? `signal ${signal}` : `exit code ${code}`);
    child.unref();
    return state;
  } finally {
    closeSync(log);
  }
}
