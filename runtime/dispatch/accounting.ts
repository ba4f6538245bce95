/**
 * What came of a batch of settlements: who must hear of it, and what was stale.
 *
 * @module
 */
import type { Events } from "../events.ts";
import type { Settlement } from "../store/store.ts";
import { sayStale } from "./stale.ts";

/** What came of a batch. */
export interface Account {
  settled: number;
  stale: number;
  /** Uuids whose publishers wait. */
  watched: string[];
  /** Some are available again at once. */
  released: boolean;
  /** Some are due later, or let go what stands behind them: the stager's business. */
  restage: boolean;
}

/** What hears of it. */
export interface AccountParts {
  events: Events;
  queues: string[];
  /** Uuids whose publishers wait, queues that have work again, and whether the stager has. */
  settled(watched: string[], released: string[], restage: boolean): void;
}

/** Tell whoever must hear of a batch, and count it; whether some are available again. */
export function account(
  { events, queues, settled: tell }: AccountParts,
  totals: { settled: number; stale: number },
  settlements: Settlement[],
  settled: ReadonlySet<string>,
): boolean {
  const { watched, released, restage, ...counts } = accountFor(settlements, settled, events);
  totals.settled += counts.settled;
  totals.stale += counts.stale;
  if (watched.length > 0 || released || restage) tell(watched, released ? queues : [], restage);
  return released;
}

/** Tell what was settled from what was not; what was stale is said. */
export function accountFor(
  settlements: Settlement[],
  settled: ReadonlySet<string>,
  events: Events,
): Account {
  const account: Account = { settled: 0, stale: 0, watched: [], released: false, restage: false };
  if (settlements.length === 0) return account;
  account.stale = sayStale(events, settlements.filter((s) => !settled.has(s.uuid) && !s.doubtful));
  for (const s of settlements) {
    if (!settled.has(s.uuid)) {
      // It has settled itself, or is another node's: who waits looks again, once more.
      if (s.doubtful && s.watch) account.watched.push(s.uuid);
      if (s.doubtful && s.keyed) account.restage = true;
      continue;
    }
    account.settled++;
    if (s.outcome === "released" && s.delay === null) account.released = true;
    if (s.delay !== null || s.keyed) account.restage = true;
  }
  return account;
}
