/**
 * The port of a source: where events wait, and how some of them are held while they are written. Whatever is held and not
 * done when its holder dies is there again for the others.
 *
 * @module
 */

/** Run a statement. One that is refused has changed nothing, and others of the same claim may still be run. */
// deno-lint-ignore no-explicit-any
export type Run = (text: string, params?: (string | number | boolean | null)[]) => Promise<any[]>;

/** Events that nobody else gets meanwhile. */
export interface Claim {
  /** A line of JSON each. */
  readonly texts: readonly string[];
  /** Whether it outlasts an outage of the database, and may be written later. */
  readonly lasting: boolean;
  /** Runs statements where they belong: with the database's queue, in the transaction that holds it. */
  readonly run: Run;
  /** They are written: forget them. May be called again after it failed. */
  done(): Promise<void>;
  /** They are not: let others have them. */
  release(): Promise<void>;
}

/** The port. */
export interface Source {
  readonly kind: "redis" | "postgres";
  /**
   * Hold up to {@link BATCH} events: those that come within {@link LINGER_MS} of the first, fewer when one of them wants
   * no waiting. Undefined when none came for a while, or the signal aborted.
   */
  take(signal: AbortSignal): Promise<Claim | undefined>;
  /** Take back what dead receivers held, and say that this one lives; returns how many events that were. */
  tend(): Promise<number>;
  /** How many wait. */
  size(): Promise<number>;
  /** Let go of everything; what is still held is for others. */
  close(): Promise<void>;
}

/** Events of a batch at most. */
export const BATCH = 1_000;
/** Bytes of their texts at most, unless one alone has more: what a worker holds in memory. */
export const BATCH_BYTES = 8 * 1024 * 1024;
/** How long a batch that is not full waits for more. */
export const LINGER_MS = 500;
/** Seconds after which a look for events ends that finds none. */
export const IDLE_SECONDS = 5;
