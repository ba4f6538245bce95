/**
 * Nodes that have nothing to do, to which envelopes are handed over; a part of the store.
 *
 * @module
 */

/** A node that has nothing to do. */
export interface OnCall {
  node: string;
  instance: string;
  queues: readonly string[];
  /** Where it hears of what it is given; nobody else knows it. */
  channel: string;
}

/** What a node says of itself. */
export interface OnCallStore {
  /** The next envelope that is published alone may be handed to it; false where that cannot be now. */
  onCall(call: OnCall): Promise<boolean>;
  /** Nothing more is handed to it, once this has returned. */
  offCall(instance: string): Promise<void>;
}
