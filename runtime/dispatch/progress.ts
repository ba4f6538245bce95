/**
 * Writes what tasks tell of their progress. Statements on different connections may overtake each other, so of one
 * attempt one is under way at a time; what is told meanwhile follows it, the last word only.
 *
 * @module
 */
import type { Claimed } from "../store/store.ts";

/** The last words of running attempts, on their way to the table. */
export class ProgressWriter {
  readonly #write: (claimed: Claimed, text: string) => Promise<unknown>;
  // What follows the statement under way, if anything does; one entry an attempt that has one.
  readonly #next = new Map<Claimed, string | null>();

  constructor(write: (claimed: Claimed, text: string) => Promise<unknown>) {
    this.#write = write;
  }

  /** Write it, now or behind the one before. */
  put(claimed: Claimed, text: string): void {
    if (this.#next.has(claimed)) this.#next.set(claimed, text);
    else void this.#run(claimed, text);
  }

  async #run(claimed: Claimed, text: string): Promise<void> {
    for (let next: string | null = text; next !== null; next = this.#next.get(claimed) ?? null) {
      this.#next.set(claimed, null);
      // Progress is a courtesy: one that is lost is followed by the next, and the settling carries the last.
      await this.#write(claimed, next).catch(() => {});
    }
    this.#next.delete(claimed);
  }
}
