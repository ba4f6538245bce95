/**
 * Attempts that settle themselves, in a transaction of their task's. Their workers say so before the commit and after
 * it; between the two a worker that dies leaves a doubt, which the settling resolves: it finds a row, or none.
 *
 * @module
 */
import type { Finished } from "../pool/slot.ts";
import type { Claimed } from "../store/store.ts";

/** What is known of such attempts; forgotten with them. */
export class OwnSettlements {
  // The result's JSON text once it is committed, null before.
  readonly #results = new WeakMap<Claimed, string | null>();

  /** It is about to be committed; or (false) was rolled back after all. */
  settling(claimed: Claimed, begins: boolean): void {
    if (begins) this.#results.set(claimed, null);
    else this.#results.delete(claimed);
  }

  /** It is committed, with this result. */
  settled(claimed: Claimed, text: string): void {
    this.#results.set(claimed, text);
  }

  /** How an attempt ended, as it counts: what was committed is completed, whatever came after. */
  endOf(end: Finished): Finished {
    const text = this.#results.get(end.claimed);
    if (text === undefined) return end;
    if (text === null) return { ...end, doubtful: true };
    return { ...end, outcome: "completed", text, hopeless: undefined, settled: true };
  }
}
