/**
 * How many statements are under way, and how long outcomes gather for one. While the pool has work for a while, a
 * statement waits until it is worth its price: of 125 envelopes each costs the database 40 us, of 500 each costs 29, of 1,000 another 4 % less. So many
 * outcomes, or so many milliseconds.
 *
 * @module
 */

/** Statements under way at most: while one is answered and its envelopes are handed out, the server has others. */
export const IN_FLIGHT = 3;

/**
 * The same for one of so many nodes that serve the same queues, while a backlog is there: they have about as many among
 * them as one would have alone, since each claim passes over what the others have claimed.
 *
 * @param nodes 0 where this one's lease has lapsed or it drains, and there is no other.
 * @param aside Whether one of them is beside the exchanges: one of those goes on in any case.
 */
export function statementsAtMost(nodes: number, aside: boolean): number {
  return Math.max(aside ? 2 : 1, Math.ceil(IN_FLIGHT / Math.max(1, nodes)));
}

/** Outcomes that are worth a statement. */
export const WORTHWHILE = 800;
const GATHER_MS = 10;

/** One gathering after the other. */
export class Gathering {
  readonly #over: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  // For how long that is set.
  #ms = Infinity;
  #isOver = false;

  /** @param over Called when one has lasted for long enough. */
  constructor(over: () => void) {
    this.#over = over;
  }

  /**
   * Whether it has lasted for long enough; begins one when there is none.
   *
   * @param ms For how long, if that is more than the usual; of several the least counts.
   */
  isOver(ms = 0): boolean {
    if (this.#isOver) return true;
    const most = Math.max(GATHER_MS, ms);
    if (most >= this.#ms) return false;
    clearTimeout(this.#timer);
    this.#ms = most;
    this.#timer = setTimeout(() => {
      this.#isOver = true;
      this.#over();
    }, most);
    return false;
  }

  /** A statement is made. */
  end(): void {
    clearTimeout(this.#timer);
    this.#ms = Infinity;
    this.#isOver = false;
  }
}
