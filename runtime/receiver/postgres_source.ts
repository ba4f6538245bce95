/**
 * Events in a table of PostgreSQL, where there is no Redis: producers INSERT and NOTIFY, which is only a hint.
 *
 * ```text
 *  begin ─► delete with SKIP LOCKED ─► the writer's statements ─► commit
 * ```
 *
 * Events leave the queue in the transaction that writes them: exactly once, whatever fails.
 *
 * | what can fail | what happens |
 * |---|---|
 * | the receiver dies | the server rolls back: the events are unlocked, for everybody |
 * | the connection is lost, also during the commit | the session is given up; what was not committed is taken again |
 * | a statement is refused for the values in it | back to the savepoint before it: what else the transaction did stands |
 * | no answer for 30 s | the connection is cut |
 * | a notification is lost | a look every 5 s finds what it was for |
 *
 * @module
 */
import type { Broker } from "../broker/broker.ts";
import { type Clock, jitter, systemClock } from "../clock.ts";
import { connectOnce } from "../store/connect_once.ts";
import * as SQL from "../store/sql_receiver.ts";
import type { Param, Row } from "../store/statements.ts";
import { BATCH, BATCH_BYTES, type Claim, IDLE_SECONDS, LINGER_MS, type Run, type Source } from "./source.ts";

/** What tells that events were queued; with `FLUSH` they are not waited for. */
export const QUEUED_CHANNEL = "awx_job_event";

/** Where the queue is, and who hears that something is in it. */
export interface PostgresSourceParts {
  url: string;
  broker: Broker;
  /** Over a pool, for what is in no transaction. */
  run: Run;
  clock?: Clock;
}

const ANSWER_MS = 30_000;
/** A size is counted up to here. */
const COUNT_CAP = 100_000;

/** The queue's table as a source. */
export class PostgresSource implements Source {
  readonly kind = "postgres";
  readonly #parts: PostgresSourceParts;
  readonly #clock: Clock;
  // Sessions that no claim uses.
  readonly #idle: Session[] = [];
  // Aborted by a notification, to cut a rest short; replaced for each rest.
  #rest = new AbortController();
  // Written by take(): whether the last batch was full, so that the next one is there already.
  #full = false;
  // Written by the ear: something came, and whether it wants no waiting, since the last claim.
  #heard: "nothing" | "something" | "flush" = "nothing";
  #turn: Promise<unknown> = Promise.resolve();
  #unlisten: (() => Promise<void>) | undefined;

  constructor(parts: PostgresSourceParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
  }

  /** Begin to hear. */
  async open(): Promise<void> {
    this.#unlisten = await this.#parts.broker.listen([QUEUED_CHANNEL], {
      gap: () => this.#hear("something"),
      message: (_channel, payload) => this.#hear(payload === "FLUSH" ? "flush" : "something"),
    });
  }

  #hear(what: "something" | "flush"): void {
    if (this.#heard !== "flush") this.#heard = what;
    this.#rest.abort();
  }

  take(signal: AbortSignal): Promise<Claim | undefined> {
    const taken = this.#turn.then(() => signal.aborted ? undefined : this.#gather(signal));
    this.#turn = taken.catch(() => {});
    return taken;
  }

  async #gather(signal: AbortSignal): Promise<Claim | undefined> {
    if (!this.#full) {
      if (this.#heard === "nothing") await this.#pause(jitter(IDLE_SECONDS * 1_000, 0.1), signal, () => true);
      // More come within a moment, as a rule.
      await this.#pause(LINGER_MS / 2, signal, () => this.#heard === "flush");
      if (signal.aborted) return undefined;
    }
    this.#heard = "nothing";
    const session = this.#idle.pop() ?? new Session(this.#parts.url);
    try {
      const rows = await session.begin();
      this.#full = rows.length === BATCH || bytesOf(rows) >= BATCH_BYTES / 2;
      if (rows.length > 0) return this.#claim(session, rows);
      await session.end("rollback");
      this.#idle.push(session);
    } catch (error) {
      session.cut(error as Error);
      this.#full = false;
      throw error;
    }
  }

  /** Rest until it is heard that something came which is reason enough. */
  async #pause(ms: number, signal: AbortSignal, enough: () => boolean): Promise<void> {
    const end = this.#clock.monotonic() + ms;
    for (let left = ms; left > 0 && !signal.aborted; left = end - this.#clock.monotonic()) {
      this.#rest = new AbortController();
      if (this.#heard !== "nothing" && enough()) return;
      await this.#clock.sleep(left, AbortSignal.any([signal, this.#rest.signal]));
    }
  }

  #claim(session: Session, rows: Row[]): Claim {
    return {
      texts: rows.map((row) => row.payload),
      lasting: false,
      run: (text, params) => session.attempt(text, params),
      done: async () => {
        await session.end("commit");
        this.#idle.push(session);
      },
      release: () => {
        // The server rolls back, also what an error has left half done.
        session.cut(new Error("The events were given back"));
        return Promise.resolve();
      },
    };
  }

  tend(): Promise<number> {
    return Promise.resolve(0);
  }

  async size(): Promise<number> {
    return (await this.#parts.run(SQL.COUNT_QUEUED, [COUNT_CAP]))[0].waiting;
  }

  async close(): Promise<void> {
    this.#rest.abort();
    for (const session of this.#idle.splice(0)) session.cut(new Error("The receiver ends"));
    await this.#unlisten?.().catch(() => {});
  }
}

function bytesOf(rows: Row[]): number {
  return rows.reduce((sum, { payload }) => sum + payload.length, 0);
}

/** One connection, one transaction after the other. */
class Session {
  readonly #once: ReturnType<typeof connectOnce>;

  constructor(url: string) {
    this.#once = connectOnce(url, "edge-dispatcher receiver");
  }

  /** Begin, and take events, in their order. */
  async begin(): Promise<Row[]> {
    await this.run("begin isolation level read committed");
    const rows = await this.run(SQL.TAKE_QUEUED, [BATCH, BATCH_BYTES]);
    return rows.sort((a, b) => a.id - b.id);
  }

  /** Run a statement after a savepoint, and go back there when it is refused. */
  async attempt(text: string, params: Param[] = []): Promise<Row[]> {
    await this.run("savepoint attempt");
    try {
      return await this.run(text, params);
    } catch (error) {
      await this.run("rollback to savepoint attempt");
      throw error;
    }
  }

  async run(text: string, params: Param[] = []): Promise<Row[]> {
    const overdue = new Error(`No answer from PostgreSQL for ${ANSWER_MS / 1_000} s`);
    const bound = setTimeout(
      () => this.#once.cut(Object.assign(overdue, { code: "ETIMEDOUT" })),
      ANSWER_MS,
    );
    try {
      return await this.#once.sql.unsafe(text, params);
    } finally {
      clearTimeout(bound);
    }
  }

  async end(how: "commit" | "rollback"): Promise<void> {
    await this.run(how);
  }

  /** Give it up. */
  cut(why: Error): void {
    this.#once.cut(why);
    // Not awaited: after a connection was lost the client waits for it in vain.
    void this.#once.sql.end({ timeout: 1 }).catch(() => {});
  }
}
