/**
 * The states of an envelope and the outcomes of an attempt.
 *
 * ```text
 *  publish ──► scheduled ──stage──► available ──claim──► running ──complete──► completed
 *     └───────────────────────────►    ▲  ▲                │ ├────cancel────► cancelled
 *                                      │  └────release─────┤ └────discard───► discarded
 *                                    stage                 │
 *                                      └── retryable ◄─────┘ retry
 * ```
 * What asks for resources is `asking` in the table where it is available to whoever looks (0012_resources.sql).
 * Final states leave the hot table for the archive; a retry of a final one makes it available again.
 *
 * @module
 */

/** States of a row in the hot table. */
export const LIVE_STATES = ["scheduled", "available", "running", "retryable"] as const;
/** States of a row in the archive. */
export const FINAL_STATES = ["completed", "cancelled", "discarded"] as const;

export type LiveState = (typeof LIVE_STATES)[number];
export type FinalState = (typeof FINAL_STATES)[number];
export type State = LiveState | FinalState;
export const STATES: readonly State[] = [...LIVE_STATES, ...FINAL_STATES];

/**
 * The verdict on an attempt. `released` gives the attempt back: nobody is charged for a shutdown, an outage or
 * a neighbour's crash.
 */
export type Outcome = FinalState | "retry" | "released";

/** Where an outcome takes the envelope. */
export const STATE_AFTER: Readonly<Record<Outcome, State>> = {
  completed: "completed",
  cancelled: "cancelled",
  discarded: "discarded",
  retry: "retryable",
  released: "available",
};

export function isFinal(state: string): state is FinalState {
  return (FINAL_STATES as readonly string[]).includes(state);
}
