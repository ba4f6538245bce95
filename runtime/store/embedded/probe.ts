/**
 * Look whether the server of a folder serves. The pid file is only a hint: after kill -9 it stays and says
 * ready, its pid may be another program's by now, and a copied folder names the server of the original. So
 * a probe connects and asks the server which folder it serves.
 *
 * @module
 */
import { join } from "node:path";
import postgres from "postgres";
import { type Layout, type PidFile, readPassword, readPidFile } from "./files.ts";
import { codeOf, isAlive, isPostmaster, sameFolder } from "./process.ts";

/** The superuser, and the database that is there from the first start on. */
export const USER = "dispatcher";
export const DATABASE = "dispatcher";

const CONNECT_LIMIT_MS = 5_000;

/**
 * - `down`: no server; `proven` when the pid in the file is known not to be a server (or there is no file)
 * - `busy`: a server that starts, recovers, stops or does not answer
 * - `ready`: it took a connection with our password and serves this folder
 */
export type Probe =
  | { state: "down"; proven: boolean; file?: PidFile }
  | { state: "busy" | "ready"; file: PidFile };

/** The URL for clients. The password needs no escape: it is base64url. */
export function urlOf(layout: Layout, port: number): string {
  return `postgres://${USER}:${readPassword(layout)}@127.0.0.1:${port}/${DATABASE}`;
}

type Sql = ReturnType<typeof postgres>;

async function connect<T>(layout: Layout, port: number, use: (sql: Sql) => Promise<T>): Promise<T> {
  const sql = postgres({
    host: "127.0.0.1",
    port,
    user: USER,
    password: readPassword(layout),
    database: "postgres",
    ssl: false,
    max: 1,
    fetch_types: false,
    connect_timeout: CONNECT_LIMIT_MS / 1000,
    connection: { application_name: "edge-dispatcher embedded" },
    onnotice: () => {},
  });
  // The client reconnects for ever, without a pause, to a program that accepts and hangs up: end() stops it.
  const timer = setTimeout(() => sql.end({ timeout: 0 }), CONNECT_LIMIT_MS);
  try {
    return await use(sql);
  } finally {
    clearTimeout(timer);
    await sql.end({ timeout: 1 });
  }
}

/** What the server says of itself; it gets its database first if it has none yet. */
function ask(layout: Layout, port: number): Promise<{ data: string; pid: number }> {
  return connect(layout, port, async (sql) => {
    const [row] = await sql`
      select current_setting('data_directory') as data,
        split_part(pg_read_file('postmaster.pid'), chr(10), 1)::int as pid,
        exists (select from pg_database where datname = ${DATABASE}) as made`;
    if (!row.made) {
      await sql.unsafe(`create database ${DATABASE}`).catch((error) => {
        // 42P04 and 23505: another process has just made it.
        if (!["42P04", "23505"].includes(codeOf(error) ?? "")) throw error;
      });
    }
    return { data: row.data, pid: row.pid };
  });
}

/** What a failed connection says of the server. */
function judge(error: unknown, layout: Layout, file: PidFile): Probe {
  switch (codeOf(error)) {
    case "ECONNREFUSED":
      // A server that is ready listens: the pid belongs to another program.
      return { state: "down", proven: false, file };
    case "53300": // too many clients: full, but well
      return { state: "ready", file };
    case "28P01":
    case "28000":
      throw new Error(`the server on port ${file.port} refuses the password of ${layout.password}`);
    case "ENOENT":
      throw error;
    default: // 57P03 while it recovers or stops, a timeout, a reset
      return { state: "busy", file };
  }
}

/** Probe the server of a folder; throw when a server is there that can never be used. */
export async function probe(layout: Layout): Promise<Probe> {
  const file = readPidFile(layout);
  if (!file) return { state: "down", proven: true };
  const ours = isAlive(file.pid) && isPostmaster(file.pid, layout.data);
  if (ours === false) return { state: "down", proven: true, file };
  if (file.status !== "ready") return { state: "busy", file };
  readPassword(layout); // its own errors are final, not an answer of the server
  let answer: { data: string; pid: number };
  try {
    answer = await ask(layout, file.port);
  } catch (error) {
    return judge(error, layout, file);
  }
  if (sameFolder(answer.data, layout.data) !== false) {
    return { state: "ready", file: { ...file, pid: answer.pid } };
  }
  throw new Error(
    `its ${join(layout.data, "postmaster.pid")} names process ${file.pid}, which serves "${answer.data}": ` +
      `if this folder is a copy, remove that file`,
  );
}
