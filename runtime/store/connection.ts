/**
 * The PostgreSQL client as this project uses it: its options, what its errors mean, and arrays as literals.
 *
 * @module
 */
import postgres from "postgres";
import { DispatcherError } from "../errors.ts";
import { Behind } from "./behind.ts";
import { Deadline } from "./deadline.ts";
import { withoutHoles } from "./holes.ts";
import { firstHostOf, Hosts } from "./hosts.ts";
import { Sockets } from "./socket.ts";

/** A pool of connections of the `postgres` package. */
export type Sql = postgres.Sql;

/** How to connect. */
export interface ConnectOptions {
  /** Connections at most. */
  max?: number;
  /** Seconds after which an idle connection is closed; 0 keeps it. */
  idleSeconds?: number;
  /** Shown in pg_stat_activity. */
  application?: string;
  /** Of every statement, where the database's default is another. */
  isolation?: "read committed";
  /** Whether statements may be named, by default true; see `statements.ts`. */
  prepare?: boolean;
  /** Seconds after which an answer is overdue and its connection is cut, by default 30. */
  answerSeconds?: number;
  /** Seconds that a new connection may take, by default 10. */
  connectSeconds?: number;
  /** Every statement is ours: none keeps the bytes of an answer, as a COPY and `.raw()` do; see `messages.ts`. */
  ours?: boolean;
}

/** An option of a statement, besides the client's. */
export interface Followed {
  /** A hint that the server runs right behind it, as SQL without parameters; see `behind.ts`. */
  behind?: string;
}

/**
 * What isoTime() reads, and blanks up to 1 kB, which the client writes at once. It keeps back shorter messages, and
 * after a connection was lost while it kept one (seen on Bun) it keeps back all that come, for ever: every query on
 * that connection would end in CONNECT_TIMEOUT (postgres 3.4.9; porsager/postgres#1215). A pooler takes
 * this parameter where it refuses others.
 */
export const DATE_STYLE = "ISO".padEnd(1_024);

/** What a connection may take unless told. */
export const CONNECT_SECONDS = 10;

/**
 * Tells the client to send nothing behind this statement before it is answered. Of a statement without a name it first
 * asks for the types, in a message of its own. A pooler that sees the statement before it end meanwhile gives the
 * session to somebody else, and that answer is lost (PgBouncer 1.18: "got packet 'T' from server when not linked").
 */
const ALONE = { onexecute: () => false };

/** Open a pool; nothing connects before the first query. Timestamps come back as ISO strings. */
export function connect(url: string, options: ConnectOptions = {}): Sql {
  const sockets = new Sockets(new Hosts(url), options.ours);
  const deadline = new Deadline(sockets, options.answerSeconds ?? 30);
  const sql = postgres(firstHostOf(url), {
    max: options.max ?? 4,
    idle_timeout: options.idleSeconds ?? 0,
    connect_timeout: options.connectSeconds ?? CONNECT_SECONDS,
    prepare: options.prepare ?? true,
    // The types of our own statements are known; asking for them costs a query on every connection.
    fetch_types: false,
    // The default grows to 20 s, which is how long a restarted server would be taken for a dead one.
    backoff: () => 0.25,
    onnotice: () => {},
    // Known to the client, though not to its types.
    ...{ socket: sockets.make },
    connection: {
      application_name: options.application ?? "edge-dispatcher",
      DateStyle: DATE_STYLE,
      ...(options.isolation ? { default_transaction_isolation: options.isolation } : {}),
    },
    types: {
      timestamp: {
        to: 1184,
        from: [1114, 1184],
        serialize: (value: string) => value,
        parse: isoTime,
      },
    },
  }) as unknown as Sql;
  const sent = sql.unsafe;
  const unsafe = (...call: Parameters<Sql["unsafe"]>) => withoutHoles(sent(...call));
  const named = () => (sql as unknown as { options: { prepare: boolean } }).options.prepare;
  const run = (text: string, params?: Parameters<Sql["unsafe"]>[1], more?: object) => {
    const statement = deadline.over(unsafe(text, params, named() ? more : { ...more, ...ALONE }));
    statement.catch((error) => error.code === READ_ONLY && sockets.elsewhere(error));
    return statement;
  };
  const runWith = (behind: string, text: string, params?: Parameters<Sql["unsafe"]>[1], more?: object) => {
    const next = new Behind(unsafe(behind), (query) => deadline.over(query));
    const statement = run(text, params, { ...more, onexecute: next.onexecute });
    const answered = async () => void (next.isSent || await run(behind));
    (statement as Promise<unknown>).then(answered).catch(() => {});
    return statement;
  };
  return Object.assign(sql, {
    unsafe(
      text: string,
      params?: Parameters<Sql["unsafe"]>[1],
      more?: Parameters<Sql["unsafe"]>[2] & Followed,
    ) {
      if (more?.behind === undefined) return run(text, params, more);
      const { behind, ...own } = more;
      return runWith(behind, text, params, own);
    },
  }) as Sql;
}

/** `2026-11-24 05:55:35.123456+00` as `2026-11-24T05:55:35.123Z`: not every engine's Date reads the former. */
export function isoTime(text: string): string {
  const [, date, time, offset = "Z"] =
    /^(\S+) (\d\d:\d\d:\d\d(?:\.\d{1,3})?)\d*([+-]\d\d(?::?\d\d)?)?$/.exec(text) ?? [];
  if (!date) return text;
  const zone = offset === "Z" || offset.includes(":") || offset.length > 3 ? offset : `${offset}:00`;
  const parsed = new Date(`${date}T${time}${zone}`);
  // From the year 10000 on it stays as PostgreSQL wrote it: one such row must not fail a whole list.
  return Number.isNaN(parsed.getTime()) ? text : parsed.toISOString();
}

/** A text as it stands in SQL, whatever is set of strings. */
export function textLiteral(text: string): string {
  return `e'${text.replace(/['\\]/g, "$&$&")}'`;
}

/** A PostgreSQL array literal: `{"a","b",NULL}`. */
export function arrayLiteral(values: readonly (string | number | boolean | null)[]): string {
  let out = "{";
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (i > 0) out += ",";
    if (value === null) out += "NULL";
    else if (typeof value === "string") out += quoteElement(value);
    else out += String(value);
  }
  return out + "}";
}

/** The same of what needs no quotes: uuids, numbers and small words. */
export function bareArray(values: readonly (string | number | boolean | null)[]): string {
  let out = "{";
  for (let i = 0; i < values.length; i++) out += i > 0 ? `,${values[i]}` : `${values[i]}`;
  return `${out}}`;
}

/** JSON texts in one, with a character between two that none of them has; nothing stands for null. */
export function jsonTexts(texts: readonly (string | null)[]): string {
  return texts.join("\x1e");
}

/** What stands in an array as it is: uuids, numbers and small words. */
const BARE = /^[0-9a-z-]+$/;

function quoteElement(value: string): string {
  if (BARE.test(value) && value !== "null") return value;
  return value.includes('"') || value.includes("\\") ? `"${value.replace(/["\\]/g, "\\$&")}"` : `"${value}"`;
}

/** Where a URL leads, without its password. */
export function addressOf(url: string): string {
  try {
    const { hostname, port, pathname, username } = new URL(firstHostOf(url));
    const several = new Hosts(url).all.map((one) => `${one.host}:${one.port}`).join(",");
    return `${several || `${hostname || "localhost"}:${port || 5432}`}${pathname}${
      username ? ` as ${decodeURIComponent(username)}` : ""
    }`;
  } catch {
    return "the given address";
  }
}

interface PgError extends Error {
  code?: string;
}

/** What a standby says, and a server that was made one while we were connected. */
const READ_ONLY = "25006";
const REFUSED = new Set(["28P01", "28000", "3D000", "42501"]);
const TRANSIENT_STATES = /^(08|53|57P0|40001|40P01|55P03|57014|25006)/;
const TRANSIENT_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "CONNECT_TIMEOUT",
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
]);

/** Whether the same call may succeed later without anybody changing it. */
export function isTransient(error: unknown): boolean {
  const code = (error as PgError)?.code ?? "";
  return TRANSIENT_CODES.has(code) || TRANSIENT_STATES.test(code);
}

const SQLSTATE = /^[0-9A-Z]{5}$/;
/** A value out of range, against a constraint, over a limit; XX000 is a text that needs more memory than there can be. */
const FOR_CONTENT = /^(22|23|54|XX000)/;

/** Whether a statement was refused for the values in it, and would be without fail again; not for who asks or where. */
export function isForContent(error: unknown): boolean {
  const code = (error as PgError)?.code ?? "";
  // Not the server's: the client could not even write them.
  return SQLSTATE.test(code) ? FOR_CONTENT.test(code) : !isTransient(error);
}

/** An error of the client as one of ours, without the password that it may quote. */
export function connectionError(error: unknown, url: string): DispatcherError {
  const { code = "", message } = error as PgError;
  const at = `Cannot connect to PostgreSQL at ${addressOf(url)}`;
  if (REFUSED.has(code)) return new DispatcherError("config", `${at}: ${message}`, { cause: error });
  return new DispatcherError("unavailable", `${at}: ${message || code}`, { cause: error });
}
