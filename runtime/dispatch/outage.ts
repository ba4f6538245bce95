/**
 * The database does not answer: what is said of it, and when to try again.
 *
 * @module
 */
import { jitter } from "../clock.ts";
import { errorLine } from "../errors.ts";
import type { Events } from "../events.ts";

const RETRY_MS = { first: 250, most: 5_000 };

/** Of one dispatcher. */
export class Outage {
  readonly #events: Events;
  readonly #again: () => void;
  #failures = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;

  /** @param again The rest is over. */
  constructor(events: Events, again: () => void) {
    this.#events = events;
    this.#again = again;
  }

  /** Whether the last statement was answered. */
  get isOver(): boolean {
    return this.#failures === 0;
  }

  /** Whether to try nothing now. */
  get rests(): boolean {
    return this.#retry !== undefined;
  }

  /** A statement was not answered: rest, longer each time. */
  failed(error: unknown): void {
    if (this.#failures++ === 0) {
      this.#events.emit("error", "store.down", `Database does not answer: ${errorLine(error)}`);
    }
    const wait = jitter(Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** Math.min(this.#failures - 1, 10)));
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      this.#again();
    }, wait);
  }

  /** A statement was answered. */
  answered(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.#events.emit("info", "store.up", "Database answers again");
  }
}
