/**
 * How attempts end: every way out of a slot leads through here, once, and keeps the books.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { ErrorRecord } from "../errors.ts";
import { readResources, type Resources } from "../resources.ts";
import { readPolicy, type RetryPolicy } from "../retry_policy.ts";
import type { Claimed } from "../store/store.ts";
import { WEIGHT } from "./intake.ts";
import type { AbortReason, Done } from "./protocol.ts";
import { abortError, type Finished, type Running, type Slot } from "./slot.ts";

/** What an attempt that was asked to end counts as. */
const OUTCOME_OF: Record<AbortReason, Finished["outcome"]> = {
  TimeoutError: "failed",
  CancelledError: "cancelled",
  ShutdownError: "released",
  Preempted: "released",
};

/** What the books tell. */
export interface EndingEvents {
  finished(end: Finished): void;
  notice(level: "error", text: string): void;
}

/** The books of what has ended. */
export class Endings {
  readonly #clock: Clock;
  readonly #events: EndingEvents;
  /** Moving mean of the duration in milliseconds, null before the first. */
  meanMs: number | null = null;
  /** Moving mean of the size of results. */
  meanBytes = 0;
  /** Milliseconds that ended attempts took; the scaler reads it and sets it back. */
  busyMs = 0;
  // What tasks say of their attempts; one entry a task that says something and was run here.
  readonly #policies = new Map<string, RetryPolicy>();
  /** Tasks that may be stopped for something more urgent, as far as they were run here. */
  readonly preemptible: Set<string> = new Set();
  readonly totals: { finished: number; cancelled: number } = { finished: 0, cancelled: 0 };

  constructor(clock: Clock, events: EndingEvents) {
    this.#clock = clock;
    this.#events = events;
  }

  /** A worker says what a task says of its attempts. One that cannot be meant so is tried once. */
  learn(task: string, given: { maxAttempts?: unknown; backoff?: unknown }): void {
    const policy = readPolicy(given);
    const wrong = typeof policy === "string";
    this.#policies.set(task, wrong ? { maxAttempts: 1 } : policy);
    if (wrong) {
      this.#events.notice("error", `Task "${task}" is tried once, its retry policy is wrong: ${policy}`);
    }
  }

  /** The worker says how it ended; false when it is not what runs there. */
  done(slot: Slot, done: Done, text: string): boolean {
    const running = slot.running;
    if (running?.claimed.uuid !== done.uuid) return false;
    const { claimed, aborted, progress } = running;
    slot.heap = done.heap;
    this.meanBytes += (text.length - this.meanBytes) * WEIGHT;
    this.#book(slot, done.started, done.finished);
    // What was to end meanwhile does, and asks for nothing any more.
    const asks = done.asks === undefined || aborted ? undefined : readResources(done.asks);
    if (asks !== undefined) {
      this.#asks(claimed, asks);
      return true;
    }
    this.#events.finished({
      claimed,
      worker: slot.worker,
      outcome: done.ok ? "completed" : aborted ? OUTCOME_OF[aborted] : "failed",
      // What it threw when its time was up matters less than that its time was up.
      text: !done.ok && aborted ? JSON.stringify(abortError(aborted, claimed.timeout)) : text,
      started: done.started,
      finished: done.finished,
      progress,
      hopeless: done.hopeless,
      policy: this.#policies.get(claimed.task),
      // A task that was asked to end does not decide what for.
      verdict: aborted ? undefined : done.verdict,
      delay: done.delay,
      keyless: done.keyless,
      preempted: !done.ok && aborted === "Preempted",
    });
    return true;
  }

  /** It has not begun, for its task needs resources; as it is given back, nobody sees a trace of it. */
  #asks(claimed: Claimed, asks: Resources | string): void {
    const wrong = typeof asks === "string";
    const message = `The resources of "${claimed.task}" cannot be read: ${asks}`;
    this.#events.finished({
      claimed,
      worker: null,
      outcome: wrong ? "failed" : "released",
      text: wrong ? JSON.stringify({ name: "ResourcesError", message }) : null,
      started: null,
      finished: this.#clock.now(),
      progress: null,
      ...(wrong ? { hopeless: true } : { asks }),
    });
  }

  /** The worker cannot speak for itself. What was asked to end ends for that reason, whatever happened then. */
  broken(slot: Slot, outcome: Finished["outcome"], error: ErrorRecord, more: Partial<Finished> = {}): void {
    const running = slot.running;
    if (!running) return;
    const { claimed, started, progress, aborted } = running;
    const finished = this.#clock.now();
    if (aborted) slot.killed = true;
    this.#book(slot, started, finished);
    this.#events.finished({
      claimed,
      worker: slot.worker,
      outcome: aborted ? OUTCOME_OF[aborted] : outcome,
      text: JSON.stringify(aborted ? abortError(aborted, claimed.timeout) : error),
      started,
      finished,
      progress,
      policy: this.#policies.get(claimed.task),
      preempted: aborted === "Preempted",
      ...more,
    });
  }

  /** It was to be next in a host that died: nobody knows whether it had begun. */
  unsure(claimed: Claimed, worker: string, error: ErrorRecord, solo: boolean): void {
    this.#events.finished({
      claimed,
      worker,
      outcome: "released",
      text: JSON.stringify(error),
      started: null,
      finished: this.#clock.now(),
      progress: null,
      solo,
    });
  }

  /** It never reached a slot. */
  unstarted(claimed: Claimed, reason: AbortReason): void {
    const outcome = OUTCOME_OF[reason];
    if (outcome === "cancelled") this.totals.cancelled++;
    const text = outcome === "released" ? null : JSON.stringify(abortError(reason, claimed.timeout));
    this.#events.finished({
      claimed,
      worker: null,
      outcome,
      text,
      started: null,
      finished: this.#clock.now(),
      progress: null,
    });
  }

  /** It takes long: the mean must not learn that from its end only, while what comes next is taken for tiny. */
  late(running: Running, now: number): void {
    if (running.late) return;
    running.late = true;
    this.#learnMs(now - running.since);
  }

  #learnMs(ms: number): void {
    this.meanMs = this.meanMs === null ? ms : this.meanMs * 0.9 + ms * 0.1;
  }

  #book(slot: Slot, started: number, finished: number): void {
    const ms = Math.max(0, finished - started);
    this.#learnMs(ms);
    this.busyMs += ms;
    this.totals.finished++;
    if (slot.running?.aborted === "CancelledError") this.totals.cancelled++;
    slot.running = null;
    slot.finished++;
    slot.idleSince = this.#clock.monotonic();
  }
}
