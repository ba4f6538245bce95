/**
 * Looks for work now and then although no wake came: what a lost wake costs. A node that hears nothing lives by it, and
 * looks every second.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Work } from "./service.ts";

const LOOK_MS = 1_000;

/** What the poll works with. */
export interface SafetyPollParts {
  clock: Clock;
  /** Between two looks of a node that hears. */
  seconds: number;
  hears(): boolean;
  look(hears: boolean): void;
}

/** Look every so many seconds, or every second. */
export function safetyPoll({ clock, seconds, hears, look }: SafetyPollParts): Work {
  let lookedAt = -Infinity;
  return {
    name: "safety poll",
    retryMs: LOOK_MS,
    once() {
      const rest = lookedAt + seconds * 1000 - clock.monotonic();
      const heard = hears();
      if (rest <= 0 || !heard) {
        look(heard);
        lookedAt = clock.monotonic();
      }
      // Whether it hears can change at any time.
      return Promise.resolve(Math.min(LOOK_MS, seconds * 1000));
    },
  };
}
