/**
 * Pays the looks from the beginning that are owed (`floors.ts`), where no claim that comes by itself does.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { ClaimFloors } from "./floors.ts";

/** The sweeps of one dispatcher, one at a time. */
export class Sweep {
  readonly #clock: Clock;
  readonly #floors: ClaimFloors;
  readonly #claim: () => void;
  #planned: Promise<void> | undefined;

  constructor(clock: Clock, floors: ClaimFloors, claim: () => void) {
    this.#clock = clock;
    this.#floors = floors;
    this.#claim = claim;
  }

  /** If a look is owed, have it paid in time; at once when the signal is aborted. */
  plan(signal: AbortSignal): void {
    if (!this.#floors.owe) return;
    this.#planned ??= this.#clock.sleep(this.#floors.sweepIn, signal).then(() => {
      this.#planned = undefined;
      if (!this.#floors.owe) return;
      this.#floors.ask();
      this.#claim();
    });
  }
}
