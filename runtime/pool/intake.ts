/**
 * What is claimed and not yet in a slot, first come first served. Suspects, which may have killed a host, wait
 * apart: each of them runs alone.
 *
 * @module
 */
import type { Claimed } from "../store/store.ts";

interface Waiting {
  claimed: Claimed;
  /** Monotonic milliseconds. */
  at: number;
}

/** Of the latest size in the mean. */
export const WEIGHT = 0.1;

/** The line before the slots. Written by the pool alone. */
export class Intake {
  readonly #waiting: Waiting[] = [];
  readonly #suspects: Claimed[] = [];
  /** Moving mean of the size of arguments. */
  meanBytes = 0;
  /** Nothing leaves it for a slot. */
  isHeld = false;

  put(claimed: Claimed, at: number): void {
    const bytes = claimed.args.length + claimed.kwargs.length;
    this.meanBytes += (bytes - this.meanBytes) * WEIGHT;
    if (claimed.solo) this.#suspects.push(claimed);
    else this.#waiting.push({ claimed, at });
  }

  /** What was taken and has not begun: it is the first again. */
  putBack(batch: Claimed[], at: number): void {
    this.#waiting.unshift(...batch.map((claimed) => ({ claimed, at })));
  }

  /** The next for a slot; a slot of a solo host takes suspects only. */
  take(solo: boolean): Claimed | undefined {
    if (this.isHeld) return;
    return solo ? this.#suspects.shift() : this.#waiting.shift()?.claimed;
  }

  /** Take one out of the line. */
  remove(uuid: string): Claimed | undefined {
    const at = this.#waiting.findIndex(({ claimed }) => claimed.uuid === uuid);
    if (at >= 0) return this.#waiting.splice(at, 1)[0].claimed;
    const suspect = this.#suspects.findIndex((claimed) => claimed.uuid === uuid);
    return suspect < 0 ? undefined : this.#suspects.splice(suspect, 1)[0];
  }

  /** Take all of them out, or all but the suspects. */
  empty(suspectsToo: boolean): Claimed[] {
    const waiting = this.#waiting.splice(0).map(({ claimed }) => claimed);
    return suspectsToo ? [...waiting, ...this.#suspects.splice(0)] : waiting;
  }

  all(): Claimed[] {
    return [...this.#waiting.map(({ claimed }) => claimed), ...this.#suspects];
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get suspects(): number {
    return this.#suspects.length;
  }

  get length(): number {
    return this.#waiting.length + this.#suspects.length;
  }

  /** Milliseconds that the oldest has waited, 0 when none does. */
  waited(now: number): number {
    return this.#waiting.length === 0 ? 0 : now - this.#waiting[0].at;
  }
}
