/**
 * Hands claimed envelopes to slots. Where tasks are short a slot gets some ahead: its thread begins the next the moment
 * one ends, and the way to the dispatcher and back costs nothing between two tasks.
 *
 * ```text
 *  intake ──run──► slot: [running | ahead …]      the thread begins what is ahead, in order; the books here follow
 *     ▲                        │
 *     └────── recalled ◄───────┘                  the host says how many of the last had not begun
 * ```
 *
 * Who is ahead has not begun, as far as these books know: the gate decides, and the reports come in order.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Claimed } from "../store/store.ts";
import type { Endings } from "./endings.ts";
import type { Fleet } from "./fleet.ts";
import type { HostProcess } from "./host_process.ts";
import type { Intake } from "./intake.ts";
import type { AbortReason } from "./protocol.ts";
import { aheadOfSlot, burstOfSlot } from "./scaling.ts";
import type { Slot } from "./slot.ts";
import { writeRun } from "./pool_texts.ts";

/** So many ahead of each slot: tasks are tiny. */
const TINY = 32;
/** So many of them: that is a burst. */
const SEVERAL = 4;

/** What the feeder works with. */
export interface FeederParts {
  clock: Clock;
  fleet: Fleet;
  intake: Intake;
  endings: Endings;
  /** Suspects that run at once at most, each in a host of its own. */
  soloHosts: number;
  /** Tasks of one worker at most, 0 for no bound. */
  maxTasks: number;
  /** A slot has begun an attempt that is to end. */
  abort(slot: Slot, reason: AbortReason): void;
}

/** Feeds the slots of one pool. */
export class Feeder {
  readonly #parts: FeederParts;
  // What is ahead somewhere and is to end, by uuid; it ends when it is recalled, or as soon as it has begun.
  readonly #doomed = new Map<string, AbortReason>();

  constructor(parts: FeederParts) {
    this.#parts = parts;
  }

  /** Hand what waits to the slots: one to each that is free, then some ahead where tasks are short. */
  feed(): void {
    if (this.#parts.intake.length > 0) this.#hand();
    this.#spread();
  }

  #hand(): void {
    const { intake, fleet, soloHosts } = this.#parts;
    const isBurst = this.#feedBurst();
    for (const slot of fleet.slots.values()) {
      if (!slot.free || (isBurst && !slot.host.solo)) continue;
      const claimed = intake.take(slot.host.solo);
      if (claimed) this.#send(slot, claimed);
    }
    const solo = Math.min(intake.suspects, soloHosts - fleet.soloHosts());
    for (let i = 0; i < solo && fleet.mayStart; i++) fleet.open(true);
    if (intake.waiting > 0) this.#feedAhead();
  }

  /** Tasks take longer than those before them: what a slot was given of them is too much, if others can take it. */
  #spread(): void {
    const { fleet, intake } = this.#parts;
    const usual = this.#shareOfSlot(this.#mostAhead());
    for (const slot of fleet.slots.values()) {
      if (slot.ahead.length <= 2 * usual || slot.running?.killSentAt) continue;
      if (intake.waiting > 0 || fleet.hasFree()) this.recall(slot);
    }
  }

  /**
   * Several tiny tasks fill one slot after the other, and no more of them than they need. False when there are few, or
   * when one of them is not tiny after all: then whoever is free takes what others cannot.
   */
  #feedBurst(): boolean {
    const { intake, fleet, clock } = this.#parts;
    const most = this.#mostAhead();
    if (most < TINY || intake.waiting < SEVERAL) return false;
    const now = clock.monotonic();
    const each = this.#shareOfSlot(most);
    const hosts = this.#roomOfHosts(most);
    let isBurst = true;
    for (const slot of fleet.slots.values()) {
      const host = hosts.get(slot.host)!;
      if (host.room < 0 || (slot.ahead.length > 0 && slot.isLate(now))) isBurst = false;
      const share = Math.min(each, host.all);
      const left = Math.min(share - slot.ahead.length, host.room);
      // Not a few at a time: to hand them out, or to wake another thread, costs more than they do.
      if (left < share / 2 || (slot.free ? slot.host.solo : !this.#takesMore(slot, now))) continue;
      while (slot.ahead.length < share && host.room > 0 && this.#mayHaveMore(slot)) {
        const claimed = intake.take(false);
        if (!claimed) return true;
        if (slot.running) host.room--;
        this.#send(slot, claimed);
      }
    }
    return isBurst;
  }

  /** What each host may have ahead, and what of that it has not: all that is in doubt when it dies, as if spread evenly. */
  #roomOfHosts(most: number): Map<HostProcess, { all: number; room: number }> {
    const hosts = new Map<HostProcess, { all: number; room: number }>();
    for (const { host, ahead } of this.#parts.fleet.slots.values()) {
      const { all, room } = hosts.get(host) ?? { all: 0, room: 0 };
      hosts.set(host, { all: all + most, room: room + most - ahead.length });
    }
    return hosts;
  }

  /** What one slot may be given ahead, besides others that have less. */
  #shareOfSlot(most: number): number {
    return most < TINY ? most : burstOfSlot(most, this.#parts.endings.meanMs, this.meanBytes);
  }

  #mostAhead(): number {
    return aheadOfSlot(this.#parts.endings.meanMs, this.meanBytes);
  }

  #feedAhead(): void {
    const { intake, fleet, clock } = this.#parts;
    const most = this.#mostAhead();
    let left = most * fleet.slots.size - this.aheadCount;
    const now = clock.monotonic();
    // Not one by one as they end: a message costs more than what it carries.
    const hungry = [...fleet.slots.values()]
      .filter((slot) => slot.ahead.length <= most / 2 && this.#takesMore(slot, now));
    for (let depth = 0; depth < most; depth++) {
      for (const slot of hungry) {
        if (slot.ahead.length !== depth || !this.#mayHaveMore(slot)) continue;
        const claimed = left-- > 0 ? intake.take(false) : undefined;
        if (!claimed) return;
        this.#send(slot, claimed);
      }
    }
  }

  #mayHaveMore({ sent }: Slot): boolean {
    const { maxTasks } = this.#parts;
    return maxTasks === 0 || sent < maxTasks;
  }

  #takesMore(slot: Slot, now: number): boolean {
    if (!slot.running || slot.running.aborted || slot.recalling || !slot.inOrder || slot.host.solo) {
      return false;
    }
    return !slot.isLate(now);
  }

  #send(slot: Slot, claimed: Claimed): void {
    if (slot.running) slot.ahead.push(claimed);
    else this.#begin(slot, claimed);
    slot.sent++;
    const { uuid, origin, attempt, task, args, kwargs, options, timeout } = claimed;
    const timed = timeout !== null;
    const order = writeRun({ uuid, origin, attempt, timed, task, args, kwargs, options });
    slot.host.run(slot.id, slot.worker, order);
  }

  #begin(slot: Slot, claimed: Claimed): void {
    const { clock } = this.#parts;
    const since = clock.monotonic();
    const deadline = claimed.timeout === null ? null : since + claimed.timeout * 1000;
    slot.running = {
      claimed,
      started: clock.now(),
      since,
      deadline,
      aborted: null,
      killAt: null,
      killSentAt: null,
      progress: null,
    };
    const doom = this.#doomed.get(claimed.uuid);
    if (doom === undefined) return;
    this.#doomed.delete(claimed.uuid);
    this.#parts.abort(slot, doom);
  }

  /** An attempt has ended in its slot, and the host has begun what was ahead. */
  next(slot: Slot): void {
    const claimed = slot.ahead.shift();
    if (claimed) this.#begin(slot, claimed);
  }

  // ---- taking back

  /** Ask for what a slot has not begun. */
  recall(slot: Slot): void {
    if (slot.ahead.length === 0 || slot.recalling) return;
    slot.recalling = true;
    slot.host.send(["recall", slot.id]);
  }

  /** The host gives back the last so many; one more than are ahead when its thread has not come to begin anything. */
  recalled(slot: Slot, count: number): void {
    slot.recalling = false;
    const { running, ahead } = slot;
    if (!running || count <= ahead.length) return this.#takeBack(slot, ahead.splice(ahead.length - count));
    if (running.aborted) this.#doomed.set(running.claimed.uuid, running.aborted);
    slot.running = null;
    this.#takeBack(slot, [running.claimed, ...ahead.splice(0)]);
  }

  /** The thread of a slot is gone, or begins nothing more. */
  abandon(slot: Slot): void {
    this.#takeBack(slot, slot.ahead.splice(0));
  }

  /** The host of a slot is gone; returns what was ahead in it, begun or not. */
  lose(slot: Slot): Claimed[] {
    const lost = slot.ahead.splice(0);
    for (const { uuid } of lost) this.#doomed.delete(uuid);
    return lost;
  }

  #takeBack(slot: Slot, unbegun: Claimed[]): void {
    const { intake, endings, clock } = this.#parts;
    slot.sent -= unbegun.length;
    const kept: Claimed[] = [];
    for (const claimed of unbegun) {
      const doom = this.#doomed.get(claimed.uuid);
      this.#doomed.delete(claimed.uuid);
      if (doom === undefined) kept.push(claimed);
      else endings.unstarted(claimed, doom);
    }
    intake.putBack(kept, clock.monotonic());
  }

  /** End what is ahead in a slot; false when it is in none. */
  abort(uuid: string, reason: AbortReason): boolean {
    const slot = this.#slots().find((slot) => slot.ahead.some((claimed) => claimed.uuid === uuid));
    if (!slot) return false;
    this.#doomed.set(uuid, reason);
    this.recall(slot);
    return true;
  }

  /** Take back whatever has not begun. */
  recallAll(reason?: AbortReason): void {
    for (const slot of this.#slots()) {
      if (reason) { for (const { uuid } of slot.ahead) this.#doomed.set(uuid, reason); }
      this.recall(slot);
    }
  }

  /** What one envelope takes of memory, on the average: its arguments, then its result. */
  get meanBytes(): number {
    return this.#parts.intake.meanBytes + this.#parts.endings.meanBytes;
  }

  get aheadCount(): number {
    let count = 0;
    for (const slot of this.#parts.fleet.slots.values()) count += slot.ahead.length;
    return count;
  }

  /** What is ahead in slots. */
  ahead(): Claimed[] {
    return this.#slots().flatMap((slot) => slot.ahead);
  }

  #slots(): Slot[] {
    return [...this.#parts.fleet.slots.values()];
  }
}
