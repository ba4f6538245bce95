/**
 * How a statement of the store is run, and whether it has a name. Named statements save a round trip and the planning,
 * but they live in a session, and a pooler in transaction mode gives each statement another one.
 *
 * | what | why |
 * |---|---|
 * | found out by looking, before the first one is named | the client (postgres 3.4.9) repeats a statement that the server does not know by itself, and when several are under way on that connection, none of them is ever answered |
 * | the look: is the backend that answers the one we were told of? | every pooler makes up its own key for cancelling |
 * | an error says so all the same (a pooler came later) | Parse or Bind was refused, so nothing was done: once more, without a name |
 * | 08P01 without the server's routine is no such error | poolers say it also when a server died under a statement |
 *
 * A statement without a name is sent alone, with nothing behind it: see `connection.ts`.
 *
 * @module
 */
import type { Followed, Sql } from "./connection.ts";

export type Param = string | number | boolean | null;
// deno-lint-ignore no-explicit-any
export type Row = any;
/** What can run a statement: the pool, or a transaction of the caller's. */
export interface Runner {
  unsafe(text: string, params: Param[], options: { prepare: boolean } & Followed): PromiseLike<Row[]>;
}

export type PreparedStatements = "auto" | "on" | "off";

interface Said {
  sql: { options: { prepare: boolean } };
  tell: (why: string) => void;
}

const said = new WeakMap<object, Said["tell"]>();

/** The options that the client looks at before each statement. */
const optionsOf = (sql: Sql) => (sql as unknown as Said["sql"]).options;

/** What a session is like. */
export interface Session {
  /** Somebody who may change sessions stands between us and the server. */
  isPooled: boolean;
  /**
   * Whether statements see what was committed while they waited. Under a default of "repeatable read" or "serializable"
   * those that claim at once would fail each other, and publishers would not see each other's duplicates. Asked, not set
   * in any case: a pooler may refuse to be told.
   */
  readsCommitted: boolean;
}

const SESSION = `select pg_backend_pid() pid, current_setting('transaction_isolation') isolation`;

/** Ask a session of a pool what it is like. */
export async function sessionOf(sql: Sql): Promise<Session> {
  const rows = await sql.unsafe(SESSION);
  const { pid } = (rows as unknown as { state: { pid: number } }).state;
  return { isPooled: rows[0].pid !== pid, readsCommitted: rows[0].isolation === "read committed" };
}

/**
 * Name the statements of a pool, or not. The pool must have been opened without.
 *
 * @param tell Hears once why they are not named, unless that was asked for.
 */
export function chooseStatements(
  sql: Sql,
  wanted: PreparedStatements,
  { isPooled }: Pick<Session, "isPooled">,
  tell: (why: string) => void = () => {},
): void {
  said.set(sql, tell);
  if (wanted === "off") return;
  optionsOf(sql).prepare = true;
  if (wanted === "auto" && isPooled) unnamed(sql, "a pooler is between this process and PostgreSQL");
}

/** From now on no statement of this pool is named. */
export function unnamed(sql: Sql, why: string): void {
  const options = optionsOf(sql);
  if (!options.prepare) return;
  options.prepare = false;
  said.get(sql)?.(why);
}

interface PgError {
  code?: string;
  routine?: string;
}

/** Whether the server refused a statement for its name alone: then it has done nothing. */
export function isForgotten(error: unknown): boolean {
  const { code, routine } = (error ?? {}) as PgError;
  return code === "26000" || code === "42P05" || (code === "08P01" && routine === "exec_bind_message");
}

const DEADLOCK = "40P01";
const TRIES = 6;
/** Time for the other one to go on, so that the two do not meet again. */
const PAUSE_MS = 100;

/**
 * Run one statement on a pool. One that was refused for its name, or chosen to end a deadlock (two who write the same
 * uuids in different orders), has changed nothing, and is run again.
 *
 * @param more.behind Runs right behind it; nobody waits for that.
 */
export async function runStatement(
  sql: Sql,
  text: string,
  params: Param[],
  more?: Followed,
): Promise<Row[]> {
  const runner = sql as unknown as Runner;
  let prepare = true;
  for (let tries = 1;; tries++) {
    try {
      const query = runner.unsafe(text, params, { prepare, ...more });
      const rows = await query;
      // The client has repeated it by itself.
      if ("retried" in query) unnamed(sql, "PostgreSQL forgot one");
      return rows;
    } catch (error) {
      const forgotten = isForgotten(error);
      if (tries === TRIES || !(forgotten || (error as PgError).code === DEADLOCK)) throw error;
      if (!forgotten) {
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * tries * (0.5 + Math.random())));
        continue;
      }
      unnamed(sql, "PostgreSQL forgot one");
      prepare = false;
    }
  }
}
