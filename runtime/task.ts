/**
 * `task()`: what makes a function or a class with `run()` a task. This file is loaded by every worker and every
 * publisher, so it imports nothing that costs: publishing is handed to it by `mod.ts`.
 *
 * @module
 */
import type { Backoff } from "./backoff.ts";
import type { ISql, Sql } from "postgres";
import type { PublishOptions } from "./envelope.ts";

/** A task is known by this brand and not by `instanceof`: one made through another copy of this file counts. */
export const TASK_BRAND: unique symbol = Symbol.for("edge-dispatcher.task") as never;

/** The part of the Standard Schema interface that is used; zod, valibot and arktype all have it. */
export interface StandardSchema<Output = unknown> {
  readonly "~standard": {
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly output: Output } | undefined;
  };
}
type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
    readonly issues: ReadonlyArray<
      { readonly message: string; readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> }
    >;
  };

/** A transaction: the tagged template of the `postgres` package, with its `unsafe`, `json`, `array` and the like. */
export type Transaction = ISql;

/** A pool of connections of the `postgres` package. */
export type Database = Sql;

/** What a bound task gets as its first argument. */
export interface TaskContext {
  /** The envelope's uuid; for a broadcast, the one that the publisher knows. */
  readonly uuid: string;
  /** From 1. */
  readonly attempt: number;
  /** Host process and slot that run it, as `status` prints them. */
  readonly workerId: string;
  /** The node that runs it. */
  readonly node: string;
  /**
   * The W3C traceparent of this attempt's span, or of its publisher's where the node does not trace: go on with the
   * trace from here (docs/tracing.md).
   */
  readonly traceparent?: string;
  /** Aborts on timeout, cancel, shutdown and preemption; `signal.reason.name` says which. Pass it on to what you call. */
  readonly signal: AbortSignal;
  /** Keep a value that `show` displays while the task runs; JSON, the last one wins. */
  progress(value: unknown): void;
  /** Write a line to the node's log, with this envelope's uuid, task and attempt. */
  log(message: string, level?: "debug" | "info" | "warning" | "error"): void;
  /**
   * Ask the node that runs this, as `dispatcherctl` would, without the broker.
   *
   * @example
   * ```ts ignore
   * const running = await context.control("running", { task: "examples/sleep" });
   * ```
   */
  control(command: string, data?: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Publish a follow-up through the node, which has the connection already. */
  publish(
    task: string,
    args?: unknown[],
    options?: PublishOptions,
  ): Promise<{ uuid: string; queue: string; known: boolean; duplicateOf: string | null }>;
  /**
   * Run statements in the dispatcher's database and complete this attempt, in one transaction: both happen, exactly
   * once, or neither does. What the function returns is the result of the attempt, whatever the task does afterwards.
   * Once an attempt; one that was rolled back may be tried again.
   *
   * @param work Gets the transaction, and a `publish` whose envelopes are sent with it.
   * @throws {DispatcherError} `stale` when the attempt is no longer this node's; the work's own error; all of it is
   * rolled back then. `unavailable` when the commit's outcome cannot be learnt.
   *
   * @example
   * ```ts ignore
   * await context.transaction(async (tx) => {
   *   await tx`update account set balance = balance - ${amount} where id = ${id}`;
   * });
   * ```
   */
  transaction<R>(work: (tx: Transaction, publish: TaskContext["publish"]) => R | Promise<R>): Promise<R>;
  /**
   * Connections to the dispatcher's database, which the attempts of this worker share: at most two, closed when they
   * are idle for some seconds. What runs over them is the task's own affair; see {@link transaction} for what is to
   * happen exactly once.
   *
   * @example
   * ```ts ignore
   * const sql = await context.database();
   * const [{ count }] = await sql`select count(*)::int count from account`;
   * ```
   */
  database(): Promise<Database>;
}

/** How a task is delivered and run, unless the call says otherwise. */
export interface TaskOptions<A extends unknown[]> {
  /** Queue to publish to: its name, or a function of the arguments. By default `default`. */
  queue?: string | ((...args: A) => string);
  /** Seconds after which an attempt is aborted, and killed a second later. By default there is no limit. */
  timeout?: number;
  /** Pass a {@link TaskContext} as the first argument. */
  bind?: boolean;
  /** Schema of the positional arguments as an array; checked when publishing and again before running. */
  args?: StandardSchema<A>;
  /** Attempts at most, by default 1: a failed task is not tried again unless it says that it may be. */
  maxAttempts?: number;
  /**
   * When a failed attempt is tried again: always so many seconds later, or growing delays, or a function of the
   * attempt (from 1) and what was thrown, which gives seconds and runs in the worker. Numbers and growing delays
   * have jitter unless it is 0; what the function gives is taken as it is. By default what the node says.
   */
  backoff?: number | Partial<Backoff> | ((attempt: number, error: unknown) => number | Promise<number>);
  /** Smaller runs earlier, by default 0. */
  priority?: number;
  /** What it needs of its node while it runs, such as `{ cpu: 2, memoryMb: 512, gpu: 1 }`; by default nothing. */
  resources?: Readonly<Record<string, number>>;
  /** It may be stopped for something more urgent (`signal.reason.name` is `Preempted`), and runs again later. */
  preemptible?: boolean;
  /** The task's path, where it cannot be told from the file it is in (bundled code). */
  name?: string;
}

/** Where a published envelope can be followed. */
export interface Published<R> {
  readonly uuid: string;
  readonly queue: string;
  /** True when the uuid was known already: nothing was published. */
  readonly known: boolean;
  /** The equal envelope for whose sake this one was dropped, by `onDuplicate`; `result()` is that one's then. */
  readonly duplicateOf: string | null;
  /**
   * Wait for the outcome.
   *
   * @param options.within Seconds to wait, by default 300.
   * @throws {DispatcherError} `task_failed` with the task's error as its cause, or `timeout`.
   */
  result(options?: { within?: number; signal?: AbortSignal }): Promise<R>;
}

type Prefix<A extends unknown[]> = A extends [...infer Head, infer _] ? A | Prefix<Head> : A;
/** A call with options: the arguments may leave out the last one, which kwargs stand for. */
export type Call<A extends unknown[]> = PublishOptions & { args?: Prefix<A> };

/** What `task()` returns: call it to run it here, or publish it. */
export interface Task<A extends unknown[], R> {
  /** Run it here and now, in this process. */
  (...args: A): R;
  /**
   * Publish it, with options when given as an object.
   *
   * @example
   * ```ts ignore
   * await add.applyAsync([1, 1]);
   * await add.applyAsync({ args: [1, 1], queue: "node-1", delay: 5 });
   * ```
   */
  applyAsync(call: A | Call<A>): Promise<Published<Awaited<R>>>;
  /** Publish it with these arguments. */
  delay(...args: A): Promise<Published<Awaited<R>>>;
  readonly options: TaskOptions<A>;
  readonly [TASK_BRAND]: TaskDefinition;
}

/** What the executor needs to know of a task. */
export interface TaskDefinition {
  // deno-lint-ignore no-explicit-any
  readonly invoke: (...args: any[]) => unknown;
  // deno-lint-ignore no-explicit-any
  readonly options: TaskOptions<any[]>;
  /** URL of the module that made it, as far as the engine's stack tells. */
  readonly module: string | undefined;
}

/** Publishes for a task object; put in place by `mod.ts`, so that workers do not load a client they never use. */
export interface TaskPublisher {
  publish(
    task: Task<never[], unknown>,
    call: PublishOptions & { args: unknown[] },
  ): Promise<Published<unknown>>;
  publishName(task: string, args: unknown[], options: PublishOptions): Promise<Published<unknown>>;
  database(): Database;
}
// Written once by mod.ts, read by applyAsync.
let publisher: () => Promise<TaskPublisher> = () =>
  Promise.reject(new Error("Import task from edge-dispatcher"));
export function setTaskPublisher(load: () => Promise<TaskPublisher>): void {
  publisher = load;
}

type Bound<A extends unknown[], R> = (context: TaskContext, ...args: A) => R;
type Runs<F> = new () => { run: F };

/**
 * Make a task of a function or of a class with `run()`. Export the result from a file under `tasks/`: the
 * default export of `tasks/a/b.ts` is the task `a/b`, an export `name` is `a/b#name`.
 *
 * @example
 * ```ts
 * import { task } from "edge-dispatcher";
 *
 * const add = task((a: number, b: number) => a + b);
 * add(1, 1); // 2
 *
 * const walk = task({ bind: true, timeout: 60 }, async (context, dir: string) => {
 *   context.progress({ dir });
 *   context.signal.throwIfAborted();
 *   return await Promise.resolve(dir.length);
 * });
 * ```
 */
export function task<A extends unknown[], R>(run: ((...args: A) => R) | Runs<(...args: A) => R>): Task<A, R>;
export function task<A extends unknown[], R>(
  options: TaskOptions<A> & { bind: true },
  run: Bound<A, R> | Runs<Bound<A, R>>,
): Task<A, R>;
export function task<A extends unknown[], R>(
  options: TaskOptions<A> & { bind?: false },
  run: ((...args: A) => R) | Runs<(...args: A) => R>,
): Task<A, R>;
// deno-lint-ignore no-explicit-any
export function task(...given: any[]): any {
  const [options, target] = given.length > 1 ? given : [{}, given[0]];
  if (typeof target !== "function") {
    throw new TypeError(
      `Cannot make a task of ${target === null ? "null" : typeof target}: pass a function or a class`,
    );
  }
  const invoke = isClass(target)
    ? (...args: unknown[]) => new (target as Runs<(...a: unknown[]) => unknown>)().run(...args)
    : target as (...args: unknown[]) => unknown;
  const made = (...args: unknown[]) => options.bind ? invoke(localContext(), ...args) : invoke(...args);
  const definition: TaskDefinition = { invoke, options, module: callerModule() };
  Object.defineProperty(made, "name", { value: target.name });
  return Object.assign(made, {
    options,
    [TASK_BRAND]: definition,
    async applyAsync(call: unknown[] | Call<unknown[]>) {
      const { args = [], ...rest } = Array.isArray(call) ? { args: call } : call;
      return await (await publisher()).publish(made as never, { ...rest, args });
    },
    async delay(...args: unknown[]) {
      return await (await publisher()).publish(made as never, { args });
    },
  });
}

/** The definition behind a value, or undefined when it is not a task. */
export function definitionOf(value: unknown): TaskDefinition | undefined {
  if (typeof value !== "function") return undefined;
  return (value as unknown as { [TASK_BRAND]?: TaskDefinition })[TASK_BRAND];
}

/** Check positional arguments against a task's schema; returns them as the schema leaves them. */
export async function checkArgs(
  schema: StandardSchema<unknown[]>,
  args: unknown[],
  name: string,
): Promise<unknown[]> {
  const result = await schema["~standard"].validate(args);
  if (!result.issues) return result.value;
  const issue = result.issues[0];
  const path = (issue.path ?? []).map((part) => typeof part === "object" ? part.key : part);
  const value = path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown>)?.[key as string],
    args,
  );
  // Loaded by the first call that does not fit: every worker loads this file. The error is kept and logged.
  const { redact }: typeof import("./redact.ts") = await import("./redact.ts" as string);
  const key = String(path.at(-1));
  const shown = (redact({ [key]: value }) as Record<string, unknown>)[key];
  const where = path.length
    ? `args[${path.map(String).join(".")}] ${JSON.stringify(shown) ?? "undefined"}`
    : "args";
  throw new ArgumentsError(`Arguments of "${name}" do not fit its schema: ${where}: ${issue.message}`);
}

/** The arguments of a call do not fit the task's schema; trying again would not help. */
export class ArgumentsError extends Error {
  override name = "ArgumentsError";
}

/** What a task returned cannot be kept; it has run, so it is not tried again. */
export class ResultError extends Error {
  override name = "ResultError";
}

function isClass(target: { prototype?: { run?: unknown } }): boolean {
  return typeof target.prototype?.run === "function";
}

/** A context for a task that is called directly: nothing aborts it and nobody sees its progress. */
function localContext(): TaskContext {
  return {
    uuid: crypto.randomUUID(),
    attempt: 1,
    workerId: "local",
    node: "local",
    signal: new AbortController().signal,
    progress: () => {},
    log: (message, level = "info") => console.error(`${level}: ${message}`),
    control: () =>
      Promise.reject(new Error("Cannot ask a node: this task was called directly and runs on none")),
    publish: async (task, args = [], options = {}) => {
      const { uuid, queue, known, duplicateOf } = await (await publisher()).publishName(task, args, options);
      return { uuid, queue, known, duplicateOf };
    },
    transaction: () => Promise.reject(new Error("Cannot complete an attempt: this task was called directly")),
    database: async () => (await publisher()).database(),
  };
}

/** The first file in the stack that is not this one: the module that called `task()`. */
function callerModule(): string | undefined {
  const own = stackFiles(new Error().stack ?? "");
  return own.find((file) => file !== own[0]);
}

function stackFiles(stack: string): string[] {
  const files: string[] = [];
  for (const line of stack.split("\n")) {
    const match = /(?:^at |\()(?:async )?(file:\/\/.+?|\/.+?|[A-Za-z]:\\.+?)(?:\?[^:/]*)?:\d+:\d+\)?$/.exec(
      line.trim(),
    );
    if (match) files.push(fileUrl(match[1]));
  }
  return files;
}

/** Bun's stacks have paths, Deno's have URLs in which a space is a space. */
function fileUrl(place: string): string {
  if (place.startsWith("file:")) return new URL(place).href;
  return new URL(`file://${place.replaceAll("%", "%25").replaceAll("#", "%23").replaceAll("?", "%3F")}`).href;
}
