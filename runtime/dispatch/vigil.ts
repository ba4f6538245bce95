/**
 * A node that is woken often looks by itself instead. It says so for a second at a time, and as long as all nodes that serve
 * a queue do, publishers wake nobody (0023_vigil.sql).
 *
 * ```text
 *  woken ──500 times a second──► vigil: look every 5 ms, each of several nodes every 20 or 30, seldom where looks take long
 *                                  │  every half second: is as much published as before, and found two at a time?
 *                                  │     yes ─► say so for another second
 *                                  └─ no: look until the last second is over, once more ──► woken
 * ```
 *
 * | what can fail | what happens |
 * |---|---|
 * | the word is not answered | it counts as said from when that is known, and until then looking goes on |
 * | it was said, and the node stops to claim, or dies | whoever published meanwhile wakes once more when that second is over |
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Events } from "../events.ts";
import type { Store } from "../store/store.ts";

/** What a vigil is kept with. */
export interface VigilParts {
  clock: Clock;
  events: Events;
  store: Pick<Store, "keepVigil">;
}

/** What it asks of its dispatcher. */
export interface VigilCalls {
  /** Claim what there is room for. */
  look(): void;
  instance(): string;
  /** Nodes that serve the same queues, this one among them. */
  sharing(): number;
}

/** So many wakes within so many milliseconds are too many. */
const OFTEN = { wakes: 100, ms: 200 };
/**
 * From one look to the next: of a node that is alone, and for each of several, which would all be woken for what one of them
 * finds. Of three with 5 ms each publishers lose twice as much to looks as with 10.
 */
const LOOK_MS = { alone: 5, each: 10, several: 30, most: 60 };
/**
 * Where processors are short a look takes long, and what it takes is the publishers'. So the looks of several nodes together
 * take a fifth of the time, unless each of them finds so many that there is no more to be saved. Not so of one that is alone:
 * 24 callers that wait for their results had 0.77 of their rate.
 */
const BUSY = { times: 5, finds: 48 };
/** A word holds for a second (`KEEP_VIGIL`) and is said again every half. */
const WORD_MS = 1_000;
const RENEW_MS = 500;
/** Envelopes that a look finds, on the average, where looking is worth it. */
const WORTH = 2;
/**
 * Publishers that wait for their results publish the less, the longer they wait for looks. When less than this part is
 * published of what was before, there is no vigil for a while.
 */
const SLOWER = 0.7;
/** In so many measurements, one behind the other: a machine that does something else makes one of them slow, too. */
const SLOW_IN = 2;
const REST_MS = { first: 30_000, most: 600_000 };

/** The vigil of one dispatcher. */
export class Vigil {
  readonly #parts: VigilParts;
  readonly #calls: VigilCalls;
  #isKept = false;
  #stop = new AbortController();
  // Wakes since then.
  #wakes = 0;
  #since = -Infinity;
  // Published ever, before those wakes, and in a millisecond.
  #published = 0;
  #before = 0;
  #rate = 0;
  // Milliseconds that a look takes, on the average of the last few.
  #took = 0;
  // Since the last word.
  #looks = 0;
  #found = 0;
  // Measurements that said that publishers are slower, one behind the other.
  #slow = 0;
  // None is begun before that, since the last one made publishers slower; and for how long the next time.
  #notBefore = -Infinity;
  #rest = REST_MS.first;
  // Words under way, and until when the last one holds.
  #words = 0;
  #until = -Infinity;

  constructor(parts: VigilParts, calls: VigilCalls) {
    this.#parts = parts;
    this.#calls = calls;
  }

  /** Whether it is kept: what is published is found without a word. */
  get isKept(): boolean {
    return this.#isKept;
  }

  /** Milliseconds from one look to the next. */
  get pause(): number {
    const nodes = this.#calls.sharing();
    if (nodes < 2) return LOOK_MS.alone;
    const busy = nodes * Math.min(BUSY.times * this.#took, BUSY.finds / this.#rate);
    return Math.min(LOOK_MS.most, Math.max(busy, Math.min(LOOK_MS.several, nodes * LOOK_MS.each)));
  }

  /** Milliseconds that outcomes may wait for the next look to go along with; 0: no longer than without a vigil. */
  gather({ areUrgent }: { areUrgent: boolean }): number {
    return areUrgent ? 0 : this.pause;
  }

  /** Somebody has published; whether a look will come by itself. */
  woken(): boolean {
    if (this.#isKept || this.#stop.signal.aborted) return this.#isKept;
    const now = this.#parts.clock.monotonic();
    if (now < this.#notBefore) return false;
    if (now - this.#since > OFTEN.ms) [this.#since, this.#wakes, this.#before] = [now, 0, this.#published];
    const ms = Math.max(1, now - this.#since);
    if (++this.#wakes >= OFTEN.wakes) void this.#keep((this.#published - this.#before) / ms);
    return this.#isKept;
  }

  /** So many were claimed. */
  claimed(count: number): void {
    this.#found += count;
  }

  /** A look that began then, in monotonic milliseconds, is over; so many had been published ever. */
  looked(begun: number, last: number): void {
    this.#took += (this.#parts.clock.monotonic() - begun - this.#took) / 8;
    // Until the first is over nobody knows how many there were before.
    if (this.#published === 0) this.#before = last;
    this.#published = last;
  }

  /** Nothing more is claimed. */
  stop(): void {
    this.#stop.abort();
  }

  /** Claims go on; what was said before may hold still. */
  resume(): void {
    const { clock } = this.#parts;
    this.#stop = new AbortController();
    const left = this.#until - clock.monotonic();
    if (left > 0) void clock.sleep(left, this.#stop.signal).then(() => this.#calls.look());
  }

  /** @param usual Envelopes that were published in a millisecond while they woke this node. */
  async #keep(usual: number): Promise<void> {
    const { clock, events } = this.#parts;
    const { signal } = this.#stop;
    this.#isKept = true;
    [this.#rate, this.#slow] = [usual, 0];
    const pause = Math.round(this.pause);
    events.emit("debug", "vigil.began", `Looks by itself every ${pause} ms, since it is woken often`);
    this.#say();
    let why = "nothing more is claimed";
    let [askedAt, askAt, published] = [clock.monotonic(), clock.monotonic() + RENEW_MS, this.#published];
    while (!signal.aborted) {
      await clock.sleep(this.pause, signal);
      const now = clock.monotonic();
      this.#looks++;
      this.#calls.look();
      // That was one behind the last word.
      if (this.#words === 0 && now >= this.#until) break;
      if (now < askAt) continue;
      this.#rate = (this.#published - published) / (now - askedAt);
      const against = this.#against(usual);
      const goesOn = against === undefined;
      if (goesOn) this.#say();
      else why = against;
      [askedAt, askAt, published] = [now, goesOn ? now + RENEW_MS : Infinity, this.#published];
    }
    this.#isKept = false;
    this.#since = -Infinity;
    events.emit("debug", "vigil.ended", `Is woken again: ${why}`);
  }

  /** What speaks against going on: that looks find too little, or that less is published than before. */
  #against(usual: number): string | undefined {
    if (this.#found < WORTH * this.#looks) {
      this.#rest = REST_MS.first;
      return "looks find little";
    }
    this.#slow = this.#rate < SLOWER * usual ? this.#slow + 1 : 0;
    if (this.#slow < SLOW_IN) return;
    const rest = this.#rest;
    this.#notBefore = this.#parts.clock.monotonic() + rest;
    this.#rest = Math.min(REST_MS.most, 2 * rest);
    return `less is published meanwhile; no vigil for ${rest / 1_000} s`;
  }

  #say(): void {
    this.#looks = this.#found = 0;
    this.#words++;
    // It may have been heard although it was not answered.
    void this.#parts.store.keepVigil(this.#calls.instance()).catch(() => {}).then(() => {
      this.#words--;
      this.#until = this.#parts.clock.monotonic() + WORD_MS;
    });
  }
}
