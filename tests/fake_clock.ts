import type { Clock } from "../runtime/clock.ts";

interface Sleeper {
  at: number;
  wake: () => void;
}

/** A clock that stands still until a test moves it. Both of its times move together. */
export class FakeClock implements Clock {
  #now: number;
  #monotonic = 0;
  #sleepers: Sleeper[] = [];

  /** @param now Milliseconds since 1970 at which it starts. */
  constructor(now = 1_800_000_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const wake = () => {
        signal?.removeEventListener("abort", wake);
        this.#sleepers = this.#sleepers.filter((one) => one !== sleeper);
        resolve();
      };
      const sleeper = { at: this.#monotonic + ms, wake };
      signal?.addEventListener("abort", wake, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /** How many sleep now. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** Move time on: who sleeps no longer than that wakes, in the order of their times, each at its own. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    for (;;) {
      const next = this.#sleepers.toSorted((a, b) => a.at - b.at)[0];
      if (!next || next.at > end) break;
      this.#move(next.at);
      next.wake();
      await settle();
    }
    this.#move(end);
    await settle();
  }

  #move(to: number): void {
    const step = Math.max(0, to - this.#monotonic);
    this.#monotonic += step;
    this.#now += step;
  }
}

/** Let those who woke run until they wait again; a turn of the event loop does for any chain of promises. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
