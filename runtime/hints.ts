/**
 * "It is settled": one subscription for all who wait for an outcome in this process. A hint may be lost, so it
 * only cuts a wait short; the database has the truth.
 *
 * @module
 */
import { SETTLED_CHANNEL } from "./broker/channels.ts";
import type { Broker } from "./broker/broker.ts";

/** How long the subscription outlives the last who waited: the next one does not wait for it then. */
const LINGER_MS = 2_000;
/** Hints that nobody waited for, and that are remembered. */
const EARLY = 1_000;

/** Who waits for which uuid. */
export class Hints {
  readonly #broker: Broker;
  // One entry a uuid that somebody waits for; the subscription is there while there is one, and a little longer.
  readonly #waiting = new Map<string, Set<() => void>>();
  #subscription: Promise<() => Promise<void>> | undefined;
  #linger: ReturnType<typeof setTimeout> | undefined;
  // Written when the subscription is made and when it is given up.
  #open = false;
  // The last of those for whom nobody waited: its publisher may be about to, and have been slower than the task.
  readonly #early = new Set<string>();

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** Whether no hint about what was published a moment ago was missed, and whoever asks for it now will miss none. */
  hearsAll(uuid: string): boolean {
    return this.#open && !this.#early.has(uuid);
  }

  /** Call `hint` whenever something may have happened to the uuid, until the returned function is called. */
  async on(uuid: string, hint: () => void): Promise<() => void> {
    clearTimeout(this.#linger);
    const hints = this.#waiting.get(uuid) ?? new Set();
    this.#waiting.set(uuid, hints.add(hint));
    const subscription = this.#subscription ??= this.#broker.listen([SETTLED_CHANNEL], {
      gap: () => this.#tell([...this.#waiting.keys()]),
      message: (_channel, payload) => this.#tell(payload.split(",")),
    });
    const off = () => {
      hints.delete(hint);
      if (hints.size === 0 && this.#waiting.get(uuid) === hints) this.#waiting.delete(uuid);
      if (this.#waiting.size > 0) return;
      clearTimeout(this.#linger);
      this.#linger = setTimeout(() => void this.close(), LINGER_MS);
    };
    try {
      await subscription;
      this.#open ||= this.#subscription === subscription;
    } catch (error) {
      this.#subscription = undefined;
      off();
      throw error;
    }
    return off;
  }

  /** End the subscription. */
  async close(): Promise<void> {
    clearTimeout(this.#linger);
    const unlisten = this.#subscription;
    this.#subscription = undefined;
    this.#open = false;
    // One that could not be made has told those who waited for it.
    await unlisten?.then((end) => end(), () => {});
  }

  #tell(uuids: string[]): void {
    for (const uuid of uuids) {
      const hints = this.#waiting.get(uuid);
      if (hints) hints.forEach((hint) => hint());
      else this.#keep(uuid);
    }
  }

  #keep(uuid: string): void {
    this.#early.add(uuid);
    if (this.#early.size > EARLY) this.#early.delete(this.#early.values().next().value!);
  }
}
