/**
 * Publishing inside of a transaction: rolled back, nothing was sent.
 *
 * @module
 */
import type { ClientParts } from "./client_parts.ts";
import { coalesce } from "./coalesce.ts";
import { DEFAULT_QUEUE, type PublishOptions, seal, type Sealed } from "./envelope.ts";
import { contentLength } from "./packing.ts";
import type { Publisher } from "./publisher.ts";
import type { Put } from "./store/store.ts";
import type { TaskContext, Transaction } from "./task.ts";

/** An envelope that is sent with its transaction; `wake` is for after the commit. */
export interface SentWith {
  uuid: string;
  known: boolean;
  duplicateOf: string | null;
  wake(): void;
}

/** Envelopes in one statement at most. */
const BATCH = 500;

/** What a client does in transactions. */
export class Transactional {
  readonly #parts: Pick<ClientParts, "publishIn" | "transaction" | "clock">;
  readonly #publisher: Publisher;
  /** By transaction, while somebody has it. */
  readonly #puts = new WeakMap<object, (envelope: Sealed) => Promise<Put>>();

  constructor(parts: Pick<ClientParts, "publishIn" | "transaction" | "clock">, publisher: Publisher) {
    this.#parts = parts;
    this.#publisher = publisher;
  }

  /** What `Client.publishIn()` does. */
  async publishIn(
    transaction: unknown,
    task: string,
    args: unknown[],
    options: PublishOptions,
  ): Promise<SentWith> {
    return await this.#publisher.traced(
      [seal(task, args, options, this.#parts.clock.now())],
      async ([sealed]) => {
        const envelope = await this.#publisher.pack(sealed);
        const { isNew, duplicateOf } = await this.#putIn(transaction as object)(envelope);
        const known = !isNew && duplicateOf === null;
        return { uuid: envelope.uuid, known, duplicateOf, wake: () => this.#publisher.wake(envelope) };
      },
    );
  }

  /** What `Client.transaction()` does. */
  async run<R>(work: (tx: Transaction, publish: TaskContext["publish"]) => R | Promise<R>): Promise<R> {
    const wakes: (() => void)[] = [];
    const value = await this.#parts.transaction((tx) =>
      work(tx, async (task, args = [], options = {}) => {
        const { uuid, known, duplicateOf, wake } = await this.publishIn(tx, task, args, options);
        wakes.push(wake);
        return { uuid, queue: options.queue ?? DEFAULT_QUEUE, known, duplicateOf };
      })
    );
    for (const wake of wakes) wake();
    return value;
  }

  /** Those that are on their way at once in one transaction share a statement. */
  #putIn(transaction: object): (envelope: Sealed) => Promise<Put> {
    const known = this.#puts.get(transaction);
    if (known) return known;
    const put = coalesce((batch: Sealed[]) => this.#parts.publishIn(transaction, batch), {
      max: BATCH,
      sizeOf: contentLength,
    });
    this.#puts.set(transaction, put);
    return put;
  }
}
