/**
 * What a node tells the others: that a queue has work, that something became due at another time, and that what
 * somebody waits for is settled. All of them are hints, and a lost one costs a poll.
 *
 * @module
 */
import { type Broker, PAYLOAD_BYTES } from "../broker/broker.ts";
import { SETTLED_CHANNEL, WAKE_CHANNEL } from "../broker/channels.ts";

/** A uuid and a comma. */
const UUID_BYTES = 37;

/** Speaks for one node. */
export class Announcer {
  readonly #broker: Pick<Broker, "notify">;

  constructor(broker: Pick<Broker, "notify">) {
    this.#broker = broker;
  }

  /** These queues have work; "" says that something became due at another time. */
  wake(queues: readonly string[]): void {
    for (const queue of queues) this.#broker.notify(WAKE_CHANNEL, queue).catch(() => {});
  }

  /** These envelopes, for which somebody waits, are settled. */
  settled(uuids: readonly string[]): void {
    const perMessage = Math.floor(PAYLOAD_BYTES / UUID_BYTES);
    for (let at = 0; at < uuids.length; at += perMessage) {
      this.#broker.notify(SETTLED_CHANNEL, uuids.slice(at, at + perMessage).join(",")).catch(() => {});
    }
  }
}
