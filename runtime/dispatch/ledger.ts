/**
 * What a node offers and who holds how much of it. A node is the only one that claims for itself, and it looks and claims
 * one look at a time, so its own books are enough: a demand is booked when it is claimed, and stays booked until its
 * thread is done.
 *
 * @module
 */
import { asks, minus, NOTHING, plus, type Resources } from "../resources.ts";

/** The books of one node. Keys are the caller's. */
export class Ledger {
  readonly offer: Resources;
  readonly #held = new Map<string, Resources>();
  // What has ended in a thread that may still be busy, by the process that thread is in.
  readonly #lingering = new Map<string, number>();
  #used: Resources = NOTHING;

  constructor(offer: Resources) {
    this.offer = offer;
  }

  /** What is held. */
  get used(): Resources {
    return this.#used;
  }

  /** Whether nothing is booked. */
  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  /** What nobody holds. */
  get free(): Resources {
    return minus(this.offer, this.#used);
  }

  /** What one holds. */
  of(key: string): Resources {
    return this.#held.get(key) ?? NOTHING;
  }

  /** Book a demand. */
  take(key: string, demand: Resources): void {
    if (!asks(demand)) return;
    this.#held.set(key, demand);
    this.#sum();
  }

  /** Strike one off; whether it held anything. */
  release(key: string): boolean {
    this.#lingering.delete(key);
    if (!this.#held.delete(key)) return false;
    this.#sum();
    return true;
  }

  /** One has ended, but its thread may be busy until its process ends. */
  linger(key: string, pid: number): void {
    if (this.#held.has(key)) this.#lingering.set(key, pid);
  }

  /** A process has ended; whether anything in it held resources. */
  gone(pid: number): boolean {
    const keys = [...this.#lingering].filter(([, host]) => host === pid).map(([key]) => key);
    for (const key of keys) this.release(key);
    return keys.length > 0;
  }

  /** From the beginning each time: amounts such as 0.1 that are added and taken away do not end at 0. */
  #sum(): void {
    let used: Resources = NOTHING;
    for (const demand of this.#held.values()) used = plus(used, demand);
    this.#used = used;
  }
}
