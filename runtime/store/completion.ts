/**
 * The transaction in which a task completes its own attempt: its statements and the settling commit together, or
 * neither does.
 *
 * ```text
 *  begin ─► the task's statements ─► settle, 1 row ─► commit ─► committed
 *    │                │                 │  0 rows        │
 *    └────────────────┴─────────────────┴── rollback     └─ no answer: ask the table
 * ```
 *
 * | what can fail | what happens |
 * |---|---|
 * | the fence has moved on | 0 rows: rolled back, `stale` |
 * | the connection is lost before the commit | the server rolls back; the statement under way and all later ones fail |
 * | the connection is lost during the commit | the row is locked until the server knows: then the table is asked |
 * | the database does not answer that either | the attempt fails; a settling that comes later finds nothing if it was committed |
 * | the attempt is aborted | the connection is cut, and the server rolls back |
 * | the task ends the transaction itself | the savepoint before the settling fails |
 *
 * One client for one transaction, not `begin()` or `reserve()` of a pool: those write to a connection that is gone,
 * which ends the process (porsager/postgres#1208). A client of one connection would open another one instead, on which
 * the rest of the statements would commit one by one; so this one gets no second socket. Nothing of one attempt
 * (settings, temporary tables, a statement that nobody awaited) reaches another.
 *
 * @module
 */
import { Duplex } from "node:stream";
import postgres from "postgres";
import { DispatcherError, errorLine } from "../errors.ts";
import { connect, CONNECT_SECONDS, isTransient, type Sql } from "./connection.ts";
import { firstHostOf, Hosts } from "./hosts.ts";
import { PostgresStore } from "./postgres.ts";
import { type Address, Sockets } from "./socket.ts";
import type { Settlement, Token } from "./store.ts";

/** An attempt that completes itself, and the database in which it is settled. */
export interface OwnAttempt extends Token {
  url: string;
  node: string;
  instance: string;
}

/** What is written of the attempt. */
export type Verdict = Pick<Settlement, "record" | "result" | "progress">;

/** What happens around the transaction. */
export interface Completion<R> {
  work(tx: Sql): R | Promise<R>;
  /** The verdict, once the work is done. */
  settlement(value: R): Verdict | Promise<Verdict>;
  /** It is about to be committed, and is not before this resolves. */
  committing(): Promise<unknown>;
}

/** Breaks the connection. */
type Cut = (why: Error) => void;

/** Seconds that the commit's answer may take, and that the table is asked when none came. */
const COMMIT_SECONDS = 30;
const ROLLBACK_SECONDS = 2;
const ASK_AGAIN_MS = 250;

/** Whatever the database's default is: under a stricter level the settling of others would fail this one. */
const BEGIN = "begin isolation level read committed";
/** Long statements of a task that is gone hold their locks: let the server look (PostgreSQL 14 and newer). */
const WATCH_CLIENT = `select set_config(name, '2000', true) from pg_settings
  where name = 'client_connection_check_interval'`;
/** Waits for the transaction that has locked the row. Index: primary key. */
const STILL_OURS = `select uuid from dispatcher.envelope
  where uuid = $1::uuid and fence = $2 and instance = $3::uuid for update`;
/** Whether the last attempt of an envelope that completed is this one. Index: archive_uuid. */
const COMPLETED_SO = `select from dispatcher.archive
  where uuid = $1::uuid and state = 'completed' and attempts[cardinality(attempts)]::text = $2`;

/**
 * Run the work in a transaction and settle the attempt as completed with it. When this resolves it is committed; when
 * it rejects, nothing was done, except with `unavailable` after a commit whose outcome cannot be learnt.
 *
 * @throws {DispatcherError} `stale` when the attempt is no longer this node's; `unavailable`.
 */
export async function completeIn<R>(
  attempt: OwnAttempt,
  signal: AbortSignal,
  completion: Completion<R>,
): Promise<R> {
  signal.throwIfAborted();
  const { sql, cut } = connectOnce(attempt.url);
  const abort = () => cut(signal.reason);
  signal.addEventListener("abort", abort);
  let committing = false;
  try {
    await begin(sql);
    signal.throwIfAborted();
    const { tx, close } = guarded(sql);
    const value = await work(completion, tx).finally(close);
    const verdict = await completion.settlement(value);
    const told = completion.committing();
    // Awaited below; it must not be nobody's when the settling fails first.
    told.catch(() => {});
    await settle(sql, attempt, verdict);
    await told;
    signal.throwIfAborted();
    signal.removeEventListener("abort", abort);
    committing = true;
    await last(sql, cut, COMMIT_SECONDS, "commit").then(committed).catch((error) =>
      resolve(attempt, verdict.record!, error)
    );
    return value;
  } catch (error) {
    // What the cut broke says less than why it was cut.
    throw signal.aborted && !committing ? signal.reason : error;
  } finally {
    signal.removeEventListener("abort", abort);
    // A connection that is gone has rolled back.
    if (!committing) await last(sql, cut, ROLLBACK_SECONDS, "rollback").catch(() => {});
  }
}

async function work<R>(completion: Completion<R>, tx: Sql): Promise<R> {
  return await completion.work(tx);
}

/**
 * The client for the work. What the work has on its way when it ends is still part of the transaction; what it begins
 * later is refused: it would stand in the way of the commit, or commit by itself. The client has no way to refuse a
 * statement, which is sent when it is first awaited, but through the function that sends it.
 */
function guarded(sql: Sql): { tx: Sql; close(): void } {
  let open = true;
  const over = () => new DispatcherError("refused", "Cannot run a statement: its transaction has ended");
  const guard = <Q>(query: Q): Q => {
    const own = query as { handler?: (query: { reject(error: Error): void }) => void };
    const { handler: send } = own;
    if (typeof send === "function") own.handler = (query) => open ? send(query) : query.reject(over());
    return query;
  };
  const { json, array, typed, types, file, notify } = sql;
  const tag = (...call: Parameters<Sql>) => guard(sql(...call));
  const unsafe = (...call: Parameters<Sql["unsafe"]>) => guard(sql.unsafe(...call));
  const tx = Object.assign(tag, { unsafe, json, array, typed, types, file, notify }) as unknown as Sql;
  return { tx, close: () => void (open = false) };
}

async function begin(sql: Sql): Promise<void> {
  await sql.unsafe(BEGIN);
  await sql.unsafe(WATCH_CLIENT).catch(async (error) => {
    // Refused where the server cannot look; anything else is about the connection.
    if (error.severity !== "ERROR") throw error;
    await sql.unsafe("rollback");
    await sql.unsafe(BEGIN);
  });
}

async function settle(
  sql: Sql,
  { node, instance, uuid, fence }: OwnAttempt,
  verdict: Verdict,
): Promise<void> {
  // Fails where there is no transaction any more, or one that an error has spoilt.
  await sql.unsafe("savepoint dispatcher_settle");
  const more = { ran: null, error: null, delay: null, solo: false, watch: false, keyed: false };
  const settlement: Settlement = { uuid, fence, outcome: "completed", ...verdict, ...more };
  const work = { node, instance, settlements: [settlement], queues: [], limit: 0 };
  const { settled } = await new PostgresStore(sql).exchange(work);
  if (settled.has(uuid)) return;
  throw new DispatcherError(
    "stale",
    `Cannot complete "${uuid}" in its transaction: the attempt is no longer this node's; it was rolled back`,
  );
}

/** End the transaction and, behind it, the connection: a statement that comes later would commit by itself. */
async function last(sql: Sql, cut: Cut, seconds: number, statement: string): Promise<string> {
  const answer = sql.unsafe(statement).execute();
  // Not awaited: after a connection was lost the client waits for it in vain.
  void sql.end();
  const overdue = new Error(`No answer to ${statement} for ${seconds} s`);
  const bound = setTimeout(() => cut(Object.assign(overdue, { code: "ETIMEDOUT" })), seconds * 1_000);
  return await answer.then(({ command }) => command).finally(() => clearTimeout(bound));
}

/** What an error has spoilt is rolled back by a commit, without an error. */
function committed(command: string): void {
  if (command === "COMMIT") return;
  throw new DispatcherError("refused", "Cannot commit: a statement that was not awaited has failed");
}

/** The commit failed: rolled back if the server says so, else the table knows. Throws unless it was committed. */
async function resolve(attempt: OwnAttempt, record: string, error: unknown): Promise<void> {
  const { severity } = error as { severity?: string };
  if (severity === "ERROR" || error instanceof DispatcherError) throw error;
  if (await wasCommitted(attempt, record)) return;
  throw error;
}

async function wasCommitted(attempt: OwnAttempt, record: string): Promise<boolean> {
  const end = performance.now() + COMMIT_SECONDS * 1_000;
  for (;;) {
    const sql = connect(attempt.url, { max: 1, answerSeconds: 10 });
    try {
      const held = await sql.unsafe(STILL_OURS, [attempt.uuid, attempt.fence, attempt.instance]);
      if (held.length > 0) return false;
      return (await sql.unsafe(COMPLETED_SO, [attempt.uuid, record])).length > 0;
    } catch (error) {
      if (performance.now() > end || !isTransient(error)) {
        const why = `the connection was lost during the commit, and asking failed: ${errorLine(error)}`;
        throw new DispatcherError(
          "unavailable",
          `Cannot tell whether "${attempt.uuid}" was completed: ${why}`,
          { cause: error },
        );
      }
    } finally {
      void sql.end({ timeout: 1 });
    }
    await new Promise((again) => setTimeout(again, ASK_AGAIN_MS));
  }
}

/** A client with the defaults of the package and one connection, which is never replaced. */
function connectOnce(url: string): { sql: Sql; cut: Cut } {
  const sockets = new Sockets(new Hosts(url));
  let connected = false;
  const socket = (address: Address) => {
    if (connected) return lostSocket();
    return sockets.make(address).once("connect", () => connected = true);
  };
  const sql = postgres(firstHostOf(url), {
    max: 1,
    // A statement that is named would have to be forgotten, too, where the way leads through a pooler.
    prepare: false,
    connect_timeout: CONNECT_SECONDS,
    backoff: () => 0,
    onnotice: () => {},
    ...{ socket },
    connection: { application_name: "edge-dispatcher transaction" },
  });
  return { sql, cut: (why) => sockets.cut(Infinity, why) };
}

/** Takes nothing: whatever the client would send over another connection fails. */
function lostSocket(): Duplex {
  const error = new Error("The connection of the transaction was lost, and what it did is rolled back");
  return new Duplex({
    read() {},
    write: (_chunk, _encoding, done) => done(Object.assign(error, { code: "CONNECTION_CLOSED" })),
  });
}
