/**
 * edge-dispatcher: tasks as ES modules, dispatched over PostgreSQL to isolated workers, on Deno, Bun and Node.
 *
 * Every worker loads this file with the first task that imports it, so it is light: the client and all that it
 * needs are loaded when something is published.
 *
 * @example A task, in `tasks/examples/add.ts`
 * ```ts
 * import { task } from "edge-dispatcher";
 *
 * export default task((a: number, b: number) => a + b);
 * ```
 *
 * @example Publish it from anywhere
 * ```ts ignore
 * import { publish } from "edge-dispatcher";
 *
 * const published = await publish("examples/add", [1, 1]);
 * console.log(await published.result()); // 2
 * ```
 *
 * @module
 */
import type { Client } from "./runtime/client.ts";
import type { ConnectOptions } from "./runtime/connect.ts";
import type { PublishOptions } from "./runtime/envelope.ts";
import type { Extension } from "./runtime/extension.ts";
import type { Migrations } from "./runtime/store/migrate.ts";
import type { DispatcherNode, NodeOptions } from "./runtime/node.ts";
import { type Published, setTaskPublisher } from "./runtime/task.ts";

export { task } from "./runtime/task.ts";
export type {
  Call,
  Database,
  Published,
  StandardSchema,
  Task,
  TaskContext,
  TaskDefinition,
  TaskOptions,
  Transaction,
} from "./runtime/task.ts";
export { DispatcherError, type ErrorCode, type ErrorRecord } from "./runtime/errors.ts";
export type { Why } from "./runtime/why.ts";
export type { Discarded, FailureRow, Retried } from "./runtime/store/operator.ts";
export { Discard, Retry, type RetryOptions } from "./runtime/verdicts.ts";
export type { Client, ConnectOptions, DispatcherNode, Extension, Migrations, NodeOptions, PublishOptions };

// A script that has published ends by itself: the connections of the shared client close soon after their last use.
const IDLE_SECONDS = 1;
let shared: Promise<Client> | undefined;

/** The client that {@link publish} and the methods of tasks share; connects at the first use. */
export function client(): Promise<Client> {
  shared ??= connect({ idleSeconds: IDLE_SECONDS }).catch((error) => {
    shared = undefined;
    throw error;
  });
  return shared;
}

/**
 * Connect to the dispatchers of a database: DATABASE_URL, PG*, or the embedded server of this project.
 *
 * @throws {DispatcherError} `unavailable` or `config`.
 */
export async function connect(options?: ConnectOptions): Promise<Client> {
  return await (await import("./runtime/connect.ts" as string) as typeof import("./runtime/connect.ts"))
    .connect(options);
}

/**
 * Publish one envelope through the shared client. When this resolves it is in the database and will run, whatever
 * crashes.
 *
 * @param task Path of the task, such as `examples/add`.
 * @param args Positional arguments; plain JSON data.
 * @throws {DispatcherError} `invalid_task`, `invalid_args`, `invalid_queue`, `invalid_envelope`, `unavailable`.
 */
export async function publish<R = unknown>(
  task: string,
  args: unknown[] = [],
  options: PublishOptions = {},
): Promise<Published<R>> {
  return await (await client()).publish<R>(task, args, options);
}

/** Publish to every live node; `result()` waits for all of them. */
export async function broadcast(
  task: string,
  args: unknown[] = [],
  options: Omit<PublishOptions, "queue"> = {},
): Promise<Published<Record<string, unknown>>> {
  return await publish(task, args, { ...options, queue: "broadcast" });
}

/** Start a dispatcher node inside this process; see `cli/main.ts dispatcher` for one of its own. */
export async function startNode(options: NodeOptions): Promise<DispatcherNode> {
  return await (await import("./runtime/node.ts" as string) as typeof import("./runtime/node.ts")).startNode(
    options,
  );
}

/** Close the shared client, if there is one. */
export async function close(): Promise<void> {
  const closing = shared;
  shared = undefined;
  await (await closing)?.close();
}

setTaskPublisher(async () => {
  const { taskPublisher }: typeof import("./runtime/task_publisher.ts") = await import(
    "./runtime/task_publisher.ts" as string
  );
  return taskPublisher(await client());
});
