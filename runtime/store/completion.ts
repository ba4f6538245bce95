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
 * @module
 */
import { DispatcherError, errorLine } from "../errors.ts";
import { connectOnce } from "./connect_once.ts";
import { connect, isTransient, type Sql } from "./connection.ts";
import { begin, COMMIT_SECONDS, committed, guarded, last, ROLLBACK_SECONDS } from "./one_transaction.ts";
import { PostgresStore } from "./postgres.ts";
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

const ASK_AGAIN_MS = 250;

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
