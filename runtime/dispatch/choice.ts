/**
 * Which of the envelopes that wait a node should run next, and what it should stop for them. Pure: it is told what waits
 * and what is free, and says what to do.
 *
 * Everything is looked at in one order: by priority, which waiting improves, then by the time of publishing. What fits
 * is taken; what does not fit is passed over, so that it holds up nobody, until it has waited for so long that room is
 * held for it: from then on nobody behind it takes what it needs.
 *
 * | what waits | what is done |
 * |---|---|
 * | it fits, and a slot is free | claimed |
 * | it fits, and no slot is free | the next slot is its, if nothing stands before it |
 * | it does not fit into what is free | passed over; after a while room is held for it |
 * | no slot, or too little, and something less urgent that runs may be stopped | that is stopped |
 * | it does not fit into what the node offers | passed over: not for this node |
 *
 * @module
 */
import { fits, lacking, minus, plus, type Resources } from "../resources.ts";

/** An envelope that waits. */
export interface Waiting {
  uuid: string;
  /** Null: it asks for nothing, and the ordinary claim takes it. */
  demand: Resources | null;
  priority: number;
  /** In the order of publishing. */
  id: number;
  /** Seconds. */
  waited: number;
}

/** An attempt that runs and may be stopped for something more urgent. */
export interface Victim {
  key: string;
  priority: number;
  demand: Resources;
  /** When it began, in monotonic milliseconds. */
  since: number;
}

/** What a node sees. */
export interface View {
  offer: Resources;
  free: Resources;
  /** Envelopes that there is room for. */
  slots: number;
  /** What those will free that were told to stop. */
  coming: { free: Resources; slots: number };
  waiting: readonly Waiting[];
  victims: readonly Victim[];
  /** For whom room is held, since an earlier look. */
  reserved: string | null;
}

/** How patient a node is, in seconds. */
export interface Patience {
  /** Waiting that is worth one step of priority; 0: none is. */
  ageing: number;
  /** Waiting after which room is held for what does not fit. */
  reserve: number;
  /** Waiting after which something less urgent is stopped. */
  preempt: number;
}

/** What to do. */
export interface Choice {
  /** To be claimed now. */
  claim: Waiting[];
  /** To be claimed as soon as there are slots, before anything that asks for nothing. */
  next: Waiting[];
  reserved: string | null;
  /** Keys of those to stop. */
  stop: string[];
  /** Whether it is worth another look in a while. */
  later: boolean;
}

/** The priority of what has waited for so long. */
export function agedPriority(priority: number, waited: number, ageing: number): number {
  return ageing > 0 ? priority - Math.floor(waited / ageing) : priority;
}

/** In the order in which they should run. */
export function inOrder<W extends Pick<Waiting, "priority" | "id" | "waited">>(
  waiting: readonly W[],
  ageing: number,
): W[] {
  const aged = waiting.map((one) => ({ one, aged: agedPriority(one.priority, one.waited, ageing) }));
  return aged.sort((a, b) => a.aged - b.aged || a.one.id - b.one.id).map(({ one }) => one);
}

/** Decide. */
export function choose(view: View, patience: Patience): Choice {
  return new Chooser(view, patience).choose();
}

class Chooser {
  readonly #view: View;
  readonly #patience: Patience;
  #free: Resources;
  #slots: number;
  #coming: View["coming"];
  #victims: Victim[];
  // Something that asks for nothing stands before what follows: no slot is held before it has one.
  #plainWaits = false;
  readonly #choice: Choice = { claim: [], next: [], reserved: null, stop: [], later: false };

  constructor(view: View, patience: Patience) {
    this.#view = view;
    this.#patience = patience;
    this.#free = view.free;
    this.#slots = view.slots;
    this.#coming = view.coming;
    // Those of the least urgency first, and of them those that lose the least.
    this.#victims = [...view.victims].sort((a, b) => b.priority - a.priority || b.since - a.since);
  }

  choose(): Choice {
    for (const one of inOrder(this.#view.waiting, this.#patience.ageing)) {
      if (one.demand === null) this.#plain(one);
      else this.#asking(one, one.demand);
    }
    return this.#choice;
  }

  /** The ordinary claim takes it, if it has a slot. */
  #plain(one: Waiting): void {
    this.#plainWaits = true;
    if (this.#takeSlot()) return;
    if (this.#victims.some((victim) => victim.priority > one.priority)) this.#choice.later = true;
    this.#awaitSlot(one);
  }

  #asking(one: Waiting, demand: Resources): void {
    if (!fits(demand, this.#view.offer)) return;
    if (!fits(demand, this.#free)) return this.#tooLarge(one, demand);
    this.#free = minus(this.#free, demand);
    if (this.#takeSlot()) {
      this.#choice.claim.push(one);
      return;
    }
    this.#choice.later = true;
    // In turn with what asks for nothing: whoever stands first gets the slot that comes free.
    if (!this.#plainWaits) this.#choice.next.push(one);
    this.#awaitSlot(one);
  }

  /** One that is coming free is its, or is made free for it. */
  #awaitSlot(one: Waiting): void {
    if (!this.#takeComing() && this.#stopFor(one, {}, 1)) this.#takeComing();
  }

  /** It would run here, but for others. */
  #tooLarge(one: Waiting, demand: Resources): void {
    this.#choice.later = true;
    if (this.#choice.reserved !== null) return;
    const slots = this.#slots > 0 ? 0 : 1;
    const isComing = fits(demand, plus(this.#free, this.#coming.free)) && this.#coming.slots >= slots;
    const stops = !isComing && this.#stopFor(one, demand, slots);
    const waited = one.waited >= this.#patience.reserve || this.#view.reserved === one.uuid;
    if (!waited && !stops) return;
    this.#choice.reserved = one.uuid;
    // Below 0 it keeps out whoever asks for any of it.
    this.#free = minus(this.#free, demand);
    if (slots > 0) this.#takeComing();
  }

  #takeSlot(): boolean {
    if (this.#slots <= 0) return false;
    this.#slots--;
    return true;
  }

  #takeComing(): boolean {
    if (this.#coming.slots <= 0) return false;
    this.#coming = { ...this.#coming, slots: this.#coming.slots - 1 };
    return true;
  }

  /** Stop as few as make room for it; false when all of them together would not. */
  #stopFor({ priority, waited }: Waiting, demand: Resources, slots: number): boolean {
    if (waited < this.#patience.preempt) return false;
    let free = plus(this.#free, this.#coming.free);
    let missing = slots - this.#coming.slots;
    const chosen: Victim[] = [];
    for (const victim of this.#victims) {
      if (missing <= 0 && fits(demand, free)) break;
      if (victim.priority <= priority) continue;
      const helps = lacking(demand, free).some((name) => (victim.demand[name] ?? 0) > 0);
      if (missing <= 0 && !helps) continue;
      chosen.push(victim);
      free = plus(free, victim.demand);
      missing--;
    }
    if (chosen.length === 0 || missing > 0 || !fits(demand, free)) return false;
    this.#stop(this.#needed(chosen, demand, slots));
    return true;
  }

  /** Without those that turned out not to be needed, since a later one frees more. */
  #needed(chosen: Victim[], demand: Resources, slots: number): Victim[] {
    const kept = [...chosen];
    for (const victim of chosen) {
      const rest = kept.filter((one) => one !== victim);
      const free = rest.reduce((sum, one) => plus(sum, one.demand), plus(this.#free, this.#coming.free));
      if (rest.length + this.#coming.slots >= slots && fits(demand, free)) {
        kept.splice(kept.indexOf(victim), 1);
      }
    }
    return kept;
  }

  #stop(victims: Victim[]): void {
    this.#choice.stop.push(...victims.map(({ key }) => key));
    this.#victims = this.#victims.filter((victim) => !victims.includes(victim));
    const freed = victims.reduce((sum, one) => plus(sum, one.demand), this.#coming.free);
    this.#coming = { free: freed, slots: this.#coming.slots + victims.length };
  }
}
