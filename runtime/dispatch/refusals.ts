/**
 * Which verdict of a batch the database refuses for what is in it: the batch is settled in halves until it stands alone, and
 * then without its content, with the reason in its place.
 *
 * @module
 */
import { errorLine } from "../errors.ts";
import type { Events } from "../events.ts";
import type { Settlement } from "../store/store.ts";
import { withoutContent } from "./settler.ts";

/** What it decides with. */
export interface RefusalParts {
  /** Whether a statement was refused for the values in it. */
  isForContent(error: unknown): boolean;
  events: Events;
}

/** The refusals of one node. */
export class Refusals {
  readonly #parts: RefusalParts;
  // Verdicts whose content was refused; one that is refused again waits as in an outage.
  readonly #stripped = new WeakSet<Settlement>();

  constructor(parts: RefusalParts) {
    this.#parts = parts;
  }

  /** What to settle in place of a batch that failed: its halves, or one by itself; undefined: not its content was refused. */
  split(batch: Settlement[], error: unknown): Settlement[][] | undefined {
    if (batch.length === 0 || !this.#parts.isForContent(error)) return;
    if (batch.length === 1) return this.#strip(batch[0], error);
    const half = Math.ceil(batch.length / 2);
    return [batch.slice(0, half), batch.slice(half)];
  }

  #strip(culprit: Settlement, error: unknown): Settlement[][] | undefined {
    if (this.#stripped.has(culprit)) return;
    const why = errorLine(error);
    const text = `Outcome cannot be stored: ${why}`;
    this.#parts.events.emit("error", "settle.refused", text, { uuid: culprit.uuid });
    const stripped = withoutContent(culprit, why);
    this.#stripped.add(stripped);
    return [[stripped]];
  }
}
