/**
 * What a node does besides the plain claim, so that the right things run first: it looks at what waits, claims what asks
 * for resources and fits, holds room for what does not, and stops what gives way.
 *
 * ```text
 *  claim says: something asks ─┐
 *  resources came free ────────┼─► look (contenders) ─► choose ─┬─► claim by uuid ─► pool
 *  a slot, and somebody's turn ┤                                ├─► count a preemption ─► abort
 *  backlog, or full, for long ─┘                                └─► look again in a while
 * ```
 *
 * | what can fail | what happens |
 * |---|---|
 * | the database is away | the look fails like any statement: what a lost answer claimed is given back by `reconcile` |
 * | another node was faster | what it took is missing from the answer, and is no longer booked here |
 * | a preemption cannot be counted (too many already, stale) | that attempt is not asked again |
 * | an ordinary claim brings what asks for resources (an older node wrote it, or its task says so) | it is given back, and waits with the others that ask |
 *
 * Cheap where nothing asks and nothing is stopped: then there is no look, but for one in ten seconds of backlog.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Events } from "../events.ts";
import type { Pool } from "../pool/pool.ts";
import type { Finished, Running } from "../pool/slot.ts";
import { askedBy, asks, fits, NOTHING, plus, preemptibleBy, type Resources } from "../resources.ts";
import type { Claimed, Store, Token } from "../store/store.ts";
import type { Contender, Lane, NodeResources } from "../store/triage.ts";
import { Turns } from "./ageing.ts";
import { choose, type Patience, type Victim, type View } from "./choice.ts";
import { Ledger } from "./ledger.ts";
import { unbegun } from "./settler.ts";

/** What a triage works with. */
export interface TriageParts {
  node: string;
  store: Store;
  clock: Clock;
  events: Events;
  queues: string[];
  offers: Resources;
  patience: Patience;
}

/** What it sees of a pool. */
export type TriagePool = Pick<Pool, "fleet" | "abort" | "endings" | "room">;

/** What it asks of its dispatcher. */
export interface TriageCalls {
  /** There is something to do. */
  pump(): void;
  /** Settle it as any other. */
  finished(end: Finished): void;
  /** Something was given back: another node may have what it asks for. */
  returned(): void;
}

/** Envelopes of each kind that a look shows at most. */
const EACH = 16;
/** An envelope is stopped for others so often at most. */
export const MOST_PREEMPTIONS = 3;
/** Milliseconds from one look to the next: when something asks, when something waits, while there is a backlog. */
const GAP_MS = 100;
const AGAIN_MS = 1_000;
const BACKLOG_MS = { least: 50, most: 10_000 };

const keyOf = ({ uuid, fence }: Token) => `${uuid} ${fence}`;

/** Chooses for one node. */
export class Triage {
  readonly #parts: TriageParts;
  readonly #ledger: Ledger;
  readonly #turns: Turns;
  #pool!: TriagePool;
  #calls!: TriageCalls;
  // What tasks say that they need, learnt when one came without a word on it.
  readonly #learnt = new Map<string, Resources>();
  // Claimed, and to be given back since it asks for resources.
  #returns: { claimed: Claimed; demand: Resources }[] = [];
  // Attempts that are not to be stopped any more.
  readonly #exempt = new Set<string>();
  #asking = false;
  #reserved: string | null = null;
  // Slots that are promised, or taken by a claim under way.
  #held = 0;
  #lookedAt = -Infinity;
  #weighedAt = -Infinity;
  #dueAt = Infinity;
  #backlogSince = Infinity;
  #alarm: { at: number; controller: AbortController } | undefined;

  constructor(parts: TriageParts) {
    this.#parts = parts;
    this.#ledger = new Ledger(parts.offers);
    this.#turns = new Turns(parts.patience.ageing);
  }

  /** Choose for a pool. */
  start(pool: TriagePool, calls: TriageCalls): void {
    this.#pool = pool;
    this.#calls = calls;
  }

  /** Look no more. */
  stop(): void {
    this.#alarm?.controller.abort();
    this.#alarm = undefined;
    this.#dueAt = Infinity;
    this.#held = 0;
  }

  /** What the node offers, and what is in use. */
  get resources(): NodeResources {
    const { offer: offers, used } = this.#ledger;
    return { offers, used, ageing: this.#parts.patience.ageing, reserved: this.#reserved };
  }

  /** Slots that the plain claim must leave. */
  get held(): number {
    return this.#held;
  }

  /** What is on its way back to the table. */
  get returning(): Token[] {
    return this.#returns.map(({ claimed }) => claimed);
  }

  // ---- what the dispatcher tells

  /** A claim was answered: whether it left nothing, and whether something asks for resources. */
  claimed({ all, asking }: { all: boolean; asking: boolean }): void {
    const now = this.#now;
    this.#backlogSince = all ? Infinity : Math.min(this.#backlogSince, now);
    if (asking) this.#wish(Math.max(now, this.#lookedAt + GAP_MS));
    this.#asking = asking;
  }

  /** Of what an ordinary claim brought, what may run; what asks for resources is given back. */
  admit(claimed: Claimed[]): Claimed[] {
    if (this.#learnt.size === 0 && claimed.every(({ options }) => options === "{}")) return claimed;
    return claimed.filter((one) => {
      const demand = askedBy(one.options) ?? this.#learnt.get(one.task) ?? NOTHING;
      if (asks(demand)) this.#returns.push({ claimed: one, demand });
      return !asks(demand);
    });
  }

  /** An attempt has ended; true when it is not to be settled, since it has not begun and is given back. */
  ended({ claimed, asks: demand, lingers }: Finished): boolean {
    // Most of them ask for nothing, and are many.
    if (demand === undefined && this.#exempt.size === 0 && this.#ledger.isEmpty) return false;
    const key = keyOf(claimed);
    this.#exempt.delete(key);
    if (lingers !== undefined) this.#ledger.linger(key, lingers);
    else this.#freed(this.#ledger.release(key));
    if (demand === undefined) return false;
    this.#learnt.set(claimed.task, demand);
    this.#returns.push({ claimed, demand });
    return true;
  }

  /** A host process has ended, and all that was in it. */
  gone(pid: number): void {
    this.#freed(this.#ledger.gone(pid));
  }

  #freed(freed: boolean): void {
    if (freed && (this.#asking || this.#dueAt < Infinity)) this.#wish(this.#now);
  }

  // ---- turns of the plain claim

  /** The lane that the next claim takes from alone; undefined: all of them. */
  turn(): Lane | undefined {
    return this.#turns.next();
  }

  /** So many of so many were found there. */
  took(lane: Lane, found: number, limit: number): void {
    if (found < limit) this.#turns.empty(lane);
  }

  // ---- looking

  /**
   * A statement that is to be made now, if there is one; it returns what it has claimed.
   *
   * @param underway Slots that claims under way will take.
   * @param node Whether it claims at all, and whether more waits than there was room for.
   */
  work(
    instance: string,
    underway: number,
    node: { claiming: boolean; hungry: boolean },
  ): (() => Promise<Claimed[]>) | undefined {
    if (this.#returns.length > 0) return () => this.#giveBack(instance);
    const room = () => Math.max(0, this.#pool.room() - underway);
    if (node.claiming && this.#isDue(room, node.hungry)) return () => this.#look(instance, room());
  }

  /** Asked at each end of an attempt, so the dear questions come last and not each time. */
  #isDue(room: () => number, hungry: boolean): boolean {
    const now = this.#now;
    if (now >= this.#dueAt || (this.#held > 0 && room() > 0)) return true;
    const { ageing } = this.#parts.patience;
    const cadence = Math.min(BACKLOG_MS.most, Math.max(BACKLOG_MS.least, ageing * 100));
    if (ageing > 0 && now - Math.max(this.#lookedAt, this.#backlogSince) >= cadence) return true;
    if (!hungry) return false;
    const next = Math.max(this.#lookedAt, this.#weighedAt) + GAP_MS;
    if (now < next) {
      // What there is room for is claimed without it.
      if (!this.#isArmed(next) && room() === 0) this.#arm(next);
      return false;
    }
    this.#weighedAt = now;
    return room() === 0 && this.#victims().length > 0;
  }

  /** Whether something is on its way back to the table. */
  get hasReturns(): boolean {
    return this.#returns.length > 0;
  }

  /** Give back what asks for resources; what cannot be given back so is settled as any other. */
  async #giveBack(instance: string): Promise<Claimed[]> {
    const returns = this.#returns;
    const asked = returns.map(({ claimed: { uuid, fence }, demand }) => ({ uuid, fence, demand }));
    const done = await this.#parts.store.ask(instance, asked);
    this.#returns = this.#returns.filter((one) => !returns.includes(one));
    this.#asking = true;
    this.#wish(this.#now);
    if (done.size > 0) this.#calls.returned();
    const left = returns.map(({ claimed }) => claimed).filter(({ uuid }) => !done.has(uuid));
    for (const claimed of left) this.#calls.finished(unbegun(claimed, this.#parts.clock.now()));
    return [];
  }

  /** Look at what waits, and do what is to be done; returns what was claimed. */
  async #look(instance: string, room: number): Promise<Claimed[]> {
    const { store, queues, patience } = this.#parts;
    this.#lookedAt = this.#now;
    this.#dueAt = Infinity;
    this.#held = 0;
    const waiting = await store.contenders(queues, EACH);
    this.#turns.seen(waiting);
    this.#asking = waiting.some(({ demand }) => demand !== null);
    const choice = choose(this.#view(waiting, room), patience);
    this.#reserved = choice.reserved;
    this.#held = choice.claim.length + choice.next.length;
    const claimed = await this.#claim(instance, choice.claim as Contender[]);
    this.#held = choice.next.length;
    // Others were faster.
    if (claimed.length < choice.claim.length) this.#wish(this.#now + GAP_MS);
    // A failure is that of the whole look: what it claimed is given back by `reconcile`, and is booked no more.
    await this.#stop(instance, choice.stop).catch((error) => {
      for (const one of claimed) this.#ledger.release(keyOf(one));
      throw error;
    });
    if (choice.later) this.#wish(this.#now + AGAIN_MS * Math.min(1, patience.preempt || 1));
    return claimed;
  }

  /** Whether anything waits that asks for resources and that this node could run. */
  async couldRun(): Promise<boolean> {
    const waiting = await this.#parts.store.contenders(this.#parts.queues, 1);
    return waiting.some(({ demand }) => demand !== null && fits(demand, this.#ledger.offer));
  }

  async #claim(instance: string, chosen: Contender[]): Promise<Claimed[]> {
    if (chosen.length === 0) return [];
    const { store, node } = this.#parts;
    const demands = new Map(chosen.map(({ uuid, demand }) => [uuid, demand ?? NOTHING]));
    const claimed = await store.claimAsking(node, instance, [...demands.keys()]);
    for (const one of claimed) this.#ledger.take(keyOf(one), demands.get(one.uuid)!);
    return claimed;
  }

  async #stop(instance: string, keys: string[]): Promise<void> {
    if (keys.length === 0) return;
    const { store, events } = this.#parts;
    const tokens = this.#running().map(({ claimed }) => claimed).filter((one) => keys.includes(keyOf(one)));
    const counted = await store.preempt(instance, tokens, MOST_PREEMPTIONS);
    // It may have ended meanwhile, and another attempt of the same begun.
    const still = new Set(this.#running().map(({ claimed }) => keyOf(claimed)));
    for (const token of tokens.filter((one) => still.has(keyOf(one)))) {
      // Whatever becomes of it, this attempt is asked once.
      this.#exempt.add(keyOf(token));
      if (!counted.has(token.uuid)) continue;
      const { uuid, task } = token;
      events.emit("info", "preempted", "Stopped for something more urgent", { uuid, task });
      this.#pool.abort(uuid, "Preempted");
    }
  }

  #view(waiting: readonly Contender[], room: number): View {
    const leaving = this.#running().filter(({ aborted }) => aborted !== null);
    const freed = leaving.reduce((sum, { claimed }) => plus(sum, this.#ledger.of(keyOf(claimed))), NOTHING);
    return {
      offer: this.#ledger.offer,
      free: this.#ledger.free,
      slots: Math.max(0, room),
      coming: { free: freed, slots: leaving.length },
      waiting,
      victims: this.#victims(),
      reserved: this.#reserved,
    };
  }

  /** What runs and may be stopped. */
  #victims(): Victim[] {
    return this.#running().filter((one) => one.aborted === null && this.#isPreemptible(one)).map(
      ({ claimed, since }) => {
        const key = keyOf(claimed);
        return { key, priority: claimed.priority, demand: this.#ledger.of(key), since };
      },
    );
  }

  #isPreemptible({ claimed }: Running): boolean {
    if (this.#exempt.has(keyOf(claimed))) return false;
    return preemptibleBy(claimed.options) ?? this.#pool.endings.preemptible.has(claimed.task);
  }

  #running(): Running[] {
    return this.#pool.fleet.running().map((slot) => slot.running!);
  }

  // ---- when to look again

  get #now(): number {
    return this.#parts.clock.monotonic();
  }

  /** Look at that time, or earlier. */
  #wish(at: number): void {
    this.#dueAt = Math.min(this.#dueAt, at);
    this.#arm(this.#dueAt);
  }

  #isArmed(at: number): boolean {
    return this.#alarm !== undefined && this.#alarm.at <= at;
  }

  /** See at that time, or earlier, whether there is something to do. */
  #arm(at: number): void {
    if (this.#isArmed(at)) return;
    this.#alarm?.controller.abort(null);
    const alarm = this.#alarm = { at, controller: new AbortController() };
    void this.#parts.clock.sleep(Math.max(0, at - this.#now), alarm.controller.signal).then(() => {
      if (this.#alarm !== alarm) return;
      this.#alarm = undefined;
      // It may have been put off since.
      if (this.#dueAt < Infinity && this.#dueAt > this.#now) this.#arm(this.#dueAt);
      this.#calls.pump();
    });
  }
}
