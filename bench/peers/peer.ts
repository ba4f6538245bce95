/**
 * What a measurement asks of a queue, whichever it is.
 *
 * @module
 */

/** A task of `works.ts` and its arguments. */
export interface Call {
  task: string;
  args: unknown[];
}

/** Settings of a worker, by the names that the peer's own documentation has. */
export type Settings = Record<string, unknown>;

/** A queue in a database that is its own. */
export interface Peer {
  /** Settings worth a try for throughput, and for latency. Ours has its defaults only. */
  readonly candidates: Settings[];
  readonly quickest: Settings[];
  /** Make the schema, and the queue with settings of its own. */
  prepare(settings?: Settings): Promise<void>;
  publish(call: Call): Promise<void>;
  /** Publish as many as the peer's own batches take. */
  publishMany(calls: Call[]): Promise<void>;
  /** Publish, and resolve when the result is known here. */
  publishAndWait?(call: Call): Promise<void>;
  /** Whether the one that was published last is done and recorded. Reads one row, whatever the backlog. */
  lastIsDone(): Promise<boolean>;
  /** How many are not done yet. May read a table. */
  left(): Promise<number>;
  /**
   * Begin to run what is published, in this process. Ours is a node, `cli/main.ts dispatcher`, instead.
   *
   * @param idle Only listen: what is published is for others.
   */
  work?(settings: Settings, idle?: boolean): Promise<void>;
  /** What the task `stamp` has taken, where it does not run in a process of the peer's. */
  stamps?(): Promise<number[]>;
}

/** Connect to a database. */
export type OpenPeer = (url: string) => Peer | Promise<Peer>;
