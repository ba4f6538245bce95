/**
 * What a task throws to decide for itself what becomes of its envelope. This file is loaded by every worker, so it
 * imports nothing.
 *
 * @module
 */

/** Known by this brand and not by `instanceof`: one made through another copy of this file counts. */
export const VERDICT_BRAND: unique symbol = Symbol.for("edge-dispatcher.verdict") as never;

/** A verdict as it travels: only data crosses. */
export type Verdict =
  /** Try again; after so many seconds, or (null) after the usual backoff. */
  | { do: "retry"; delay: number | null; charge: boolean }
  | { do: "discard" };

/** When to try again, and whether it counts. */
export interface RetryOptions {
  /** Seconds to wait, as they are; by default what the backoff of the task says. */
  delay?: number;
  /** The time before which it must not run, instead of a delay. */
  at?: Date;
  /**
   * False: the attempt does not count, however often this happens. It needs a delay then, or a time, so that it cannot
   * go round without a pause.
   */
  charge?: boolean;
  /** The error behind it. */
  cause?: unknown;
}

/** A hundred years, the longest that PostgreSQL is asked to add to its clock. */
const MOST_SECONDS = 3_155_760_000;

/**
 * Throw it to have the envelope tried again. It counts as an attempt unless told otherwise.
 *
 * @throws {TypeError} for a delay that is no number of seconds, a time that is none, and `charge: false` without either.
 *
 * @example
 * ```ts
 * import { Retry } from "edge-dispatcher";
 *
 * const later = new Retry("the service is busy", { delay: 30 });
 * later.message; // "the service is busy"
 * ```
 */
export class Retry extends Error {
  override name = "Retry";
  readonly [VERDICT_BRAND]: () => Verdict;

  constructor(reason?: string, options?: RetryOptions);
  constructor(options?: RetryOptions);
  constructor(given: string | RetryOptions = {}, more: RetryOptions = {}) {
    const { delay, at, charge = true, cause } = typeof given === "string" ? more : given;
    const reason = typeof given === "string" ? given : "The task asked to be tried again";
    super(reason, cause === undefined ? undefined : { cause });
    if (delay !== undefined && !isSeconds(delay)) {
      throw new TypeError(`Cannot retry after a delay of ${delay}: give seconds from 0 to a hundred years`);
    }
    if (at !== undefined && Number.isNaN(at.getTime())) throw new TypeError(`Cannot retry at ${at}`);
    if (!charge && at === undefined && !(delay! > 0)) {
      throw new TypeError(`Cannot retry without charge after a delay of ${delay ?? 0}: give more than 0`);
    }
    // Seconds from when it is thrown; one made long before knows the time all the same.
    const left = () => Math.min(MOST_SECONDS, Math.max(0, (at!.getTime() - Date.now()) / 1000));
    this[VERDICT_BRAND] = () => ({ do: "retry", delay: at ? left() : delay ?? null, charge });
  }
}

/**
 * Throw it to give the envelope up: it is discarded at once, with the reason as its error, whatever attempts are left.
 *
 * @example
 * ```ts
 * import { Discard } from "edge-dispatcher";
 *
 * const over = new Discard("the account is closed");
 * over.message; // "the account is closed"
 * ```
 */
export class Discard extends Error {
  override name = "Discard";
  readonly [VERDICT_BRAND]: () => Verdict;

  constructor(reason = "The task gave up", options?: { cause?: unknown }) {
    super(reason, options);
    this[VERDICT_BRAND] = () => ({ do: "discard" });
  }
}

/** Whether a value is a delay. */
export function isSeconds(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= MOST_SECONDS;
}

/** The verdict of what was thrown, or undefined when it is an ordinary error. */
export function verdictOf(thrown: unknown): Verdict | undefined {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  return (thrown as { [VERDICT_BRAND]?: () => Verdict })[VERDICT_BRAND]?.();
}
