/**
 * What a client is made of.
 *
 * @module
 */
import type { Broker } from "./broker/broker.ts";
import type { Clock } from "./clock.ts";
import type { PublishOptions, Sealed } from "./envelope.ts";
import type { Packing } from "./packing.ts";
import type { RollupStore } from "./store/rollup.ts";
import type { Put, Store } from "./store/store.ts";
import type { Database, Transaction } from "./task.ts";

/** What a client is made of. */
export interface ClientParts {
  store: Store;
  broker: Broker;
  clock: Clock;
  /** Write inside a transaction of the caller's. */
  publishIn(transaction: unknown, batch: Sealed[]): Promise<Put[]>;
  /** By default: the usual limit, and no encryption. */
  packing?: Packing;
  /** Hears of each envelope that was written. */
  published?(queue: string): void;
  rollups: Pick<RollupStore, "read">;
  /** The pool behind it. */
  database(): Database;
  transaction<R>(work: (tx: Transaction) => R | Promise<R>): Promise<R>;
  close(): Promise<void>;
}

/** A call in a batch. */
export interface BatchCall extends PublishOptions {
  task: string;
  args?: unknown[];
}
