/**
 * What can be done to envelopes: in which states it does something, and how it says that it did.
 *
 * @module
 */
import { LIVE_STATES, type State } from "./state.ts";

/** Something that can be done to envelopes. */
export interface ActRule {
  /** States in which it does something. */
  states: readonly State[];
  /** States that a filter without any means. */
  usual: readonly State[];
  /** Words of the store for what it changed. */
  changes: readonly string[];
}

export const CANCEL: ActRule = {
  states: LIVE_STATES,
  usual: LIVE_STATES,
  changes: ["cancelled", "requested"],
};

export const DISCARD: ActRule = {
  states: LIVE_STATES,
  usual: LIVE_STATES,
  changes: ["discarded", "requested"],
};

export const RETRY: ActRule = {
  states: ["discarded", "cancelled", "retryable", "scheduled"],
  // What somebody cancelled, and what is to run later, was meant so: it must be asked for.
  usual: ["discarded"],
  changes: ["retried", "blocked"],
};
