/**
 * A node that has nothing to do is on call: whoever publishes a single envelope then hands it over, claimed for this node
 * and told to it in one commit, so that nobody has to ask for it (store/migrations/0021_on_call.sql).
 *
 * ```text
 *  off ──has nothing to do──► asking ──► on ──is handed one──► off
 *                                         └──is busy, or drains──► leaving ──► off
 * ```
 *
 * | what can fail | what happens |
 * |---|---|
 * | it claims in the ordinary way | it is not on call for a while: what comes often is claimed many at a time |
 * | what it was told was lost with the connection | a gap: `reconcile` gives back what nobody here knows |
 * | it was told nothing although the table says so | two heartbeats in a row find that out: the same |
 * | `reconcile` gives back what it is being told of | what is told meanwhile waits for the answer; what was given back is not begun |
 * | what it is told cannot be read (a release that writes it otherwise) | the same: it is given back |
 * | the database does not let it | it asks again half a minute later, and works without |
 *
 * @module
 */
import { z } from "zod";
import type { Clock } from "../clock.ts";
import type { Events } from "../events.ts";
import type { OnCallStore } from "../store/on_call.ts";
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
}

/**
 * Rests in milliseconds: after a claim that brought something; after it was handed one, whose start comes first (two
 * processors: 2.6 ms from publish() to the task, 2.5 with this); after it was refused.
 */
const REST_MS = { busy: 25, handed: 2, refused: 30_000 };

/** What dispatcher.hand() tells. */
const Told = z.tuple([
  z.string(),
  z.uuid(),
  z.string().min(1),
  z.string().min(1),
  z.string(),
  z.string(),
  z.string(),
  z.coerce.number().int(),
  z.string().transform((text) => text === "" ? null : Number(text)).pipe(z.int().positive().nullable()),
  z.string().transform((text) => text === "" ? null : Number(text)).pipe(z.number().nullable()),
]);

/** Whether one node is on call, and what it hears. */
export class OnCall {
  readonly channel: string;
  readonly #parts: OnCallParts;
  #phase: "off" | "asking" | "on" | "leaving" = "off";
  // Counts the times it went on call, and was given something.
  #turn = 0;
  #suspected = -1;
  #restUntil = -Infinity;
  #resting: AbortController | undefined;
  #asked: Promise<void> = Promise.resolve();
  #left: Promise<void> = Promise.resolve();
  #instance = "";
  // What it hears while `reconcile` is under way; undefined otherwise.
  #kept: Claimed[] | undefined;
  #givenBack: ReadonlySet<string> = new Set();

  constructor(parts: OnCallParts) {
    this.#parts = parts;
    this.channel = parts.channel;
  }

  /** Whether it may be handed something, as far as it knows. */
  get isOn(): boolean {
    return this.#phase === "on" || this.#phase === "asking";
  }

  /** What it has heard and not begun. */
  get kept(): readonly Claimed[] {
    return this.#kept ?? [];
  }

  /** It claims: more may follow. */
  busy(): void {
    this.#rest(REST_MS.busy);
  }

  #rest(ms: number): void {
    this.#restUntil = Math.max(this.#restUntil, this.#parts.clock.monotonic() + ms);
  }

  /**
   * It has nothing to do.
   *
   * @param again Asks once more, when it is too early.
   */
  goOn(instance: string, again: () => void): void {
    if (this.#phase !== "off" || this.#resting !== undefined) return;
    const rest = this.#restUntil - this.#parts.clock.monotonic();
    if (rest > 0) {
      const resting = this.#resting = new AbortController();
      void this.#parts.clock.sleep(rest, resting.signal).then(() => {
        if (this.#resting === resting) this.#resting = undefined;
        if (!resting.signal.aborted) again();
      });
      return;
    }
    this.#phase = "asking";
    this.#instance = instance;
    this.#asked = this.#ask(++this.#turn);
  }

  async #ask(turn: number): Promise<void> {
    const { store, node, queues, channel } = this.#parts;
    const can = await store.onCall({ node, instance: this.#instance, queues, channel }).catch(() => false);
    if (turn !== this.#turn || this.#phase !== "asking") return;
    this.#phase = can ? "on" : "off";
    if (!can) this.#rest(REST_MS.refused);
  }

  /** It has something to do, or will do nothing more; resolves when nothing more is handed to it. */
  goOff(): Promise<void> {
    this.#resting?.abort();
    this.#resting = undefined;
    if (!this.isOn) return this.#left;
    this.#phase = "leaving";
    this.#left = this.#leave();
    return this.#left;
  }

  async #leave(): Promise<void> {
    await this.#asked;
    // What is handed to it nevertheless is given back, by itself or with its lease.
    await this.#parts.store.offCall(this.#instance).catch(() => {});
    if (this.#phase === "leaving") this.#phase = "off";
  }

  /** Another instance, to which nothing was handed yet. */
  renew(): void {
    this.#kept = undefined;
    this.#handed();
  }

  #handed(): void {
    this.#turn++;
    if (this.isOn) this.#phase = "off";
  }

  /**
   * What it is handed, to begin now.
   *
   * @returns "unread" when nobody knows what it was; undefined when it is not to be begun, or not now.
   */
  hear(payload: string, instance: string): Claimed | "unread" | undefined {
    const told = Told.safeParse(payload.split("\x1f"));
    if (!told.success) {
      this.#handed();
      this.#parts.events.emit(
        "warning",
        "hand.refused",
        "What was handed over cannot be read: it is given back",
      );
      return "unread";
    }
    const [of, uuid, queue, task, args, kwargs, options, priority, maxAttempts, timeout] = told.data;
    // Of an instance that lost its lease.
    if (of !== instance) return undefined;
    this.#handed();
    this.#rest(REST_MS.handed);
    if (this.#givenBack.has(uuid)) return undefined;
    const first = { fence: 1, attempt: 1, forgiven: 0, solo: false, origin: null, keyed: false } as const;
    const claimed = { uuid, task, queue, args, kwargs, options, priority, maxAttempts, timeout, ...first };
    if (!this.#kept) return claimed;
    this.#kept.push(claimed);
  }

  /** `reconcile` begins: what is heard from now on waits for its answer. */
  keep(): void {
    this.#kept ??= [];
  }

  /** `reconcile` has given these back; returns what may begin. */
  reconciled(givenBack: readonly string[]): Claimed[] {
    this.#givenBack = new Set(givenBack);
    const kept = this.kept.filter(({ uuid }) => !this.#givenBack.has(uuid));
    this.#kept = undefined;
    return kept;
  }

  /** The connection on which it hears was lost for a while; whether something may have been handed to it. */
  missed(): boolean {
    const ever = this.#turn > 0;
    this.#handed();
    return ever;
  }

  /** A heartbeat has looked; whether something was handed to it that it has not heard of. */
  told(isOn: boolean): boolean {
    const suspects = this.#phase === "on" && !isOn;
    const again = suspects && this.#suspected === this.#turn;
    this.#suspected = suspects ? this.#turn : -1;
    if (again) this.#handed();
    return again;
  }
}
