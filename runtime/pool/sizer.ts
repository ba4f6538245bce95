/**
 * Gives a pool as many slots as its load wants: looks at it now and then, and opens what `scaling.ts` says.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Endings } from "./endings.ts";
import type { Fleet } from "./fleet.ts";
import type { Intake } from "./intake.ts";
import { slotsToAdd } from "./scaling.ts";

/** What the sizer sees of a pool. */
export interface Sized {
  readonly clock: Clock;
  readonly fleet: Fleet;
  readonly intake: Intake;
  readonly endings: Endings;
  readonly options: { minSlots: number; maxSlots: number };
}

/** Opens slots for one pool. */
export class Sizer {
  readonly #pool: Sized;
  #lastLook: number;

  constructor(pool: Sized) {
    this.#pool = pool;
    this.#lastLook = pool.clock.monotonic();
  }

  /** Look once, and open what is wanted. */
  look(): void {
    const { clock, fleet, intake, endings, options } = this.#pool;
    const now = clock.monotonic();
    const counted = fleet.counted();
    const elapsed = Math.max(1, now - this.#lastLook);
    const ongoing = counted.reduce(
      (ms, s) => ms + (s.running ? Math.min(elapsed, now - s.running.since) : 0),
      0,
    );
    const add = slotsToAdd({
      min: options.minSlots,
      max: options.maxSlots,
      slots: counted.length,
      starting: counted.filter((slot) => slot.state !== "ready").length,
      free: counted.filter((slot) => slot.free).length,
      waiting: intake.waiting,
      waitedMs: intake.waited(now),
      utilization: (endings.busyMs + ongoing) / (elapsed * Math.max(1, counted.length)),
    });
    this.#lastLook = now;
    endings.busyMs = 0;
    for (let i = 0; i < add && fleet.mayStart; i++) fleet.open(false);
  }
}
