/**
 * A channel: how messages of one kind travel.
 *
 * @module
 */
import type { Message } from "../message.ts";

/** One way to one or more recipients. */
export interface Channel {
  /** By what they are kept: addresses, or where a webhook is, without its secrets. */
  readonly recipients: readonly string[];
  /**
   * Send to one of them.
   *
   * @throws {DeliveryError} Without secrets.
   */
  send(delivery: Delivery): Promise<void>;
}

/** One message to one recipient. */
export interface Delivery {
  recipient: string;
  message: Message;
  /** The same for each try, so that who takes it twice can tell. */
  key: string;
  signal: AbortSignal;
}
