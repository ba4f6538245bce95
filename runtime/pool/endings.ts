/**
 * How attempts end: every way out of a slot leads through here, once, and keeps the books.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { ErrorRecord } from "../errors.ts";
import type { Claimed } from "../store/store.ts";
import type { AbortReason, Done } from "./protocol.ts";
import { abortError, type Finished, type Slot } from "./slot.ts";

/** What an attempt that was asked to end counts as. */
const OUTCOME_OF: Record<AbortReason, Finished["outcome"]> = {
  TimeoutError: "failed",
  CancelledError: "cancelled",
  ShutdownError: "released",
};

/** The books of what has ended. */
export class Endings {
  readonly #clock: Clock;
  readonly #emit: (end: Finished) => void;
  /** Moving mean of the duration in milliseconds, null before the first. */
  meanMs: number | null = null;
  /** Milliseconds that ended attempts took; the scaler reads it and sets it back. */
  busyMs = 0;
  readonly totals: { finished: number; cancelled: number } = { finished: 0, cancelled: 0 };

  constructor(clock: Clock, emit: (end: Finished) => void) {
    this.#clock = clock;
    this.#emit = emit;
  }

  /** The worker says how it ended. */
  done(slot: Slot, done: Done, text: string): void {
    const running = slot.running;
    if (running?.claimed.uuid !== done.uuid) return;
    const { claimed, aborted, progress } = running;
    slot.heap = done.heap;
    this.#book(slot, done.started, done.finished);
    this.#emit({
      claimed,
      worker: slot.worker,
      outcome: done.ok ? "completed" : aborted ? OUTCOME_OF[aborted] : "failed",
      // What it threw when its time was up matters less than that its time was up.
      text: !done.ok && aborted ? JSON.stringify(abortError(aborted, claimed.timeout)) : text,
      started: done.started,
      finished: done.finished,
      progress,
      hopeless: done.hopeless,
      keyless: done.keyless,
      maxAttempts: done.maxAttempts,
    });
  }

  /** The worker cannot speak for itself. What was asked to end ends for that reason, whatever happened then. */
  broken(slot: Slot, outcome: Finished["outcome"], error: ErrorRecord, more: Partial<Finished> = {}): void {
    const running = slot.running;
    if (!running) return;
    const { claimed, started, progress, aborted } = running;
    const finished = this.#clock.now();
    this.#book(slot, started, finished);
    this.#emit({
      claimed,
      worker: slot.worker,
      outcome: aborted ? OUTCOME_OF[aborted] : outcome,
      text: JSON.stringify(aborted ? abortError(aborted, claimed.timeout) : error),
      started,
      finished,
      progress,
      ...more,
    });
  }

  /** It never reached a slot. */
  unstarted(claimed: Claimed, reason: AbortReason): void {
    const outcome = OUTCOME_OF[reason];
    if (outcome === "cancelled") this.totals.cancelled++;
    const text = outcome === "released" ? null : JSON.stringify(abortError(reason, claimed.timeout));
    this.#emit({
      claimed,
      worker: null,
      outcome,
      text,
      started: null,
      finished: this.#clock.now(),
      progress: null,
    });
  }

  #book(slot: Slot, started: number, finished: number): void {
    const ms = Math.max(0, finished - started);
    this.meanMs = this.meanMs === null ? ms : this.meanMs * 0.9 + ms * 0.1;
    this.busyMs += ms;
    this.totals.finished++;
    if (slot.running?.aborted === "CancelledError") this.totals.cancelled++;
    slot.running = null;
    slot.finished++;
    slot.idleSince = this.#clock.monotonic();
  }
}
