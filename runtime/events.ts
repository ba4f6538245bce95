/**
 * The one bus: what happens in a node is said here once; the log, metrics and traces subscribe.
 *
 * @module
 */
import type { Outcome } from "./state.ts";

/** Severity, as in every log. */
export const LEVELS = ["debug", "info", "warning", "error"] as const;
export type Level = (typeof LEVELS)[number];

/** Something that happened. `text` is for people, the fields are for programs; neither holds args or secrets. */
export interface DispatcherEvent {
  level: Level;
  /** A stable name, such as `host.died`. */
  name: string;
  text: string;
  fields?: Record<string, unknown>;
}

/** An envelope that this node has claimed, without its arguments. */
export interface ClaimEvent {
  uuid: string;
  /** The broadcast it is this node's copy of. */
  origin: string | null;
  task: string;
  queue: string;
  attempt: number;
  /** Counts the claims of this envelope, the ones that were not charged too. */
  fence: number;
  /** JSON text of what else the message said: guid, traceparent. */
  options: string;
  /** Milliseconds since 1970. */
  at: number;
}

/** An attempt that has ended. `at` is when. */
export interface AttemptEvent extends ClaimEvent {
  /** What becomes of the envelope. */
  outcome: Outcome;
  /** Host process and slot; null when it never reached one. */
  worker: string | null;
  /** Milliseconds since 1970; null when it never started. */
  started: number | null;
  /** JSON text of an ErrorRecord, when it did not complete; null otherwise. */
  error: string | null;
}

/** A statement that has settled attempts, or has tried to. */
export interface SettleEvent {
  /** Milliseconds since 1970 at which it was sent, and answered. */
  started: number;
  at: number;
  /** Uuids; what was asked for and is missing here was stale. */
  settled: ReadonlySet<string>;
}

/** A stream of one kind of event. A subscriber that throws does not disturb the others, nor the one who speaks. */
export class Topic<T> {
  readonly #subscribers = new Set<(event: T) => void>();

  /** Subscribe; the returned function ends it. */
  on(subscriber: (event: T) => void): () => void {
    this.#subscribers.add(subscriber);
    return () => void this.#subscribers.delete(subscriber);
  }

  /** Whether anybody listens: what nobody hears need not be made. */
  get wanted(): boolean {
    return this.#subscribers.size > 0;
  }

  emit(event: T): void {
    for (const subscriber of this.#subscribers) {
      try {
        subscriber(event);
      } catch (error) {
        console.error("A subscriber of the event bus failed", error);
      }
    }
  }
}

/** The bus. */
export class Events {
  readonly #said = new Topic<DispatcherEvent>();
  /** Thousands a second: whoever emits asks first whether they are wanted. */
  readonly claims: Topic<ClaimEvent> = new Topic();
  readonly attempts: Topic<AttemptEvent> = new Topic();
  /** One a statement. */
  readonly settles: Topic<SettleEvent> = new Topic();

  /** Subscribe to what the log has; the returned function ends it. */
  on(subscriber: (event: DispatcherEvent) => void): () => void {
    return this.#said.on(subscriber);
  }

  emit(level: Level, name: string, text: string, fields?: Record<string, unknown>): void {
    this.#said.emit({ level, name, text, fields });
  }
}
