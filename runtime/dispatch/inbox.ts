/**
 * What comes over the broker on the channels of this node: task messages become rows, control messages are
 * answered, chunks are put together. Nothing is run from here: a burst waits in the table, not in memory.
 *
 * @module
 */
import { Assembler } from "../broker/chunks.ts";
import type { Broker } from "../broker/broker.ts";
import { readWire, type Wire } from "../broker/wire.ts";
import type { Clock } from "../clock.ts";
import { coalesce } from "../coalesce.ts";
import { answer as answerOf, type Command, reply } from "../control/control.ts";
import { DispatcherError, errorLine } from "../errors.ts";
import type { Events } from "../events.ts";
import { contentLength } from "../packing.ts";
import { wakesOf } from "../publisher.ts";
import type { Work } from "../service/service.ts";
import type { Adoption, Store } from "../store/store.ts";

/** What an inbox works with. */
export interface InboxParts {
  node: string;
  store: Store;
  broker: Broker;
  clock: Clock;
  events: Events;
  /** Channels whose messages every node runs. */
  everyNode: ReadonlySet<string>;
  /** Seconds that an incomplete message waits for its chunks. */
  chunkTimeout: number;
  /** Bytes of JSON that the arguments of a message may have. */
  maxArgsBytes?: number;
  commands: Readonly<Record<string, Command>>;
  /** This node has work, and so have these queues, now or ("") later. */
  wake(queues: string[]): void;
}

type ControlMessage = Extract<Wire, { kind: "control" }>;

const ADOPT_BATCH = 500;
const ADOPT_TRIES = 8;
const SWEEP_MS = 60_000;

/** Takes messages in. */
export class Inbox {
  readonly #parts: InboxParts;
  readonly #assembler: Assembler;
  readonly #adopt: (message: Adoption) => Promise<void>;
  /** Messages and control messages that came. */
  readonly received = { messages: 0, controls: 0 };

  constructor(parts: InboxParts) {
    this.#parts = parts;
    this.#assembler = new Assembler(parts.chunkTimeout);
    this.#adopt = coalesce((batch: Adoption[]) => this.#write(batch), {
      max: ADOPT_BATCH,
      sizeOf: ({ envelope }) => contentLength(envelope),
    });
  }

  /**
   * Take a payload; never throws.
   *
   * @param answer Where the sender hears, if not on the channel that it names.
   */
  message(channel: string, payload: string, answer?: (text: string) => void): void {
    const { clock, events } = this.#parts;
    const wire = readWire(payload, channel, clock.now(), this.#parts.maxArgsBytes);
    switch (wire.kind) {
      case "chunk": {
        const { text, error } = this.#assembler.add(wire.chunk, clock.now());
        if (error) events.emit("warning", "wire.refused", error, { channel });
        if (text !== undefined) this.message(channel, text, answer);
        return;
      }
      case "refused":
        return events.emit("warning", "wire.refused", wire.why, { channel });
      case "control":
        this.received.controls++;
        return void this.#control(wire, answer);
      case "task": {
        this.received.messages++;
        const everyNode = this.#parts.everyNode.has(channel);
        this.#adopt({ envelope: wire.envelope, anonymous: wire.anonymous, everyNode }).catch((error) => {
          events.emit("error", "wire.lost", `Message could not be stored: ${errorLine(error)}`, {
            uuid: wire.envelope.uuid,
          });
        });
      }
    }
  }

  /** Take a task message for this node, as `run` gives it; resolves when it is written. */
  async run(message: Record<string, unknown>): Promise<void> {
    const { node, clock } = this.#parts;
    const wire = readWire(JSON.stringify(message), node, clock.now(), this.#parts.maxArgsBytes);
    if (wire.kind === "refused") throw new DispatcherError("invalid_envelope", wire.why);
    if (wire.kind !== "task") {
      throw new DispatcherError("invalid_envelope", "Cannot run a message without a task");
    }
    this.received.messages++;
    await this.#adopt({ envelope: wire.envelope, anonymous: false, everyNode: false });
  }

  /** What chunked messages have come, and which are incomplete. */
  chunks(): { status: Assembler["status"]; partials: ReturnType<Assembler["partials"]> } {
    return { status: this.#assembler.status, partials: this.#assembler.partials() };
  }

  /** Gives up messages whose chunks do not come. */
  sweeper(): Work {
    return {
      name: "chunk sweeper",
      retryMs: SWEEP_MS,
      once: () => {
        const { clock, events } = this.#parts;
        for (const line of this.#assembler.sweep(clock.now())) events.emit("error", "wire.incomplete", line);
        return Promise.resolve(SWEEP_MS);
      },
    };
  }

  /** The sender has forgotten the message, so it is written with patience. */
  async #write(batch: Adoption[]): Promise<void[]> {
    const { store, node, clock } = this.#parts;
    for (let attempt = 1;; attempt++) {
      try {
        const taken = await store.adopt(node, batch);
        if (taken > 0) this.#parts.wake([...new Set(batch.flatMap((message) => this.#wakesOf(message)))]);
        return batch.map(() => undefined);
      } catch (error) {
        if (attempt >= ADOPT_TRIES) throw error;
        await clock.sleep(Math.min(5_000, 100 * 2 ** attempt));
      }
    }
  }

  /** Whoever consumes the queue may have room for it; what every node runs itself is in this node's own queue. */
  #wakesOf({ envelope, everyNode }: Adoption): string[] {
    const { node } = this.#parts;
    return wakesOf(everyNode ? { ...envelope, queue: node } : envelope).filter((queue) => queue !== node);
  }

  async #control({ command, data, replyTo }: ControlMessage, answer?: (text: string) => void): Promise<void> {
    const { commands, node, broker, events } = this.#parts;
    const message = await answerOf(commands, node, command, data);
    if (replyTo === null) return;
    if (answer) return answer(JSON.stringify(message));
    try {
      await reply(broker, replyTo, message);
    } catch (error) {
      events.emit("warning", "control.reply", `Answer to "${command}" was not sent: ${errorLine(error)}`);
    }
  }
}
