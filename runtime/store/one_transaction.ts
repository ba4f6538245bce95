/**
 * One client for one transaction (`connect_once.ts`): nothing of one transaction (settings, temporary tables, a statement
 * that nobody awaited) reaches another.
 *
 * @module
 */
import { DispatcherError } from "../errors.ts";
import { connectOnce, type Cut } from "./connect_once.ts";
import type { Sql } from "./connection.ts";

/** Seconds that the commit's answer may take. */
export const COMMIT_SECONDS = 30;
export const ROLLBACK_SECONDS = 2;

/** Whatever the database's default is: under a stricter level the settling of others would fail this one. */
const BEGIN = "begin isolation level read committed";
/** Long statements of a task that is gone hold their locks: let the server look (PostgreSQL 14 and newer). */
const WATCH_CLIENT = `select set_config(name, '2000', true) from pg_settings
  where name = 'client_connection_check_interval'`;

/**
 * Run the work in a transaction. When this resolves it is committed; when it rejects with anything but `unavailable`
 * nothing was done.
 *
 * @throws {DispatcherError} `unavailable` when the commit was not answered; the work's own error; the database's.
 */
export async function transactionAt<R>(url: string, work: (tx: Sql) => R | Promise<R>): Promise<R> {
  const { sql, cut } = connectOnce(url);
  let committing = false;
  try {
    await begin(sql);
    const { tx, close } = guarded(sql);
    const value = await Promise.resolve(work(tx)).finally(close);
    committing = true;
    await last(sql, cut, COMMIT_SECONDS, "commit").then(committed).catch((error) => {
      if (error.severity === "ERROR" || error instanceof DispatcherError) throw error;
      const why = `the connection was lost during the commit: ${error.message}`;
      throw new DispatcherError("unavailable", `Cannot tell whether it was done: ${why}`, { cause: error });
    });
    return value;
  } finally {
    // A connection that is gone has rolled back.
    if (!committing) await last(sql, cut, ROLLBACK_SECONDS, "rollback").catch(() => {});
  }
}

/**
 * The client for the work. What the work has on its way when it ends is still part of the transaction; what it begins
 * later is refused: it would stand in the way of the commit, or commit by itself. The client has no way to refuse a
 * statement, which is sent when it is first awaited, but through the function that sends it.
 */
export function guarded(sql: Sql): { tx: Sql; close(): void } {
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

/** Begin; the server gives up what nobody waits for. */
export async function begin(sql: Sql): Promise<void> {
  await sql.unsafe(BEGIN);
  await sql.unsafe(WATCH_CLIENT).catch(async (error) => {
    // Refused where the server cannot look; anything else is about the connection.
    if (error.severity !== "ERROR") throw error;
    await sql.unsafe("rollback");
    await sql.unsafe(BEGIN);
  });
}

/** End the transaction and, behind it, the connection: a statement that comes later would commit by itself. */
export async function last(sql: Sql, cut: Cut, seconds: number, statement: string): Promise<string> {
  const answer = sql.unsafe(statement).execute();
  // Not awaited: after a connection was lost the client waits for it in vain.
  void sql.end();
  const overdue = new Error(`No answer to ${statement} for ${seconds} s`);
  const { promise: bound, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const why = Object.assign(overdue, { code: "ETIMEDOUT" });
    cut(why);
    // What the client would write to a connection that was lost before, it may keep for ever: there is nothing to cut.
    reject(why);
  }, seconds * 1_000);
  return await Promise.race([answer.then(({ command }) => command), bound]).finally(() =>
    clearTimeout(timer)
  );
}

/** What an error has spoilt is rolled back by a commit, without an error. */
export function committed(command: string): void {
  if (command === "COMMIT") return;
  throw new DispatcherError("refused", "Cannot commit: a statement that was not awaited has failed");
}
