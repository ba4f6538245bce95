/**
 * The files of the server's folder: their names, and how each is read and written.
 *
 * ```text
 *   DIR/native-<version>/   the copy of the binaries, of mode 0755
 *   DIR/data/               PostgreSQL's own, of mode 0700
 *   DIR/data.new-*          an initdb at work, or the trace of one that was killed
 *   DIR/password            of mode 0600
 *   DIR/port                the port of the last start
 *   DIR/postgres.log        what the server writes, of mode 0600
 *   DIR/start.lock          while a process starts or stops the server
 * ```
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { chownSync, closeSync, existsSync, fsyncSync, openSync, readFileSync, readSync } from "node:fs";
import { realpathSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { codeOf, type User } from "./process.ts";

/** The old log is set aside at a start when it has grown past this. */
const LOG_BYTES = 16 * 1024 * 1024;
const TAIL_BYTES = 4096;
const TAIL_LINES = 12;

/** The absolute paths of one server's files. */
export interface Layout {
  dir: string;
  data: string;
  password: string;
  port: string;
  log: string;
  lock: string;
}

export function layoutOf(path: string): Layout {
  const dir = resolve(path);
  // The server's command line names the data folder, and is compared: so one spelling whatever the links.
  const real = existsSync(dir) ? realpathSync(dir) : dir;
  const at = (name: string) => join(real, name);
  return {
    dir,
    data: at("data"),
    password: at("password"),
    port: at("port"),
    log: at("postgres.log"),
    lock: at("start.lock"),
  };
}

/** True when initdb has finished here: the folder gets its name by a rename after that. */
export function hasData(layout: Layout): boolean {
  return existsSync(layout.data);
}

/** Write a file so that no reader, and no crash, ever sees half of it. */
function replaceFile(path: string, text: string, mode: number, user?: User): void {
  const fresh = `${path}.new-${process.pid}-${randomBytes(4).toString("hex")}`;
  const file = openSync(fresh, "wx", mode);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  if (user) chownSync(fresh, user.uid, user.gid);
  renameSync(fresh, path);
}

/** Make a rename in this folder survive a power cut. */
export function syncDir(dir: string): void {
  try {
    const file = openSync(dir, "r");
    fsyncSync(file);
    closeSync(file);
  } catch {
    // Windows has no fsync for folders.
  }
}

export function readPassword(layout: Layout): string {
  let text: string;
  try {
    text = readFileSync(layout.password, "utf8").trim();
  } catch (error) {
    if (codeOf(error) === "ENOENT") throw new Error(`its password file ${layout.password} is missing`);
    throw new Error(`its password file ${layout.password} cannot be read by this user (${codeOf(error)})`);
  }
  if (!text) throw new Error(`its password file ${layout.password} is empty`);
  return text;
}

/** Make the password once. It belongs to the server's user, since initdb reads it as that user. */
export function ensurePassword(layout: Layout, user: User | undefined): void {
  if (existsSync(layout.password)) return;
  replaceFile(layout.password, `${randomBytes(24).toString("base64url")}\n`, 0o600, user);
}

export function readPort(layout: Layout): number | undefined {
  try {
    const port = Number(readFileSync(layout.port, "utf8"));
    return Number.isInteger(port) && port > 0 && port < 65536 ? port : undefined;
  } catch {
    return undefined;
  }
}

export function writePort(layout: Layout, port: number): void {
  if (readPort(layout) !== port) replaceFile(layout.port, `${port}\n`, 0o644);
}

/** What a postmaster writes of itself into its data folder. After kill -9 the file stays and still says ready. */
export interface PidFile {
  pid: number;
  port: number;
  /** `starting`, `ready`, `stopping`, or "" before it listens. */
  status: string;
}

export function readPidFile(layout: Layout): PidFile | undefined {
  try {
    const line = readFileSync(join(layout.data, "postmaster.pid"), "utf8").split("\n");
    // A negative pid is that of a single-user backend, which is no server.
    const pid = Number(line[0]), port = Number(line[3]);
    return pid > 0 ? { pid, port: port || 0, status: (line[7] ?? "").trim() } : undefined;
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(error) ?? "")) return undefined;
    throw new Error(`its data folder cannot be read by this user (${codeOf(error)})`);
  }
}

/**
 * Put this process's pid into a pid file whose process is proven to be another program or a zombie.
 * PostgreSQL refuses to start while that pid is in use, but knows that its own parent is no postmaster.
 * Not deleted: its other lines let it see whether old backends still hold the shared memory.
 */
export function disownPidFile(layout: Layout, user: User | undefined): void {
  const path = join(layout.data, "postmaster.pid");
  const [, ...rest] = readFileSync(path, "utf8").split("\n");
  replaceFile(path, [process.pid, ...rest].join("\n"), 0o600, user);
}

export function logSize(layout: Layout): number {
  return existsSync(layout.log) ? statSync(layout.log).size : 0;
}

export function rotateLog(layout: Layout): void {
  if (logSize(layout) > LOG_BYTES) renameSync(layout.log, `${layout.log}.1`);
}

/** The last lines that the log got since it had `from` bytes. */
export function logTail(layout: Layout, from: number): string {
  const size = logSize(layout);
  const start = Math.max(from, size - TAIL_BYTES);
  if (size <= start) return "";
  const bytes = new Uint8Array(size - start);
  const file = openSync(layout.log, "r");
  try {
    readSync(file, bytes, 0, bytes.length, start);
  } finally {
    closeSync(file);
  }
  return new TextDecoder().decode(bytes).trim().split("\n").slice(-TAIL_LINES).join("\n");
}
