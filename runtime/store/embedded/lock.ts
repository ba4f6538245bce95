/**
 * The start lock: one process at a time may create, start or stop the server of a folder.
 *
 * The file is made with `wx` and holds `pid start-time token`. A holder that was killed leaves it behind, so
 * it is broken when its process is gone. Two breakers must not take turns (A removes the stale file, C makes
 * a new one, B removes C's): to remove the lock with token T a breaker first makes `LOCK.T` with `wx`, and
 * then looks at the lock again. While it holds `LOCK.T` nobody else can remove the lock T, and a lock with
 * another token is left alone. A breaker that dies there leaves a stale `LOCK.T`, which is broken alike.
 *
 * ```text
 *   free ──wx──> held ──release──> free
 *                 │ holder killed
 *                 v
 *               stale ──wx LOCK.T, look again, unlink──> free
 * ```
 *
 * @module
 */
import { readFileSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { codeOf, isAlive, pause, startTime } from "./process.ts";

/** A file without a pid is one between its creation and its first write, or the trace of a crash there. */
const UNREADABLE_AGE_MS = 5_000;
const POLL_MS = 20;

/** A lock that this process holds. */
export interface Lock {
  release(): void;
}

interface Holder {
  token: string;
  pid?: number;
  stale: boolean;
}

function look(path: string): Holder | undefined {
  let text: string, ino: number, mtimeMs: number;
  try {
    text = readFileSync(path, "utf8");
    ({ ino, mtimeMs } = statSync(path));
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  const [pidText, start, token] = text.split(/\s+/);
  const fallback = `${ino}-${Math.round(mtimeMs)}`;
  const pid = Number(pidText);
  if (!Number.isSafeInteger(pid) || pid <= 0) {
    return { token: fallback, stale: Date.now() - mtimeMs > UNREADABLE_AGE_MS };
  }
  // A pid alone is not enough: a restarted container gives out the same few pids again.
  const now = startTime(pid);
  const reused = Boolean(start) && start !== "-" && now !== "" && now !== start;
  return { token: /^[\w-]+$/.test(token ?? "") ? token : fallback, pid, stale: reused || !isAlive(pid) };
}

function create(path: string): Lock | undefined {
  const token = randomBytes(8).toString("hex");
  try {
    writeFileSync(path, `${process.pid} ${startTime(process.pid) || "-"} ${token}\n`, { flag: "wx" });
  } catch (error) {
    if (codeOf(error) === "EEXIST") return undefined;
    throw error;
  }
  return {
    release() {
      if (look(path)?.token === token) unlinkSync(path);
    },
  };
}

function breakStale(path: string, seen: Holder): void {
  const claimPath = `${path}.${seen.token}`;
  const claim = create(claimPath);
  if (!claim) {
    const other = look(claimPath);
    if (other?.stale) breakStale(claimPath, other);
    return;
  }
  try {
    if (look(path)?.token === seen.token) unlinkSync(path);
  } finally {
    claim.release();
  }
}

/** Take the lock if it is free or stale. */
export function tryLock(path: string): Lock | undefined {
  const lock = create(path);
  if (lock) return lock;
  const holder = look(path);
  if (!holder?.stale) return undefined;
  breakStale(path, holder);
  return create(path);
}

/** Wait for the lock, at most `limitMs`; the error names the process that holds it. */
export async function takeLock(path: string, limitMs: number, signal?: AbortSignal): Promise<Lock> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    signal?.throwIfAborted();
    const lock = tryLock(path);
    if (lock) return lock;
    if (performance.now() > deadline) {
      const pid = look(path)?.pid ?? "unknown";
      throw new Error(`the lock ${path} of process ${pid} was not free within ${limitMs / 1000} s`);
    }
    await pause(POLL_MS, signal);
  }
}
