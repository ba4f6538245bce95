/**
 * What a node counts: by queue and outcome, waits and durations in buckets. The metrics, the rollup and the live rates
 * all read from here, so that each envelope is counted once, by a few additions to numbers that are there already
 * (figures: bench/observe.ts).
 *
 * @module
 */
import type { AttemptEvent, ClaimEvent, Events } from "./events.ts";
import { Recent } from "./recent.ts";
import { bucketOf, BUCKETS } from "./sketch.ts";
import type { Outcome } from "./state.ts";
import { timeOf } from "./uuid.ts";

/** Outcomes in the order in which they are counted. */
export const OUTCOMES = ["completed", "retry", "cancelled", "discarded", "released"] as const;
const PLACE: Readonly<Record<Outcome, number>> = {
  completed: 0,
  retry: 1,
  cancelled: 2,
  discarded: 3,
  released: 4,
};

/** Queues that are told apart; whoever publishes to more of them has them counted as one. */
const MOST_QUEUES = 200;
export const OTHER_QUEUES = "(other)";

/** Times, by bucket. */
export interface Times {
  readonly counts: Float64Array;
  /** Seconds. */
  sum: number;
}

/** The counts of one queue; they only grow. */
export class QueueTally {
  published = 0;
  claimed = 0;
  /** In the order of {@link OUTCOMES}. */
  readonly outcomes: Float64Array = new Float64Array(OUTCOMES.length);
  readonly wait: Times = { counts: new Float64Array(BUCKETS), sum: 0 };
  readonly duration: Times = { counts: new Float64Array(BUCKETS), sum: 0 };
  readonly recent: Recent = new Recent();
}

/** What happened to the node itself, by the name of its event in the log. */
const COUNTED_EVENTS = ["store.down", "listen.lost", "listen.down", "lease.lost"] as const;

/** Counts for one node. Subscribes to the bus when it is started. */
export class Tally {
  readonly queues: Map<string, QueueTally> = new Map();
  /** Envelopes of dead nodes that this one gave back. */
  rescued = 0;
  /** Partitions of the archive that this one dropped. */
  pruned = 0;
  /** How often the database went away, notifications were lost, the lease was lost. */
  readonly events: Map<string, number> = new Map(COUNTED_EVENTS.map((name) => [name, 0]));
  // The last queue that was asked for: as a rule the next one is the same.
  #name = "";
  #last: QueueTally | undefined;

  /** Count what is said on a bus; the returned function ends it. */
  subscribe(events: Events): () => void {
    const ends = [
      events.claims.on((event) => this.#claimed(event)),
      events.attempts.on((event) => this.#ended(event)),
      events.on(({ name, fields }) => this.#happened(name, fields)),
    ];
    return () => ends.forEach((end) => end());
  }

  /** Envelopes that this node has written, whatever for. */
  published(queue: string, count = 1): void {
    this.#of(queue).published += count;
  }

  #claimed({ queue, at }: ClaimEvent): void {
    const tally = this.#of(queue);
    tally.claimed++;
    tally.recent.claim(at);
  }

  #ended(event: AttemptEvent): void {
    const { outcome, started, at } = event;
    const tally = this.#of(event.queue);
    tally.outcomes[PLACE[outcome]]++;
    tally.recent.settle(at, outcome === "retry" || outcome === "discarded");
    if (started === null) return;
    observe(tally.duration, (at - started) / 1000);
    const due = dueOf(event);
    if (due !== null) tally.recent.wait(at, observe(tally.wait, (started - due) / 1000));
  }

  #happened(name: string, fields: Record<string, unknown> = {}): void {
    if (name === "rescued") this.rescued += Number(fields.count ?? 0);
    else if (name === "pruned") this.pruned += (fields.dropped as unknown[] | undefined)?.length ?? 0;
    const count = this.events.get(name);
    if (count !== undefined) this.events.set(name, count + 1);
  }

  #of(queue: string): QueueTally {
    if (this.#last !== undefined && this.#name === queue) return this.#last;
    let tally = this.queues.get(queue);
    if (tally === undefined) {
      const name = this.queues.size < MOST_QUEUES ? queue : OTHER_QUEUES;
      tally = this.queues.get(name) ?? new QueueTally();
      this.queues.set(name, tally);
    }
    this.#name = queue;
    return this.#last = tally;
  }
}

function observe(times: Times, given: number): number {
  // Clocks of two machines.
  const seconds = Math.max(0, given);
  const bucket = bucketOf(seconds);
  times.counts[bucket]++;
  times.sum += seconds;
  return bucket;
}

const DUE = /"due":(\d{1,15})\b/;
// What a message from elsewhere says may be anything, and a uuid that is a hash may look like one with a time.
const OLDEST_MS = 90 * 86_400_000;
const AHEAD_MS = 60_000;

/**
 * When an envelope was due, in milliseconds since 1970: what its options say, else the time in its uuid. Null where
 * nobody knows: a uuid without a time, and what was claimed before, whose wait began when it was given back.
 */
export function dueOf({ uuid, origin, options, fence, at }: ClaimEvent): number | null {
  if (fence !== 1) return null;
  const said = options.length > 2 && options.includes('"due"') ? DUE.exec(options) : null;
  const due = said ? Number(said[1]) : timeOf(origin ?? uuid);
  return due !== null && due > at - OLDEST_MS && due < at + AHEAD_MS ? due : null;
}
