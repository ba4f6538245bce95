/**
 * The embedded PostgreSQL: a real server from an npm package, one for a project, shared by every process of
 * it whatever its runtime. It is a daemon on purpose: it outlives the process that started it, so that the
 * end of one dispatcher does not cut off the others.
 *
 * ```text
 *            startEmbedded()                    "ready", and it takes
 *   absent ──lock, initdb──> stopped ──launch──> starting ──our password──> running
 *                             ^  ^                  │                        │  │
 *                             │  └───── ended ──────┘                        │  │
 *                             ├──────── stopEmbedded(): SIGINT ──────────────┘  │
 *                             └──────── kill -9, power cut, reboot ─────────────┘
 * ```
 *
 * Every move to the right is made under the start lock (`embedded/lock.ts`); to attach to a server that runs
 * needs no lock. Whether it runs is asked of the server itself (`embedded/probe.ts`): after kill -9 its
 * files still say ready.
 *
 * | what fails | what happens |
 * |---|---|
 * | several processes start at once | one has the lock and starts, the others wait and attach |
 * | the starter is killed before the server is launched | its lock is stale (pid, start time): the next start breaks it |
 * | initdb is killed half-way | it worked in `data.new-*`; the next start begins a new one and removes that |
 * | the starter is killed after the launch | the server goes on; the next start waits until it is ready and attaches |
 * | the starter dies before the database was made | who attaches makes it |
 * | kill -9 of the server | the next start recovers it on the same port; remains of the old one: tried again for 15 s |
 * | the pid in postmaster.pid is now another program's, or a zombie's | it is disowned, and the server started |
 * | the port is taken by another program | a new one is chosen and kept |
 * | the server ends while it starts | the error quotes the last lines of its log |
 * | the recovery takes over 60 s | the error says so; the server is left to finish and the next start attaches |
 * | the copy of the binaries is damaged | it is made anew, once |
 * | the folder is copied while its server runs | the copy gets a server of its own; an error where there is no /proc |
 * | data of another version, a password that is refused or lost | an error that names it; nothing is changed |
 * | the start is aborted | initdb is ended; a launched server is left to the next start |
 *
 * Not protected: two machines, or two containers, that use one folder. PostgreSQL's own locks do not reach
 * that far either. Tried on Linux.
 *
 * @module
 */
import { defaultEmbeddedDir, prepareDir, serverUser } from "./embedded/dir.ts";
import { hasData, type Layout, layoutOf, type PidFile, readPassword, readPidFile } from "./embedded/files.ts";
import { takeLock } from "./embedded/lock.ts";
import { prepareNative, tidy } from "./embedded/native.ts";
import { probe, urlOf } from "./embedded/probe.ts";
import { isAlive, isPostmaster, pause } from "./embedded/process.ts";
import { ensureData, launchServer, shutDown } from "./embedded/server.ts";

export { defaultEmbeddedDir } from "./embedded/dir.ts";

const WAIT_LIMIT_MS = 60_000;
const BUSY_POLL_MS = 25;

/** A server that takes connections. */
export interface Embedded {
  /** `postgres://dispatcher:PASSWORD@127.0.0.1:PORT/dispatcher`; treat it as a secret. */
  url: string;
  port: number;
  /** The postmaster's. */
  pid: number;
  /** The data root, as `EmbeddedOptions.dir` or `defaultEmbeddedDir()` gave it, made absolute. */
  dir: string;
  /** True when this call started it, false when it was attached to. */
  started: boolean;
}

export interface EmbeddedOptions {
  /** The data root; `defaultEmbeddedDir()` by default. */
  dir?: string;
  /** A folder with bin/postgres and bin/initdb; that of the npm package by default. */
  native?: string;
  /** More settings of the server, each a `-c key=value`; they count at a start, not when attaching. */
  settings?: Record<string, string>;
  /** Ends the waiting; its reason is thrown. */
  signal?: AbortSignal;
  /** Gets a line for each step; never a password. */
  log?: (line: string) => void;
}

export interface EmbeddedStatus {
  state: "running" | "stopped" | "absent";
  pid?: number;
  port?: number;
  dir: string;
  /** Only when it takes connections: not while it starts, stops or recovers, nor for another user. */
  url?: string;
}

/** The server could not be started or attached to. */
export class EmbeddedStartError extends Error {
  override name = "EmbeddedStartError";
}

/** The server could not be stopped. */
export class EmbeddedStopError extends Error {
  override name = "EmbeddedStopError";
}

/** The server's files are not for this user. */
export class EmbeddedStatusError extends Error {
  override name = "EmbeddedStatusError";
}

/** The reason as text, without the password, whatever program wrote it. */
function reasonOf(error: unknown, layout: Layout): string {
  const text = error instanceof Error ? error.message : String(error);
  try {
    return text.replaceAll(readPassword(layout), "***");
  } catch {
    return text; // there is no password yet
  }
}

function embedded(layout: Layout, { pid, port }: PidFile, started: boolean): Embedded {
  return { url: urlOf(layout, port), port, pid, dir: layout.dir, started };
}

/**
 * Start the server of a folder, or attach to the one that runs. However many processes call it at once, one
 * server results.
 *
 * @throws {EmbeddedStartError} It cannot be started; the message says why and quotes the server's log.
 * @throws The reason of `signal` when it is aborted.
 *
 * @example
 * ```ts
 * import postgres from "postgres";
 * import { startEmbedded, stopEmbedded } from "./embedded.ts";
 *
 * const dir = "/var/tmp/embedded-example";
 * const { url } = await startEmbedded({ dir });
 * const sql = postgres(url);
 * console.log(await sql`select version()`);
 * await sql.end();
 * await stopEmbedded({ dir });
 * ```
 */
export async function startEmbedded(o: EmbeddedOptions = {}): Promise<Embedded> {
  let layout = layoutOf(o.dir ?? defaultEmbeddedDir());
  try {
    o.signal?.throwIfAborted();
    const found = await probe(layout);
    if (found.state === "ready") return embedded(layout, found.file, false);
    prepareDir(layout.dir, serverUser(layout.data));
    layout = layoutOf(layout.dir); // now that it is there, with its links resolved
    const lock = await takeLock(layout.lock, WAIT_LIMIT_MS, o.signal);
    try {
      return await startLocked(layout, o);
    } finally {
      lock.release();
    }
  } catch (error) {
    o.signal?.throwIfAborted();
    const reason = reasonOf(error, layout);
    throw new EmbeddedStartError(`Cannot start the embedded PostgreSQL in "${layout.dir}": ${reason}`);
  }
}

async function startLocked(layout: Layout, o: EmbeddedOptions): Promise<Embedded> {
  const log = o.log ?? (() => {});
  const running = await untilSettled(layout, o.signal);
  if (running) {
    log(`Attached to the PostgreSQL in ${layout.dir} on port ${running.port}`);
    return embedded(layout, running, false);
  }
  const as = { cwd: layout.dir, user: serverUser(layout.data) };
  const native = await prepareNative(o.native, as);
  o.signal?.throwIfAborted();
  const launch = { native, as, settings: o.settings ?? {}, signal: o.signal };
  if (!hasData(layout)) log(`Creating a database of PostgreSQL ${native.version} in ${layout.dir}`);
  await ensureData(layout, launch);
  const file = await launchServer(layout, launch);
  log(`Started PostgreSQL ${native.version} in ${layout.dir} on port ${file.port}, pid ${file.pid}`);
  await tidy(layout.dir, native);
  return embedded(layout, file, true);
}

/** Wait while a server starts, recovers or stops; return it when it is ready, undefined when there is none. */
async function untilSettled(layout: Layout, signal?: AbortSignal): Promise<PidFile | undefined> {
  const deadline = performance.now() + WAIT_LIMIT_MS;
  for (;;) {
    const found = await probe(layout);
    if (found.state === "ready") return found.file;
    if (found.state === "down") return undefined;
    if (performance.now() > deadline) {
      const limit = WAIT_LIMIT_MS / 1000;
      throw new Error(
        `its server, process ${found.file.pid}, did not answer within ${limit} s: see ${layout.log}`,
      );
    }
    await pause(BUSY_POLL_MS, signal);
  }
}

/**
 * Tell whether the server of a folder runs, without a change to anything.
 *
 * @throws {EmbeddedStatusError} The folder belongs to another user, who alone can see.
 *
 * @example
 * ```ts
 * import { embeddedStatus } from "./embedded.ts";
 *
 * const { state, port } = await embeddedStatus({ dir: "/srv/shop/.dispatcher/postgres" });
 * console.log(state === "running" ? `on port ${port}` : state);
 * ```
 */
export async function embeddedStatus(o: EmbeddedOptions = {}): Promise<EmbeddedStatus> {
  const layout = layoutOf(o.dir ?? defaultEmbeddedDir());
  const { dir } = layout;
  if (!hasData(layout)) return { state: "absent", dir };
  try {
    const file = readPidFile(layout);
    // A server that refuses the password of this folder runs all the same.
    const found = await probe(layout).catch(() =>
      file && isAlive(file.pid) ? { state: "busy", file } : undefined
    );
    if (!found?.file || found.state === "down") return { state: "stopped", dir };
    const { pid, port } = found.file;
    return {
      state: "running",
      pid,
      port,
      dir,
      ...(found.state === "ready" ? { url: urlOf(layout, port) } : {}),
    };
  } catch (error) {
    const reason = reasonOf(error, layout);
    throw new EmbeddedStatusError(`Cannot see the embedded PostgreSQL in "${dir}": ${reason}`);
  }
}

/**
 * Stop the server of a folder by a fast shutdown, and wait until it is gone. Clients are cut off; data stays.
 *
 * @returns False when it did not run.
 * @throws {EmbeddedStopError} It runs as another user, or did not end within 30 s.
 *
 * @example
 * ```ts
 * import { stopEmbedded } from "./embedded.ts";
 *
 * const stopped = await stopEmbedded({ dir: "/srv/shop/.dispatcher/postgres" });
 * console.log(stopped ? "stopped" : "it was not running");
 * ```
 */
export async function stopEmbedded(o: EmbeddedOptions = {}): Promise<boolean> {
  const layout = layoutOf(o.dir ?? defaultEmbeddedDir());
  if (!hasData(layout)) return false;
  try {
    // Under the lock: a start that is under way would otherwise be stopped half-way, and try again.
    const lock = await takeLock(layout.lock, WAIT_LIMIT_MS, o.signal);
    try {
      return await stopLocked(layout, o);
    } finally {
      lock.release();
    }
  } catch (error) {
    o.signal?.throwIfAborted();
    const reason = reasonOf(error, layout);
    throw new EmbeddedStopError(`Cannot stop the embedded PostgreSQL in "${layout.dir}": ${reason}`);
  }
}

async function stopLocked(layout: Layout, o: EmbeddedOptions): Promise<boolean> {
  const file = readPidFile(layout);
  if (!file || !isAlive(file.pid)) return false;
  // Never signal a pid that is another program's by now.
  const ours = isPostmaster(file.pid, layout.data) ?? (await probe(layout)).state !== "down";
  if (!ours) return false;
  await shutDown(file.pid, o.signal);
  o.log?.(`Stopped the PostgreSQL in ${layout.dir}, pid ${file.pid}`);
  return true;
}
