/**
 * The rollup's part of the store's port: what nodes did by the minute, for charts.
 *
 * @module
 */

/** What a node did in a while, in one queue or (null) as a whole. */
export interface RollupRow {
  queue: string | null;
  /** Seconds since the middle of that while: the database's clock says which minute it was. */
  age: number;
  published: number;
  claimed: number;
  completed: number;
  retry: number;
  cancelled: number;
  discarded: number;
  released: number;
  /** Counts by bucket, see sketch.ts; null for none. */
  wait: number[] | null;
  duration: number[] | null;
  /** Slots times seconds; null in the row of a queue. */
  busy_seconds: number | null;
  slot_seconds: number | null;
}

/** What to sum up. */
export interface RollupAsk {
  /** From so long ago. */
  seconds: number;
  /** Seconds of one point. */
  step: number;
  queue?: string;
}

/** One point: sums over nodes and queues, and over the minutes in it. */
export interface RollupPoint {
  /** Seconds since 1970 at which it begins; null in the one row that is there for the sake of `now`. */
  at: number | null;
  /** The database's clock. */
  now: number;
  published: number | null;
  claimed: number | null;
  completed: number | null;
  retry: number | null;
  cancelled: number | null;
  discarded: number | null;
  released: number | null;
  busy_seconds: number | null;
  slot_seconds: number | null;
  /** Counts by the number of their bucket. */
  wait: Record<string, number> | null;
  duration: Record<string, number> | null;
  /** Sums over the minutes that had any. */
  scheduled: number | null;
  available: number | null;
  running: number | null;
  retryable: number | null;
  oldest_seconds: number | null;
}

/** The port. */
export interface RollupStore {
  /** Add what a node did. */
  write(node: string, rows: RollupRow[]): Promise<void>;
  /** Add what stands in the queues now; nothing when nothing does. @param age Seconds since the minute's middle. */
  writeStates(age: number): Promise<void>;
  /** The points that have anything, in their order, and one without a time. */
  read(ask: RollupAsk): Promise<RollupPoint[]>;
  /** Forget what is older. */
  prune(days: number): Promise<void>;
}
