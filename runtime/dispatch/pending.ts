/**
 * What has ended and is not settled yet, by number and by size: a statement settles a thousand outcomes or 16 MiB of what they
 * say, whichever comes first, since it is one text of at most 512 MB here and three times that in the server.
 *
 * | when so much waits | then |
 * |---|---|
 * | 2,000 outcomes, or 64 MiB | nothing is claimed |
 * | 64 MiB | nothing that was claimed begins: large results of tiny tasks come faster than they can be written |
 *
 * @module
 */
import { BATCH_BYTES, batchOf } from "../batch.ts";
import type { Settlement } from "../store/store.ts";
import { WORTHWHILE } from "./gathering.ts";

/** Of one statement. */
const BATCH = 1_000;
/** That wait; from there on there are too many. */
const MOST = 2 * BATCH;
const MOST_BYTES = 4 * BATCH_BYTES;

/** The outcomes of one node. */
export class Pending {
  #list: Settlement[] = [];
  #bytes = 0;
  #urgent = 0;

  /** One more. */
  push(settlement: Settlement): void {
    this.#list.push(settlement);
    this.#count(settlement, 1);
  }

  /** They were not settled after all: they are the first again. */
  putBack(settlements: readonly Settlement[]): void {
    this.#list.unshift(...settlements);
    for (const one of settlements) this.#count(one, 1);
  }

  /** Take what one statement settles. */
  take(): Settlement[] {
    // Most are small: then nobody counts.
    const bounded = this.#bytes > BATCH_BYTES ? sizeOf : undefined;
    const taken = this.#list.splice(0, batchOf(this.#list, BATCH, bounded));
    for (const one of taken) this.#count(one, -1);
    return taken;
  }

  /** They are no longer ours. */
  clear(): void {
    this.#list = [];
    this.#bytes = 0;
    this.#urgent = 0;
  }

  #count(one: Settlement, sign: 1 | -1): void {
    this.#bytes += sign * sizeOf(one);
    if (isUrgent(one)) this.#urgent += sign;
  }

  all(): readonly Settlement[] {
    return this.#list;
  }

  get length(): number {
    return this.#list.length;
  }

  /** Whether somebody waits for one of them: its publisher asked to be told, or another envelope, or another node, is next. */
  get areUrgent(): boolean {
    return this.#urgent > 0;
  }

  /** Whether they are worth a statement. */
  get areWorthwhile(): boolean {
    return this.length >= WORTHWHILE || this.#bytes >= BATCH_BYTES;
  }

  /** Whether there are too many for more to be claimed. */
  get areMany(): boolean {
    return this.length >= MOST || this.areLarge;
  }

  /** Whether they are too large for more to begin. */
  get areLarge(): boolean {
    return this.#bytes >= MOST_BYTES;
  }
}

function isUrgent({ watch, keyed, outcome }: Settlement): boolean {
  return watch || keyed || outcome === "released";
}

function sizeOf({ result, error, record, progress }: Settlement): number {
  return (result?.length ?? 0) + (error?.length ?? 0) + (record?.length ?? 0) + (progress?.length ?? 0);
}
