/**
 * The ears of a node: one shared connection that LISTENs, a Unix socket if one is wanted, and where what is heard goes.
 *
 * ```text
 *  dispatcher_wake  QUEUE      ─► dispatcher.woken()      "broadcast" ─► deliver       "" ─► stager, scheduler
 *  dispatcher_hand_…  an envelope  ─► dispatcher.handed()
 *  a queue's name   a message  ─► inbox
 *  a gap            (anything may have been missed)  ─► all of the above but the inbox
 * ```
 *
 * @module
 */
import type { Broker } from "../broker/broker.ts";
import { WAKE_CHANNEL } from "../broker/channels.ts";
import { BROADCAST_QUEUE } from "../envelope.ts";
import { errorLine } from "../errors.ts";
import type { Events } from "../events.ts";
import type { Leader } from "../service/leader.ts";
import type { SelfCheck } from "../service/self_check.ts";
import type { Store } from "../store/store.ts";
import type { Announcer } from "./announcer.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Inbox } from "./inbox.ts";
import type { OnCall } from "./on_call.ts";

/** What the ears listen on, and whom they tell. */
export interface EarsParts {
  node: string;
  /** The queues it consumes; each is a channel. */
  queues: readonly string[];
  /** More channels, whose messages every node runs. */
  broadcastChannels: readonly string[];
  /** The channel on which it hears itself. */
  checkChannel: string;
  onCall: OnCall;
  broker: Broker;
  store: Pick<Store, "deliver">;
  events: Events;
  dispatcher: Dispatcher;
  leader: Leader;
  inbox: Inbox;
  selfCheck: SelfCheck;
  announcer: Announcer;
}

/** Listens for one node. */
export class Ears {
  readonly #parts: EarsParts;

  constructor(parts: EarsParts) {
    this.#parts = parts;
  }

  /** Begin to listen. */
  async open(): Promise<void> {
    const { broker, queues, broadcastChannels, checkChannel, onCall, selfCheck, inbox, dispatcher } =
      this.#parts;
    const channels = new Set([...queues, BROADCAST_QUEUE, ...broadcastChannels]);
    await broker.listen([WAKE_CHANNEL, checkChannel, onCall.channel, ...channels], {
      gap: () => {
        selfCheck.opened();
        onCall.listening();
        this.lookAround();
      },
      message: (channel, payload) => {
        selfCheck.heard(channel === checkChannel);
        if (channel === WAKE_CHANNEL) this.#woken(payload);
        else if (channel === onCall.channel) dispatcher.handed(payload);
        else if (channel !== checkChannel) inbox.message(channel, payload);
      },
    });
  }

  #woken(queue: string): void {
    const { leader, dispatcher, queues } = this.#parts;
    if (queue === "") leader.restage();
    else if (queue === BROADCAST_QUEUE) void this.deliver();
    else if (queues.includes(queue)) dispatcher.woken();
  }

  /** Look for all that may have been missed. */
  lookAround(): void {
    this.#parts.dispatcher.wake();
    this.#parts.leader.restage();
    void this.deliver();
  }

  /** Take the broadcasts that this node has not had into its own queue. */
  async deliver(): Promise<void> {
    const { store, node, dispatcher, announcer, events } = this.#parts;
    try {
      if (await store.deliver(node) === 0) return;
      dispatcher.wake();
      // One may be due later only.
      announcer.wake([""]);
    } catch (error) {
      events.emit("warning", "deliver.failed", `Broadcasts wait for the next heartbeat: ${errorLine(error)}`);
    }
  }
}
