/**
 * Time as a value that is passed in, so that tests own it.
 *
 * @module
 */

/** What the rest of the code may know of time. Milliseconds everywhere. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds from an arbitrary start that never step back: for durations and deadlines. */
  monotonic(): number;
  /** Resolve after `ms`, or at once when the signal aborts (it never rejects: look at the signal). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** What a timer can hold, 24 days; with more, every runtime fires it at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(ms, LONGEST_MS));
      signal?.addEventListener("abort", done, { once: true });
    });
  },
};

/** `ms` moved by up to ± `part` of itself, so that nodes started together do not act together. */
export function jitter(ms: number, part = 0.2, random: () => number = Math.random): number {
  return ms * (1 + part * (2 * random() - 1));
}
