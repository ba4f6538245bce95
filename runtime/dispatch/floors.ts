/**
 * Where claims begin to look.
 *
 * A claim walks an index in order and takes the first rows that are free. PostgreSQL keeps there what was claimed and settled
 * until VACUUM comes, and while an old transaction is open it keeps it in the table, too: every walk from the beginning passes
 * over all of it. At 12,000 envelopes/s a claim took twice as long after a minute, beside an old transaction a hundred times.
 * So a node remembers how far its claims have come, by queue and priority, and begins there once there is much to pass over.
 *
 * ```text
 *  from the beginning ──much was published in the last minute, or it took long──► from the floors
 *          ▲                                                                            │
 *          └──── for twenty times as long as that look took: 100 ms at most, where it was slow 10 s
 * ```
 *
 * | what lies before a floor | is found |
 * |---|---|
 * | this node has made it available: given back, due, the next of its key, rescued | at once |
 * | another node has, or it was committed a second late, or its queue was paused | by the next look from the beginning |
 * | there is more of it than that look may take | by looks from the beginning, until one finds no more |
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Claimed, Floor } from "../store/store.ts";

/**
 * A claim from the beginning is slow when it takes so many milliseconds, and one more for so many characters that it brings;
 * and twice as long as one from the floors.
 */
const SLOW_MS = 30;
const PER_MS = 20_000;
const SHARE = 20;
/** As long as looks from the beginning are fast, what lies before the floors waits no longer than this. */
const BRIEF_MS = 100;
/** So much was published within a minute or two: a walk over it takes 0.3 ms. VACUUM comes once a minute by default. */
const MUCH = 100_000;
const MINUTE_MS = 60_000;
/** A claim may also have taken long for an outage, or because the node was stopped: no longer than this, in any case. */
const BLIND_MS = 10_000;
/** What was drawn before and is committed later than this, in milliseconds, waits for a look from the beginning. */
const LAG_MS = 1_000;
/** Priorities of a queue that are remembered at most. */
const PRIORITIES = 16;

/** A claim on its way. */
export interface Look {
  /** Empty: from the beginning. */
  floors: Floor[];
  begun: number;
}

/** Whether it passes over anything: floors of 0 are where everything begins. */
function isPartial({ floors }: Look): boolean {
  return floors.some(({ id }) => id > 0);
}

/** What came of a claim. */
export interface Found {
  /** Whether there was nothing more to find. */
  all: boolean;
  /** The last of what was claimed, by queue and priority. */
  reached: Floor[];
  /** The last number that was drawn when the claim looked. */
  last: number;
  /** What it brought, which takes its time, too. */
  claimed: readonly Pick<Claimed, "args" | "kwargs">[];
}

interface Mark {
  queue: string;
  priority: number;
  /** Where claims begin. */
  floor: number;
  /** Where they will, when a later claim has seen what was on its way meanwhile. */
  next: number;
  nextAt: number;
}

/** The floors of one node. */
export class ClaimFloors {
  readonly #clock: Clock;
  readonly #marks = new Map<string, Mark>();
  #from = 0;
  #slow = false;
  #asked = false;
  // When the last claim from the floors began that found all, if none from the beginning has begun since.
  #oweSince = -Infinity;
  // The last number that was drawn, now and a minute or two ago.
  #drawn = 0;
  #before: { last: number; at: number }[] = [];
  // Milliseconds that claims from the floors take, on the average of the last few.
  #usual = 0;

  constructor(clock: Clock, queues: readonly string[]) {
    this.#clock = clock;
    for (const queue of queues) this.#mark({ queue, priority: 0, id: 0 });
  }

  /** Begin a claim. */
  look(): Look {
    const begun = this.#clock.monotonic();
    const isAsked = this.#asked && !this.#slow;
    if (begun < this.#from && !isAsked) return { floors: this.#floors(), begun };
    this.#asked = false;
    // One at a time.
    if (this.#from > 0) this.#from = Infinity;
    return { floors: [], begun };
  }

  /** Something that was there before has become available: the next claim looks for it, unless that is slow. */
  ask(): void {
    this.#asked = true;
  }

  /** Whether a look from the beginning is owed, since what lies before the floors may be all there is. */
  get owe(): boolean {
    return this.#oweSince > -Infinity;
  }

  /** Milliseconds in which to pay that, if no claim has done so by then. */
  get sweepIn(): number {
    return Math.max(BRIEF_MS, this.patience + 1);
  }

  /** In how many milliseconds a claim will look from the beginning; 0: each does. */
  get patience(): number {
    return Number.isFinite(this.#from) ? Math.max(0, this.#from - this.#clock.monotonic()) : BRIEF_MS;
  }

  /** For how many milliseconds nobody should look from the beginning, since that is slow. */
  get slowFor(): number {
    return this.#slow ? this.patience : 0;
  }

  /** These go back to where they were, at once: claims begin no later than there. */
  lower(returned: readonly Floor[]): void {
    for (const floor of returned) {
      const mark = this.#mark(floor);
      mark.floor = Math.min(mark.floor, floor.id - 1);
      mark.next = Math.min(mark.next, floor.id - 1);
    }
  }

  /** A claim has ended; null: without an answer. */
  done(look: Look, found: Found | null): void {
    const now = this.#clock.monotonic();
    const took = now - look.begun;
    if (look.floors.length > 0) this.#usual += (took - this.#usual) / 8;
    else this.#full(look, found, now);
    if (!found) return;
    if (isPartial(look) && found.all) this.#oweSince = Math.max(this.#oweSince, look.begun);
    else if (!isPartial(look) && look.begun > this.#oweSince) this.#oweSince = -Infinity;
    this.#rise(look.begun, now, found);
    this.#count(now, found.last);
  }

  /** One from the beginning has ended: when is the next? */
  #full({ begun }: Look, found: Found | null, now: number): void {
    const took = now - begun;
    this.#slow = found !== null && took > SLOW_MS && took > 2 * this.#usual &&
      took > SLOW_MS + lengthOf(found) / PER_MS;
    const below = found && !found.all ? found.reached.filter((one) => one.id < this.#mark(one).floor) : [];
    // There may be more of that. A slow look is not repeated for it: claims begin there.
    if (this.#slow) this.lower(below);
    const isFast = !this.#slow && (below.length > 0 || !this.#isMuch);
    this.#from = !found || isFast ? 0 : now + Math.min(SHARE * took, this.#slow ? BLIND_MS : BRIEF_MS);
  }

  /** Whether claims from the beginning have much to pass over. */
  get #isMuch(): boolean {
    return this.#before.length > 0 && this.#drawn - this.#before[0].last >= MUCH;
  }

  #count(now: number, last: number): void {
    this.#drawn = Math.max(this.#drawn, last);
    if (now - (this.#before.at(-1)?.at ?? -Infinity) < MINUTE_MS) return;
    this.#before = [...this.#before.slice(-1), { last, at: now }];
  }

  #rise(begun: number, now: number, { all, reached, last }: Found): void {
    const ends = new Map(reached.map((floor) => [this.#mark(floor), floor.id]));
    for (const mark of this.#marks.values()) {
      // What is claimed last may not be all of what comes before it in another queue.
      const end = all ? last : ends.get(mark);
      if (end === undefined) continue;
      if (begun >= mark.nextAt + LAG_MS) {
        mark.floor = Math.max(mark.floor, Math.min(mark.next, end));
        Object.assign(mark, { next: end, nextAt: now });
      }
    }
  }

  #floors(): Floor[] {
    return [...this.#marks.values()].map(({ queue, priority, floor }) => ({ queue, priority, id: floor }));
  }

  #mark({ queue, priority }: Floor): Mark {
    const key = `${priority} ${queue}`;
    let mark = this.#marks.get(key);
    if (!mark) {
      mark = { queue, priority, floor: 0, next: 0, nextAt: -Infinity };
      const known = [...this.#marks.values()].filter((one) => one.queue === queue).length;
      if (known < PRIORITIES) this.#marks.set(key, mark);
    }
    return mark;
  }
}

function lengthOf({ claimed }: Found): number {
  return claimed.reduce((sum, { args, kwargs }) => sum + args.length + kwargs.length, 0);
}
