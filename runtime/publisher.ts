/**
 * Publishing: where an envelope enters. Calls of one turn of the event loop share an INSERT; after its commit the
 * nodes are woken from the side.
 *
 * @module
 */
import type { Broker } from "./broker/broker.ts";
import { toPayloads } from "./broker/chunks.ts";
import { writeTask } from "./broker/wire.ts";
import type { TracerProvider } from "@opentelemetry/api";
import type { Clock } from "./clock.ts";
import { batchOf } from "./batch.ts";
import { coalesce } from "./coalesce.ts";
import { BROADCAST_QUEUE, type PublishOptions, seal, type Sealed } from "./envelope.ts";
import { DispatcherError } from "./errors.ts";
import { contentLength, Packing } from "./packing.ts";
import { publishSpan, registeredTracers } from "./publish_span.ts";
import type { Put, Store } from "./store/store.ts";

/** What a publisher works with. */
export interface PublisherParts {
  store: Pick<Store, "publish" | "wake">;
  broker: Pick<Broker, "notify">;
  clock: Clock;
  /** By default: the usual limit, and no encryption. */
  packing?: Packing;
  /** Hears of each envelope that was written. */
  published?(queue: string): void;
  /** What makes spans; by default the SDK that is registered in this process, if there is one. */
  tracers?(): TracerProvider | undefined;
}

/** An envelope that was published, or was not because of another. */
export interface Sent {
  uuid: string;
  queue: string;
  /** The uuid was known already: nothing was published. */
  known: boolean;
  /** The equal envelope for whose sake it was dropped. */
  duplicateOf: string | null;
  /** It travelled over the broker and is no row yet. */
  volatile: boolean;
}

const BATCH = 1_000;
const CLOSE_MS = 1_000;
/**
 * Without a statement for so long, the wake goes along with the next one: 0.4 ms sooner, but answered with it. Who
 * publishes more often would have to wait for each, and several share a wake that goes by itself.
 */
const QUIET_MS = 5;

/** Publishes for a client, and for the tasks of a node. */
export class Publisher {
  readonly #parts: PublisherParts;
  readonly #packing: Packing;
  readonly #put: (envelope: Sealed) => Promise<Put>;
  readonly #wake: (queue: string) => Promise<void>;
  // Queues whose nodes all look by themselves, until then.
  readonly #quietUntil = new Map<string, number>();
  // Those among them for which something was published meanwhile, and the wait for the end of that.
  readonly #owed = new Set<string>();
  #later: Promise<void> | undefined;
  readonly #closing = new AbortController();
  // Statements that are not answered, and when the last one was sent.
  #underway = 0;
  #writtenAt = -Infinity;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#packing = parts.packing ?? new Packing();
    // Woken behind the insert's transaction: a NOTIFY in it would hold a lock of the whole cluster over its fsync.
    this.#put = coalesce((batch: Sealed[]) => this.#write(batch), {
      max: BATCH,
      concurrency: 2,
      sizeOf: contentLength,
    });
    this.#wake = coalesce(async (queues: string[]) => {
      const sentAt = parts.clock.monotonic();
      const quiet = await parts.store.wake([...new Set(queues)]);
      for (const queue of quiet > 0 ? queues : []) this.#quietUntil.set(queue, sentAt + quiet);
      return queues.map(() => undefined);
    }, { max: BATCH });
  }

  /** Publish one call. */
  async publish(task: string, args: unknown[], options: PublishOptions): Promise<Sent> {
    const sealed = seal(task, args, options, this.#parts.clock.now());
    return await this.traced([sealed], ([envelope]) => this.#publish(envelope, options.volatile));
  }

  /** Within a span, where there is anybody to make one. */
  traced<T>(envelopes: Sealed[], publish: (envelopes: Sealed[]) => Promise<T>): Promise<T> {
    const tracers = this.#parts.tracers?.() ?? registeredTracers();
    return tracers ? publishSpan(tracers, envelopes, publish) : publish(envelopes);
  }

  async #publish(sealed: Sealed, volatile?: boolean): Promise<Sent> {
    const envelope = await this.pack(sealed);
    if (volatile) return await this.#send(envelope);
    const put = await this.#put(envelope);
    if (put.isNew) this.#parts.published?.(envelope.queue);
    return sentOf(envelope, put);
  }

  /** An envelope as it may be written: not too large, and encrypted where that is configured. */
  pack(envelope: Sealed): Promise<Sealed> {
    return this.#packing.pack(envelope);
  }

  /** Publish many sealed envelopes in as few statements as they take. */
  publishMany(given: Sealed[]): Promise<Sent[]> {
    return this.traced(given, (envelopes) => this.#publishMany(envelopes));
  }

  async #publishMany(given: Sealed[]): Promise<Sent[]> {
    const envelopes = await Promise.all(given.map((envelope) => this.pack(envelope)));
    const sent: Sent[] = [];
    while (sent.length < envelopes.length) {
      const at = sent.length;
      const batch = envelopes.slice(at, at + batchOf(envelopes, BATCH, contentLength, at));
      const put = await this.#write(batch);
      batch.forEach(({ queue }, i) => put[i].isNew && this.#parts.published?.(queue));
      sent.push(...batch.map((envelope, i) => sentOf(envelope, put[i])));
    }
    return sent;
  }

  /** Write envelopes and wake those who can run them, who learn of it soonest by a statement that is sent along. */
  async #write(batch: Sealed[]): Promise<Put[]> {
    const { store, clock } = this.#parts;
    const now = clock.monotonic();
    const isQuiet = this.#underway === 0 && now - this.#writtenAt >= QUIET_MS;
    const wakes = [...new Set(batch.flatMap(wakesOf))];
    this.#writtenAt = now;
    this.#underway++;
    try {
      const put = await store.publish(batch, isQuiet ? wakes : []);
      if (!isQuiet) this.#wakeAll(wakes);
      return put;
    } finally {
      this.#underway--;
    }
  }

  /** Wake those who can run it. A wake that is lost costs one safety poll, and its error is not the publisher's. */
  wake(envelope: Sealed): void {
    this.#wakeAll(wakesOf(envelope));
  }

  /** Asked when it is committed: who looks by itself does so once more when its time is over. */
  #wakeAll(wakes: string[]): void {
    const now = this.#parts.clock.monotonic();
    for (const wake of wakes) {
      const wait = (this.#quietUntil.get(wake) ?? -Infinity) - now;
      if (wait > 0) this.#wakeLater(wake, wait);
      else void this.#wakeNow(wake);
    }
  }

  #wakeNow(wake: string): Promise<void> {
    this.#quietUntil.delete(wake);
    return this.#wake(wake).catch(() => {});
  }

  /** Who promised to look may have died, or others have come: once that is over nobody is in doubt. */
  #wakeLater(wake: string, wait: number): void {
    this.#owed.add(wake);
    this.#later ??= this.#parts.clock.sleep(wait, this.#closing.signal).then(async () => {
      this.#later = undefined;
      const owed = [...this.#owed];
      this.#owed.clear();
      await Promise.all(owed.map((queue) => this.#wakeNow(queue)));
    });
  }

  /** Say what was put off; a database that does not answer is not waited for. */
  async close(): Promise<void> {
    this.#closing.abort();
    const over = new AbortController();
    await Promise.race([this.#later, this.#parts.clock.sleep(CLOSE_MS, over.signal)]);
    over.abort();
  }

  async #send(envelope: Sealed): Promise<Sent> {
    if (envelope.at !== null) {
      const what = `Cannot publish "${envelope.task}": a volatile message takes a delay, not a time`;
      throw new DispatcherError("invalid_envelope", what);
    }
    for (const payload of toPayloads(writeTask(envelope))) {
      await this.#parts.broker.notify(envelope.queue, payload);
    }
    const { uuid, queue } = envelope;
    return { uuid, queue, known: false, duplicateOf: null, volatile: true };
  }
}

/**
 * What to wake: the queue, and ("") the stager, where it may be due later or stand behind an equal one. Both, since a
 * time that is past by the database's clock makes it available at once.
 */
export function wakesOf({ queue, delay, at, unique }: Sealed): string[] {
  const staged = queue !== BROADCAST_QUEUE && (unique || delay !== null || at !== null);
  return staged ? [queue, ""] : [queue];
}

function sentOf({ uuid, queue }: Sealed, { isNew, duplicateOf }: Put): Sent {
  return { uuid, queue, known: !isNew && duplicateOf === null, duplicateOf, volatile: false };
}
