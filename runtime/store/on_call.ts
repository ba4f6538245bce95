/**
 * Nodes that have nothing to do, to which envelopes are handed over; a part of the store.
 *
 * @module
 */

/** A node that has nothing to do. */
export interface Idler {
  node: string;
  instance: string;
  queues: readonly string[];
  /** Where it hears of what it is given; nobody else knows it. */
  channel: string;
}

/** What became of its saying so. */
export interface Called {
  /** Whether it may be handed something. */
  can: boolean;
  /** Envelopes that were handed to it so far; null where nobody counts. */
  handed: number | null;
}

/** What the table says of a node. */
export interface CallState {
  /** The next envelope may be handed to it. */
  free: boolean;
  /** Envelopes that were. */
  handed: number;
}

/** What a node says of itself. */
export interface OnCallStore {
  /** The next envelope that is published alone may be handed to it. */
  onCall(idler: Idler): Promise<Called>;
  /** Nothing more is handed to it, once this has returned. */
  offCall(instance: string): Promise<void>;
}
