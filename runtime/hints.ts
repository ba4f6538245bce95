/**
 * "It is settled": one subscription for all who wait for an outcome in this process. A hint may be lost, so it
 * only cuts a wait short; the database has the truth.
 *
 * @module
 */
import { SETTLED_CHANNEL } from "./broker/channels.ts";
import type { Broker } from "./broker/broker.ts";

/** Who waits for which uuid. */
export class Hints {
  readonly #broker: Broker;
  // One entry a uuid that somebody waits for; the subscription is there while there is one.
  readonly #waiting = new Map<string, Set<() => void>>();
  #subscription: Promise<() => Promise<void>> | undefined;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** Call `hint` whenever something may have happened to the uuid, until the returned function is called. */
  async on(uuid: string, hint: () => void): Promise<() => Promise<void>> {
    const hints = this.#waiting.get(uuid) ?? new Set();
    this.#waiting.set(uuid, hints.add(hint));
    this.#subscription ??= this.#broker.listen([SETTLED_CHANNEL], {
      gap: () => this.#tell([...this.#waiting.keys()]),
      message: (_channel, payload) => this.#tell(payload.split(",")),
    });
    const off = async () => {
      hints.delete(hint);
      if (hints.size === 0 && this.#waiting.get(uuid) === hints) this.#waiting.delete(uuid);
      if (this.#waiting.size > 0) return;
      const unlisten = this.#subscription;
      this.#subscription = undefined;
      await (await unlisten)?.();
    };
    try {
      await this.#subscription;
    } catch (error) {
      this.#subscription = undefined;
      await off();
      throw error;
    }
    return off;
  }

  #tell(uuids: string[]): void {
    for (const uuid of uuids) this.#waiting.get(uuid)?.forEach((hint) => hint());
  }
}
