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
  /** Settings worth a try: the documented ones first. Ours has none. */
  readonly candidates: Settings[];
  /** Make the schema, and the queue with settings of its own. */
  prepare(settings?: Settings): Promise<void>;
  publish(call: Call): Promise<void>;
  /** Publish as many as the peer's own batches take. */
  publishMany(calls: Call[]): Promise<void>;
  /** Whether the one that was published last is done and recorded. Reads one row, whatever the backlog. */
  lastIsDone(): Promise<boolean>;
  /** How many are not done yet. May read a table. */
  left(): Promise<number>;
  /** Begin to run what is published, in this process. Ours is a node, `cli/main.ts dispatcher`, instead. */
  work?(settings: Settings): Promise<void>;
}

/** Connect to a database. */
export type OpenPeer = (url: string) => Peer | Promise<Peer>;
