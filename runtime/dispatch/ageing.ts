/**
 * Ageing, for what asks for nothing. A claim takes the most urgent first, by an index, whatever waits behind; so under a
 * flood of urgent envelopes the others would never run. A node that has had more than enough to claim for a while looks
 * at the first envelope of each priority, and where one has waited for so long that it stands before the most urgent,
 * every other claim takes up to half of its room from there: the claim itself stays as cheap as it is.
 *
 * @module
 */
import type { Contender, Lane } from "../store/triage.ts";
import { inOrder } from "./choice.ts";

/** Whose turn it is. */
export class Turns {
  readonly #ageing: number;
  #overdue: Lane[] = [];
  #last = false;

  /** @param ageing Seconds of waiting that are worth one step of priority; 0: none are. */
  constructor(ageing: number) {
    this.#ageing = ageing;
  }

  /** What waits has been looked at. */
  seen(waiting: readonly Contender[]): void {
    if (this.#ageing === 0) return;
    const plain = waiting.filter(({ demand }) => demand === null);
    const first = new Map<string, Contender>();
    for (const one of plain) {
      const key = `${one.priority} ${one.queue}`;
      if (one.id < (first.get(key)?.id ?? Infinity)) first.set(key, one);
    }
    const heads = inOrder([...first.values()], this.#ageing);
    const most = Math.min(...heads.map(({ priority }) => priority));
    const urgent = heads.findIndex(({ priority }) => priority === most);
    this.#overdue = heads.slice(0, Math.max(0, urgent)).map(({ queue, priority }) => ({ queue, priority }));
  }

  /** The lane that the next claim is to take from; undefined: all, in their order. */
  next(): Lane | undefined {
    this.#last = !this.#last && this.#overdue.length > 0;
    return this.#last ? this.#overdue[0] : undefined;
  }

  /** Nothing is left in a lane. */
  empty(lane: Lane): void {
    this.#overdue = this.#overdue.filter((one) => one !== lane);
  }
}
