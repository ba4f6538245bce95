/**
 * Which rows the indexes of the hot table hold (0019_held.sql). A claim changes none of their conditions, so that it writes
 * no index; the state that a row has is asked besides.
 *
 * @module
 */

const of = (row: string) => row && `${row}.`;

/** What may run, or began to a moment ago, and asks for no resources. Index: envelope_claim. */
export const ready = (row = ""): string =>
  `${of(row)}due_at is null and not ${of(row)}blocked and ${of(row)}demand is null and not ${of(row)}aside`;

/** The same that asks for resources. Index: envelope_asking. */
export const asks = (row = ""): string =>
  `${of(row)}demand is not null and ${of(row)}due_at is null and not ${of(row)}blocked and not ${
    of(row)
  }aside`;

/** What waits for its time, or for another to end. Index: envelope_due. */
export const LATER = "(due_at is not null or blocked)";

/** What runs, and what has ended a moment ago: the state is asked besides. Index: primary key. */
export const held = (row = "", which = "true"): string =>
  `${of(row)}uuid = any(array(select unnest(h.uuids) from dispatcher.held h where ${which}))`;
