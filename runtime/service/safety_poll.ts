/**
 * Looks for work now and then although no wake came: what a lost wake costs.
 *
 * @module
 */
import type { Work } from "./service.ts";

/** Wake the dispatcher every so many seconds. */
export function safetyPoll(seconds: number, wake: () => void): Work {
  return {
    name: "safety poll",
    retryMs: 1_000,
    once() {
      wake();
      return Promise.resolve(seconds * 1000);
    },
  };
}
