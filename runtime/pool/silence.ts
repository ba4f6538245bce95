/**
 * Whether a host is still there: one whose process hangs, at its start or in the handler of its own crash, gives no sign,
 * and what runs in it would never end. Nor would it if the runtime failed to tell that the process had ended.
 *
 * ```text
 *  heard ──5 s──► asked ──30 s──► killed ──5 s──► counted as gone        any sign of life: heard
 * ```
 *
 * The time counts that the dispatcher has looked on: what passed while it was stopped itself says nothing of its hosts.
 *
 * @module
 */

/** Milliseconds without a sign, of all; between two looks no more than MOST_STEP_MS count. */
const ASK_MS = 5_000;
const KILL_MS = 35_000;
const GONE_MS = 40_000;
const MOST_STEP_MS = 1_000;

/** What is to be done about a silent host. */
export type Step = "ask" | "kill" | "gone";

const STEPS: readonly [number, Step][] = [[ASK_MS, "ask"], [KILL_MS, "kill"], [GONE_MS, "gone"]];

/** The silence of one host. */
export class Silence {
  #ms = 0;
  #lookedAt: number | undefined;

  /** It gave a sign, or it has nothing to do. */
  heard(): void {
    this.#ms = 0;
    this.#lookedAt = undefined;
  }

  /** Look on; tells each step once. */
  look(now: number): Step | undefined {
    const before = this.#ms;
    this.#ms += Math.min(MOST_STEP_MS, now - (this.#lookedAt ?? now));
    this.#lookedAt = now;
    return STEPS.find(([at]) => before < at && this.#ms >= at)?.[1];
  }
}
