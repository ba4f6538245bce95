/**
 * A node that has nothing to do is on call: whoever publishes a single envelope then hands it over, claimed for this node
 * and told to it in one commit, so that nobody has to ask for it (store/migrations/0021_on_call.sql).
 *
 * ```text
 *  off ──has nothing to do──► asking ──► on ──is handed one──► off
 *                                         └──is busy, or drains, or hears nothing──► leaving ──► off
 * ```
 *
 * | what can fail | what happens |
 * |---|---|
 * | it claims in the ordinary way | it is not on call for a while: what comes often is claimed many at a time |
 * | it does not hear, or is not sure to | it is not on call |
 * | what it was told was lost | all are numbered: the next one that it hears, a new connection or its second heartbeat finds out, and `reconcile` gives back what nobody here knows |
 * | `reconcile` gives back what it is being told of | what is told meanwhile waits for the answer; what was given back is not begun |
 * | the answer of `reconcile` is lost | what was told since is not begun, whoever may have it now: the next one gives back what is still here |
 * | what it is told cannot be read (a release that writes it otherwise) | it is given back in the same way |
 * | the database does not let it | it asks again half a minute later, and works without |
 *
 * @module
 */
import { z } from "zod";
import type { Clock } from "../clock.ts";
import type { Events } from "../events.ts";
import type { CallState, OnCallStore } from "../store/on_call.ts";
import type { Claimed } from "../store/store.ts";

/** What it works with. */
export interface OnCallParts {
  store: OnCallStore;
  clock: Clock;
  events: Events;
  node: string;
  queues: readonly string[];
  /** Where it hears. */
  channel: string;
  /** Whether what is said there comes. */
  hears(): boolean;
}

/** Whom it tells. */
export interface OnCallHearer {
  /** It may be on call again: look whether there is nothing to do. */
  again(): void;
  /** It may hold what it has not heard of. */
  doubt(): void;
}

/**
 * Rests in milliseconds: after a claim that brought something; after it was handed one, whose start comes first (two
 * processors: 2.6 ms from publish() to the task, 2.5 with this); after it was refused.
 */
const REST_MS = { busy: 25, handed: 2, refused: 30_000 };
/** Uuids that were given back and may be heard of later. */
const REMEMBERED = 1_000;

const count = z.coerce.number().int();
/** What dispatcher.hand() tells; nothing stands for null. */
const Told = z.tuple([
  z.string(),
  count,
  z.uuid(),
  z.string().min(1),
  z.string().min(1),
  z.string(),
  z.string(),
  z.string(),
  count,
  z.union([z.literal("").transform(() => null), count.positive()]),
  z.union([z.literal("").transform(() => null), z.coerce.number()]),
]);

/** Whether one node is on call, and what it hears. */
export class OnCall {
  readonly channel: string;
  readonly #parts: OnCallParts;
  #hearer!: OnCallHearer;
  // It has a connection on which it hears, or did.
  #listens = false;
  #phase: "off" | "asking" | "on" | "leaving" = "off";
  // Counts the times it went on call, and off.
  #turn = 0;
  // Envelopes that this instance was handed: the last number that it heard, and what the table said lately.
  #heard = 0;
  #counted = 0;
  #suspected = -1;
  #restUntil = -Infinity;
  #resting: AbortController | undefined;
  #asked: Promise<void> = Promise.resolve();
  #left: Promise<void> = Promise.resolve();
  #instance = "";
  // It is off, and the table may say otherwise.
  #mayBeFree = false;
  // What it hears while `reconcile` is under way; undefined otherwise.
  #kept: Claimed[] | undefined;
  // One before was not answered.
  #unsure = false;
  readonly #givenBack = new Set<string>();

  constructor(parts: OnCallParts) {
    this.#parts = parts;
    this.channel = parts.channel;
  }

  /** Say whom it tells, once. */
  bind(hearer: OnCallHearer): void {
    this.#hearer = hearer;
  }

  /** Whether it may be handed something, as far as it knows. */
  get isOn(): boolean {
    return this.#phase === "on" || this.#phase === "asking";
  }

  // ---- on and off

  /** It claims: more may follow. */
  busy(): void {
    this.#rest(REST_MS.busy);
  }

  #rest(ms: number): void {
    this.#restUntil = Math.max(this.#restUntil, this.#parts.clock.monotonic() + ms);
  }

  /** It has nothing to do; claims are slow for so many milliseconds more, and then nobody else should look either. */
  goOn(instance: string, slowFor = 0): void {
    if (this.#phase !== "off" || this.#resting || !this.#listens || !this.#parts.hears()) return;
    const rest = Math.max(slowFor, this.#restUntil - this.#parts.clock.monotonic());
    if (rest > 0) return this.#goOnIn(rest);
    this.#phase = "asking";
    this.#instance = instance;
    this.#asked = this.#ask(++this.#turn);
  }

  #goOnIn(rest: number): void {
    const resting = this.#resting = new AbortController();
    void this.#parts.clock.sleep(rest, resting.signal).then(() => {
      if (this.#resting === resting) this.#resting = undefined;
      if (!resting.signal.aborted) this.#hearer.again();
    });
  }

  async #ask(turn: number): Promise<void> {
    const { store, node, queues, channel } = this.#parts;
    const idler = { node, instance: this.#instance, queues, channel };
    const { can, handed } = await store.onCall(idler).catch(() => {
      this.#mayBeFree = true;
      return { can: false, handed: null };
    });
    // With its row the numbers begin anew.
    if (!can && handed !== null && handed > this.#heard) this.#hearer.doubt();
    if (turn !== this.#turn || this.#phase !== "asking") return;
    this.#phase = can ? "on" : "off";
    if (!can) this.#rest(REST_MS.refused);
    if (handed !== null && (!can || handed < this.#heard)) this.#heard = this.#counted = 0;
  }

  /** It has something to do, or will do nothing more; resolves when nothing more is handed to it. */
  goOff(): Promise<void> {
    this.#resting?.abort();
    this.#resting = undefined;
    if (this.#phase === "leaving" || !(this.isOn || this.#mayBeFree)) return this.#left;
    this.#phase = "leaving";
    this.#left = this.#leave();
    return this.#left;
  }

  async #leave(): Promise<void> {
    await this.#asked;
    // What is handed to it nevertheless is given back, by itself or with its lease.
    const gone = this.#parts.store.offCall(this.#instance).then(() => true, () => false);
    this.#mayBeFree = !await gone;
    if (this.#phase !== "leaving") return;
    this.#phase = "off";
    this.#hearer.again();
  }

  #off(): void {
    this.#turn++;
    if (!this.isOn) return;
    this.#phase = "off";
    this.#mayBeFree = true;
  }

  /** Another instance, to which nothing was handed yet. */
  renew(): void {
    this.#off();
    this.#kept = undefined;
    this.#heard = this.#counted = 0;
  }

  /** It hears, or does not hear any more. */
  hearing(): void {
    if (this.#parts.hears()) this.#hearer.again();
    else void this.goOff();
  }

  // ---- what it hears

  /** What it is handed; undefined when it is not to be begun, or not now. */
  hear(payload: string, instance: string): Claimed | undefined {
    const told = Told.safeParse(payload.split("\x1f"));
    if (!told.success) {
      this.#off();
      this.#parts.events.emit(
        "warning",
        "hand.refused",
        "What was handed over cannot be read: it is given back",
      );
      this.#hearer.doubt();
      return undefined;
    }
    const [of, number, uuid, queue, task, args, kwargs, options, priority, maxAttempts, timeout] = told.data;
    // Of an instance that lost its lease.
    if (of !== instance) return undefined;
    this.#off();
    this.#mayBeFree = false;
    this.#rest(REST_MS.handed);
    if (number > this.#heard + 1) this.#hearer.doubt();
    this.#heard = number;
    if (this.#givenBack.has(uuid)) return undefined;
    const first = { fence: 1, attempt: 1, forgiven: 0, solo: false, origin: null, keyed: false } as const;
    const claimed = { uuid, task, queue, args, kwargs, options, priority, maxAttempts, timeout, ...first };
    if (!this.#kept) return claimed;
    this.#kept.push(claimed);
  }

  /** The connection on which it hears is new: what was said before it is lost. */
  listening(): void {
    this.#listens = true;
    if (this.#turn === 0) return;
    this.#off();
    this.#hearer.doubt();
  }

  /** A heartbeat has looked. */
  told(state: CallState | null): void {
    const { free, handed } = state ?? { free: false, handed: 0 };
    // What the heartbeat before counted was told by now.
    const missed = this.#counted > this.#heard && (state === null || handed >= this.#counted);
    if (missed) this.#heard = state === null ? 0 : this.#counted;
    this.#counted = handed;
    if (!free && this.#phase === "off") this.#mayBeFree = false;
    const suspects = this.#phase === "on" && !free && handed <= this.#heard;
    const isOff = suspects && this.#suspected === this.#turn;
    this.#suspected = suspects ? this.#turn : -1;
    if (!missed && !isOff) return;
    this.#off();
    if (missed) this.#hearer.doubt();
    this.#hearer.again();
  }

  // ---- while the books are compared

  /** `reconcile` begins: what is heard from now on waits for its answer. */
  keep(): void {
    this.#unsure = this.#kept !== undefined;
    this.#kept = [];
  }

  /** `reconcile` has given these back; returns what may begin. */
  reconciled(givenBack: readonly string[]): Claimed[] {
    for (const uuid of this.#givenBack) {
      if (this.#givenBack.size <= REMEMBERED) break;
      this.#givenBack.delete(uuid);
    }
    for (const uuid of givenBack) this.#givenBack.add(uuid);
    const kept = this.#kept ?? [];
    this.#kept = undefined;
    if (!this.#unsure) return kept.filter(({ uuid }) => !this.#givenBack.has(uuid));
    this.#unsure = false;
    if (kept.length > 0) this.#hearer.doubt();
    return [];
  }
}
