/**
 * A service: something a node does again and again beside dispatching. Every one has jitter, a stop and a name
 * that `status` shows; an error is logged and never ends it.
 *
 * @module
 */
import { type Clock, jitter } from "../clock.ts";
import { errorLine } from "../errors.ts";
import type { Events } from "../events.ts";

/** What a service does, and how long it rests. */
export interface Work {
  name: string;
  /** Do it once; returns the milliseconds until the next time. */
  once(): Promise<number>;
  /** Milliseconds until the next try after an error. */
  retryMs: number;
  /** It rests until a point in time that many may wait for: not a millisecond more. */
  exact?: boolean;
}

/** A running service. */
export class Service {
  readonly name: string;
  readonly #work: Work;
  readonly #clock: Clock;
  readonly #events: Events;
  readonly #stop = new AbortController();
  // Aborted to cut a rest short; replaced by run() for each rest.
  #rest = new AbortController();
  // Told when the run that they asked for is over; taken by run() when it begins.
  #askers: (() => void)[] = [];
  #failing = false;
  // Since when it is at work; undefined while it rests. Written by #run().
  #since: number | undefined;
  #done: Promise<void> | undefined;

  constructor(work: Work, clock: Clock, events: Events) {
    this.name = work.name;
    this.#work = work;
    this.#clock = clock;
    this.#events = events;
  }

  /** Run until stopped; the first time at once. */
  start(): void {
    this.#done = this.#run();
  }

  /** Do it now, or once more if it is being done; resolves when it was done, or the service has stopped. */
  kick(): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#askers.push(resolve);
      this.#rest.abort();
    });
  }

  /** End it; resolves when what it was doing is over. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#rest.abort();
    await this.#done;
  }

  /** Milliseconds since it began what it is doing; 0 while it rests. Much of it means that it hangs. */
  get busyMs(): number {
    return this.#since === undefined ? 0 : this.#clock.monotonic() - this.#since;
  }

  /** Whether the last run failed. */
  get failing(): boolean {
    return this.#failing;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const askers = this.#askers;
      this.#askers = [];
      this.#since = this.#clock.monotonic();
      const rest = await this.#once();
      this.#since = undefined;
      for (const done of askers) done();
      if (this.#askers.length > 0 || this.#stop.signal.aborted) continue;
      this.#rest = new AbortController();
      await this.#clock.sleep(rest, this.#rest.signal);
    }
    for (const done of this.#askers) done();
  }

  async #once(): Promise<number> {
    try {
      const rest = await this.#work.once();
      if (this.#failing) this.#events.emit("info", "service.up", `Service ${this.name} works again`);
      this.#failing = false;
      return this.#work.exact ? rest : jitter(rest, 0.1);
    } catch (error) {
      // One line at the beginning of an outage and one at its end.
      if (!this.#failing) {
        this.#events.emit("warning", "service.failing", `Service ${this.name} failed: ${errorLine(error)}`);
      }
      this.#failing = true;
      return jitter(this.#work.retryMs, 0.3);
    }
  }
}
