/**
 * The port of the runtime: the few things that Deno, Bun and Node do differently. Everything else uses `node:`
 * modules and web standards, which the three share.
 *
 * @module
 */

/** The runtimes by name. */
export type RuntimeName = "deno" | "bun" | "node";

/** A thread as its owner sees it. Messages are strings: the fastest form on every runtime. */
export interface Thread {
  post(message: string): void;
  /**
   * Ask the engine to stop it, whatever it does. Resolves to true when it is known to be gone, to false when
   * that cannot be known: Deno does not stop a busy thread and does not say so, and nobody stops native code.
   */
  terminate(): Promise<boolean>;
}

/** What a thread tells its owner. */
export interface ThreadEvents {
  message(text: string): void;
  /** It ended by itself: an uncaught error, exhausted memory, an exit. Not called after terminate(). */
  ended(reason: { name: string; message: string; stack?: string }): void;
}

/** Limits of one thread. */
export interface ThreadLimits {
  /** Heap at most, in MB; Node alone can hold a single thread to it. */
  memoryMb: number;
}

/** How to start a module as a process of the same runtime. */
export interface Command {
  file: string;
  args: string[];
  env: Record<string, string>;
}

/** An HTTP server to start. */
export interface ServeOptions {
  hostname: string;
  /** 0: one that is free. */
  port: number;
  /** `address` is that of the other side. */
  fetch(request: Request, address: string): Promise<Response>;
}

/** An HTTP server that listens. */
export interface Served {
  readonly port: number;
  /** Take no more and end what is open; streams must have been told before. */
  close(): Promise<void>;
}

/** What a child may do on a runtime that can hold it to that, which is Deno. */
export interface Confinement {
  /** What the operator allows, as words of `pool.task_permissions`; unless told, what this process may do. */
  permissions?: readonly string[];
  /** Paths that it needs to read besides our own code. */
  read: string[];
  /** `HOST:PORT` that it needs to reach. */
  net: string[];
}

/** The port. */
export interface Platform {
  readonly name: RuntimeName;
  readonly version: string;
  /** Threads that one process may carry unless somebody says otherwise: as many as may go down with one of them. */
  readonly threadsAtMost: number;
  /** The command that runs a module of ours; `memoryMb` bounds the heap of each of its threads where it can. */
  command(module: URL, options?: { memoryMb?: number; confine?: Confinement }): Command;
  /** Why no child can be started from here, if so. */
  lacks(): string | undefined;
  /** What a signal that ended a process of this runtime means, where it means more than its name says. */
  deathNote(signal: string | null): string | undefined;
  /** Serve HTTP; rejects when the system refuses the address. */
  serve(options: ServeOptions): Promise<Served>;
  /** Start a thread on a module of ours. */
  spawnThread(module: URL, limits: ThreadLimits, events: ThreadEvents): Thread;
}
