/**
 * A bound on how long an answer of the database may take.
 *
 * A connection can be half open: the peer is gone, or something between swallows what is sent, and nothing ever
 * says so. Whoever asked would wait for ever, and so would all that is asked on that connection later.
 *
 * | what can fail | what happens |
 * |---|---|
 * | a connection is half open | cut when its answer is overdue, half as late again at most; its statements fail as in an outage, and are tried again |
 * | new connections are swallowed too | the client's connect_timeout ends them; what waits for a connection goes on waiting |
 * | a statement takes longer than the bound | its connection is cut; the server may still complete it |
 *
 * @module
 */
import { clearInterval, setInterval } from "node:timers";
import type { Sockets } from "./socket.ts";

/** Watches over the statements of one pool. */
export class Deadline {
  readonly #sockets: Sockets;
  readonly #ms: number;
  // In the order of asking: the first is the oldest.
  readonly #asked = new Map<PromiseLike<unknown>, number>();
  // Goes on until it finds nothing asked: made and cleared with each statement it cost 40 us of a quiet process.
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(sockets: Sockets, seconds: number) {
    this.#sockets = sockets;
    this.#ms = seconds * 1_000;
  }

  /** A statement was given to the client. */
  over<T extends PromiseLike<unknown>>(statement: T): T {
    this.#asked.set(statement, performance.now());
    const answered = () => this.#asked.delete(statement);
    statement.then(answered, answered);
    // A process that waits for an answer is held by its socket.
    this.#timer ??= setInterval(() => this.#look(), this.#ms / 4).unref();
    return statement;
  }

  #look(): void {
    if (this.#asked.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    this.#sockets.look();
    const overdue = performance.now() - this.#ms;
    for (const asked of this.#asked.values()) {
      if (asked > overdue) return;
      const text = `No answer from PostgreSQL for ${this.#ms / 1_000} s`;
      return this.#sockets.cut(overdue, Object.assign(new Error(text), { code: "ETIMEDOUT" }));
    }
  }
}
