/**
 * The heart of a node: wake → claim → pool → settle. One statement settles what ended and claims what there is
 * room for; while it is under way the next batch gathers, so that a quiet node answers at once and a busy one
 * in large batches, without a timer.
 *
 * | what can fail | what happens |
 * |---|---|
 * | the database is away | tasks go on; outcomes are kept and settled later; nothing is claimed meanwhile, so they are bounded by what the pool holds |
 * | the connection breaks before the answer | what the lost answer claimed is found by `reconcile` and given back |
 * | one is handed over at the wrong moment | it is given back |
 * | what was claimed is far larger than what came before | what came without its content is given back |
 * | one verdict cannot be stored | the batch is settled in halves; that one is discarded with the reason |
 * | the fence has moved on | 0 rows: logged as stale, nothing retried |
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Events } from "../events.ts";
import type { Pool } from "../pool/pool.ts";
import type { Finished } from "../pool/slot.ts";
import { CLAIM_BYTES } from "../store/exchange.ts";
import type { Claimed, Exchange, Exchanged, Settlement, Store } from "../store/store.ts";
import type { Lane } from "../store/triage.ts";
import { oncePerTurn } from "../turn.ts";
import { account } from "./accounting.ts";
import { tellAttempt, tellClaims, tellSettles } from "./attempt_log.ts";
import { Doubts } from "./doubts.ts";
import { ClaimFloors } from "./floors.ts";
import { Gathering, statementsAtMost } from "./gathering.ts";
import type { OnCall } from "./on_call.ts";
import { Outage } from "./outage.ts";
import { Pending } from "./pending.ts";
import { Refusals } from "./refusals.ts";
import { isWatched, settlementOf, type SettlerOptions, unbegun } from "./settler.ts";
import { Sweep } from "./sweep.ts";
import { Vigil } from "./vigil.ts";
import type { Triage } from "./triage.ts";

/** What a dispatcher works with. */
export interface DispatcherParts {
  store: Store;
  clock: Clock;
  events: Events;
  queues: string[];
  /** Whether a statement was refused for the values in it. */
  isForContent(error: unknown): boolean;
  /** Uuids whose publishers wait were settled besides an exchange; queues that have work again. */
  settled(watched: string[], released: string[], restage: boolean): void;
  /** What was claimed, by a statement sent at that time (since 1970), before the pool has it: a last word on its options. */
  claimed?(claimed: Claimed[], sentAt: number): void;
  /** Chooses what runs first where the plain claim does not. */
  triage?: Triage;
  /** Has envelopes handed over to it while there is nothing to do. */
  onCall?: OnCall;
}

/** Envelopes of one claim at most. */
const BATCH = 1_000;

/** Claims and settles for one node. */
export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #settler: SettlerOptions;
  #pool!: Pool;
  /** The instance whose claims these are; a new one after the lease was lost. */
  instance: string;
  // Written by finished() and #run(); read by #pump().
  readonly #pending = new Pending();
  readonly #underway = new Set<Settlement[]>();
  #claimUnderway = 0;
  // A statement of the triage is under way.
  #aside = false;
  readonly #gathering = new Gathering(() => this.#pump());
  #hungry = false;
  // The last claim was full: the next one need not wait for a word, nor for the one under way.
  #more = false;
  #claiming = false;
  readonly #pumpSoon = oncePerTurn(() => this.#pump());
  readonly #outage: Outage;
  readonly #doubts: Doubts;
  readonly #vigil: Vigil;
  readonly #floors: ClaimFloors;
  readonly #sweep: Sweep;
  #paused = new AbortController();
  readonly #refusals: Refusals;
  /** Nodes that serve the same queues, this one among them. */
  sharing = 1;
  readonly totals = { claimed: 0, settled: 0, stale: 0 };

  constructor(instance: string, parts: DispatcherParts, settler: SettlerOptions) {
    this.instance = instance;
    this.#parts = parts;
    this.#settler = settler;
    this.#floors = new ClaimFloors(parts.clock, parts.queues);
    this.#sweep = new Sweep(parts.clock, this.#floors, () => this.wake());
    this.#outage = new Outage(parts.events, () => this.#pump());
    this.#doubts = new Doubts(parts);
    this.#refusals = new Refusals(parts);
    const calls = { look: () => this.wake(), instance: () => this.instance, sharing: () => this.sharing };
    this.#vigil = new Vigil(parts, calls);
    parts.onCall?.bind({
      again: () => this.#pump(),
      doubt: () => {
        this.#doubts.raise();
        this.#pumpSoon();
      },
    });
  }

  /** Begin to claim for a pool. */
  start(pool: Pool): void {
    this.#pool = pool;
    this.#parts.triage?.start(pool, {
      pump: () => this.#pump(),
      finished: (end) => this.finished(end),
      returned: () => this.returned(),
    });
    this.#claiming = true;
    this.wake();
  }

  /** There may be work. */
  wake(): void {
    this.#hungry = true;
    this.#pump();
  }

  /** What was there before is available again in these: the next claim looks for it, and the other nodes are told. */
  returned(queues: string[] = this.#parts.queues): void {
    this.#floors.ask();
    this.#parts.settled([], queues, false);
  }

  /** Somebody has published. */
  woken(): void {
    if (!this.#vigil.woken()) this.wake();
  }

  /** There may be room. */
  room(): void {
    if (this.#hungry || this.#more) this.#pump();
  }

  /** Stop claiming; settling goes on. */
  pause(): void {
    this.#claiming = false;
    this.#paused.abort();
    this.#parts.triage?.stop();
    this.#vigil.stop();
    void this.#parts.onCall?.goOff();
  }

  /** Claim again. */
  resume(): void {
    this.#paused = new AbortController();
    this.#vigil.resume();
    this.#claiming = true;
    this.wake();
  }

  /** An attempt ended. */
  finished(end: Finished): void {
    if (this.#parts.triage?.ended(end)) return this.#pumpSoon();
    const settlement = settlementOf(end, this.#settler);
    if (!end.settled) this.#pending.push(settlement);
    tellAttempt(this.#parts, end, settlement.outcome);
    this.#pumpSoon();
  }

  /** A running attempt was settled by a transaction of its own. */
  committed(claimed: Claimed): void {
    this.totals.settled++;
    this.#parts.settled(isWatched(claimed) ? [claimed.uuid] : [], [], claimed.keyed);
  }

  /** Whether nothing waits to be settled. */
  get settledAll(): boolean {
    return this.#pending.length === 0 && this.#underway.size === 0 && !this.#parts.triage?.hasReturns;
  }

  /** Whether the database answers, as far as the last statement told. */
  get connected(): boolean {
    return this.#outage.isOver;
  }

  /** The lease was lost: what is pending is no longer ours, and claims go on under a new instance. */
  renew(instance: string): void {
    this.instance = instance;
    this.#pending.clear();
    this.#parts.onCall?.renew();
    this.wake();
  }

  /** A publisher has handed one over. */
  handed(payload: string): void {
    const one = this.#parts.onCall?.hear(payload, this.instance);
    if (one) this.#accept(one);
    this.#pump();
  }

  /** What there is no room for any more is given back as if it had never begun. */
  #accept(one: Claimed): void {
    const now = this.#parts.clock.now();
    const admitted = this.#parts.triage?.admit([one]) ?? [one];
    if (this.#claiming && this.#room() > 0) this.#take(admitted, now, true);
    else this.#giveBack(admitted);
  }

  /** As if they had never been claimed. */
  #giveBack(claimed: Claimed[]): void {
    const now = this.#parts.clock.now();
    for (const one of claimed) this.finished(unbegun(one, now));
  }

  #pump(): void {
    this.#pumpTriage();
    const most = statementsAtMost(this.#more ? this.sharing : 1, this.#aside);
    while (this.#underway.size < most && !this.#outage.rests && !this.#doubts.block) {
      const limit = this.#limit();
      if (!this.#isWorthwhile(limit)) break;
      this.#gathering.end();
      const settlements = this.#pending.take();
      if (limit > 0) this.#hungry = false;
      void this.#run(settlements, limit);
    }
    this.#pool?.hold(this.#pending.areLarge);
    if (this.#doubts.areDue && this.#underway.size === 0 && !this.#outage.rests) void this.#reconcile();
    const { onCall } = this.#parts;
    if (onCall?.isOn) this.#claiming && this.#pool.idle || void onCall.goOff();
    else if (this.#isQuiet()) onCall?.goOn(this.instance, this.#floors.slowFor);
  }

  /** Whether there is nothing to do and nothing to ask for. */
  #isQuiet(): boolean {
    if (this.#underway.size > 0 || this.#pending.length > 0 || this.#hungry || this.#more) return false;
    if (this.#vigil.isKept) return false;
    return this.#claiming && !this.#outage.rests && this.#pool.idle;
  }

  #pumpTriage(): void {
    const { triage } = this.#parts;
    if (!triage || this.#aside || this.#outage.rests || this.#doubts.block) return;
    const asked = { claiming: this.#claiming, hungry: this.#hungry || this.#more };
    const work = triage.work(this.instance, this.#claimUnderway, asked);
    if (work) void this.#besides(work);
  }

  /** A statement besides the exchange, one at a time; what it claimed goes to the pool. */
  async #besides(work: () => Promise<Claimed[]>): Promise<void> {
    const marker: Settlement[] = [];
    this.#aside = true;
    this.#underway.add(marker);
    const sentAt = this.#parts.clock.now();
    try {
      const claimed = await work();
      this.#outage.answered();
      this.#take(claimed, sentAt);
    } catch (error) {
      this.#failed([], 1, error);
    } finally {
      this.#aside = false;
      this.#underway.delete(marker);
      this.#pump();
    }
  }

  #take(claimed: Claimed[], sentAt: number, handed = false): void {
    if (claimed.length === 0) return;
    if (!handed) this.#parts.onCall?.busy();
    this.totals.claimed += claimed.length;
    this.#vigil.claimed(claimed.length);
    this.#parts.claimed?.(claimed, sentAt);
    tellClaims(this.#parts, claimed);
    this.#pool.submit(claimed);
  }

  /** Whether to run a statement now, or to gather more for it. */
  #isWorthwhile(limit: number): boolean {
    if (this.#pending.areWorthwhile) return true;
    // Nobody is held up by what gathers while another statement is under way.
    if (this.#underway.size > 0) return limit > 0 && this.#pool.idle;
    if (this.#pending.length === 0) return limit > 0;
    // What ends meanwhile goes along with the next look, unless that is urgent.
    if (this.#vigil.isKept) return limit > 0 || this.#gathering.isOver(this.#vigil.gather(this.#pending));
    return !this.#pool.hasPlenty || this.#gathering.isOver();
  }

  #limit(): number {
    if (!this.#claiming || !(this.#hungry || this.#more) || this.#pending.areMany) return 0;
    const room = this.#room();
    // One slot is for what may be handed over meanwhile.
    const left = room > 1 && this.#parts.onCall?.isOn ? room - 1 : room;
    // More of this size would come without its content.
    return Math.max(
      0,
      Math.min(BATCH, left, Math.ceil(CLAIM_BYTES / Math.max(1, this.#pool.intake.meanBytes))),
    );
  }

  /** Envelopes that the pool can take and that are not promised. */
  #room(): number {
    return this.#pool.room() - this.#claimUnderway - (this.#parts.triage?.held ?? 0);
  }

  async #run(settlements: Settlement[], limit: number): Promise<void> {
    this.#underway.add(settlements);
    this.#claimUnderway += limit;
    const sentAt = this.#parts.clock.now();
    try {
      const exchanged =
        await (limit > 0 ? this.#claim(settlements, limit) : this.#exchange(settlements, limit));
      this.#outage.answered();
      const released = account(this.#parts, this.totals, settlements, exchanged.settled);
      if (released) this.#floors.ask();
      this.#hungry ||= released;
      tellSettles(this.#parts, settlements, exchanged.settled, sentAt);
      this.#take(this.#parts.triage?.admit(exchanged.claimed) ?? exchanged.claimed, sentAt);
      this.#floors.lower(exchanged.returned);
      this.#giveBack(exchanged.withheld);
    } catch (error) {
      this.#failed(settlements, limit, error);
    } finally {
      this.#underway.delete(settlements);
      this.#claimUnderway -= limit;
      this.#pump();
    }
  }

  async #exchange(
    settlements: Settlement[],
    limit: number,
    more: Pick<Exchange, "floors" | "lane"> = {},
  ): Promise<Exchanged> {
    const { store, queues } = this.#parts;
    const { node } = this.#settler;
    return await store.exchange({ node, instance: this.instance, settlements, queues, limit, ...more });
  }

  /** From one lane, whose turn it is; the rest of the room is the next claim's. */
  async #claimOf(lane: Lane, settlements: Settlement[], room: number): Promise<Exchanged> {
    const limit = Math.ceil(room / 2);
    this.#more = true;
    const exchanged = await this.#exchange(settlements, limit, { lane });
    // What is given back stays in it.
    this.#parts.triage!.took(lane, exchanged.withheld.length > 0 ? limit : exchanged.claimed.length, limit);
    return exchanged;
  }

  async #claim(settlements: Settlement[], limit: number): Promise<Exchanged> {
    const lane = this.#parts.triage?.turn();
    if (lane) return await this.#claimOf(lane, settlements, limit);
    const look = this.#floors.look();
    try {
      const exchanged = await this.#exchange(settlements, limit, { floors: look.floors });
      this.#vigil.looked(look.begun, exchanged.last);
      // One that was full, or to which a queue gave its whole share, says that more may wait.
      this.#more = !exchanged.all;
      this.#parts.triage?.claimed(exchanged);
      this.#floors.done(look, exchanged);
      this.#sweep.plan(this.#paused.signal);
      return exchanged;
    } catch (error) {
      this.#floors.done(look, null);
      throw error;
    }
  }

  #failed(settlements: Settlement[], limit: number, error: unknown): void {
    if (limit > 0) {
      this.#hungry = true;
      // The answer that was lost may have claimed something.
      this.#doubts.raise();
    }
    const parts = this.#refusals.split(settlements, error);
    if (parts && settlements.length > 1) {
      for (const part of parts) void this.#run(part, 0);
      return;
    }
    this.#pending.putBack(parts?.[0] ?? settlements);
    if (!parts) this.#outage.failed(error);
  }

  async #reconcile(): Promise<void> {
    const marker: Settlement[] = [];
    this.#underway.add(marker);
    try {
      const known = [...this.#pool.holds(), ...this.#pending.all(), ...this.#parts.triage?.returning ?? []];
      const { given, begin } = await this.#doubts.compare(this.instance, known);
      this.#outage.answered();
      for (const one of begin) this.#accept(one);
      if (given > 0) this.returned();
      this.#hungry ||= given > 0;
    } catch (error) {
      this.#failed([], 0, error);
    } finally {
      this.#underway.delete(marker);
      this.#pump();
    }
  }
}
