/**
 * A statement right behind another: written in the same breath to the same connection, so that the server runs it the
 * moment the first has committed, without a way to us and back in between. The answer to the first does not wait for it,
 * and nobody hears its own: it is for hints, which may be lost.
 *
 * | what can happen | what is done |
 * |---|---|
 * | the first has no name, or must be described first, or the socket is full | it is sent alone (see `connection.ts`), and what is behind it once it is answered |
 * | the first fails | what was sent runs all the same; what was not is left out |
 * | the server has forgotten the name of the first | the client repeats that by itself, behind this one. Were this one named and forgotten too, neither would be answered: it has neither name nor parameters |
 * | the connection breaks | lost, or said for nothing |
 *
 * @module
 */

/** What the client (postgres 3.4.9) does not tell of its queries and connections. */
interface Query extends PromiseLike<unknown> {
  /** Whether it is on its way; set by the first who waits for it. */
  executed: boolean;
}
interface Connection {
  /** Write a query; false when nothing may be written behind it. */
  execute(query: Query): boolean;
}

/** One that is to be sent behind. */
export class Behind {
  readonly #query: Query;
  readonly #sent: (query: PromiseLike<unknown>) => void;

  /**
   * @param query Without parameters; nobody has asked for it yet.
   * @param sent Called when it was written: somebody must hear its error.
   */
  constructor(query: PromiseLike<unknown>, sent: (query: PromiseLike<unknown>) => void) {
    this.#query = query as Query;
    this.#sent = sent;
  }

  /** The option of the first: called when that one is written, and more may be. */
  readonly onexecute = (connection: unknown): boolean => {
    if (this.#query.executed) return true;
    this.#query.executed = true;
    const more = (connection as Connection).execute(this.#query);
    this.#sent(this.#query);
    return more;
  };

  /** Whether it is on its way. */
  get isSent(): boolean {
    return this.#query.executed;
  }
}
