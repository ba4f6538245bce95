/**
 * Publishing by the task object instead of its name: finds out the name and applies the task's own options.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import { relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Client } from "./client.ts";
import { DispatcherError } from "./errors.ts";
import { readPolicy } from "./retry_policy.ts";
import { checkArgs, definitionOf, type TaskDefinition, type TaskPublisher } from "./task.ts";

// One entry a task object that was published from here.
const names = new WeakMap<object, string>();

/** The publisher that `applyAsync` and `delay` use. */
export function taskPublisher(client: Client): TaskPublisher {
  return {
    database: () => client.database(),
    publishName: (task, args, options) => client.publish(task, args, options),
    async publish(task, { args, ...call }) {
      const definition = definitionOf(task)!;
      const { options } = definition;
      const name = await taskName(task, definition);
      const policy = readPolicy({
        maxAttempts: options.maxAttempts,
        backoff: typeof options.backoff === "function" ? undefined : options.backoff,
      });
      if (typeof policy === "string") {
        throw new DispatcherError("invalid_task", `Cannot publish "${name}": its retry policy: ${policy}`);
      }
      if (options.args) await check(options.args, args, name);
      const queue = typeof options.queue === "function" ? options.queue(...args) : options.queue;
      return await client.publish(name, args, {
        queue,
        timeout: options.timeout,
        priority: options.priority,
        resources: options.resources,
        preemptible: options.preemptible,
        maxAttempts: options.maxAttempts,
        ...call,
      });
    },
  };
}

async function check(schema: NonNullable<TaskDefinition["options"]["args"]>, args: unknown[], name: string) {
  try {
    await checkArgs(schema, args, name);
  } catch (error) {
    throw new DispatcherError("invalid_args", `Cannot publish "${name}": ${(error as Error).message}`);
  }
}

/** The path of a task object: its module's place under the tasks root, and the export that it is. */
export async function taskName(task: object, { options, module }: TaskDefinition): Promise<string> {
  const known = options.name ?? names.get(task);
  if (known !== undefined) return known;
  const path = module === undefined ? undefined : pathUnderRoot(fileURLToPath(module));
  if (path === undefined) {
    throw new DispatcherError(
      "invalid_task",
      `Cannot tell the name of the task defined in ${
        module ?? "an unknown module"
      }: it lies under no tasks root; give task({ name })`,
    );
  }
  const exported = Object.entries(await import(module!)).find(([, value]) => value === task)?.[0];
  if (exported === undefined) {
    throw new DispatcherError(
      "invalid_task",
      `Cannot tell the name of a task defined in ${path}: it is not exported`,
    );
  }
  const name = exported === "default" ? path : `${path}#${exported}`;
  names.set(task, name);
  return name;
}

function pathUnderRoot(file: string): string | undefined {
  const withoutExtension = file.replace(/\.(ts|js|mjs)$/, "").split(sep);
  const configured = process.env.DISPATCHER_TASKS;
  if (configured) {
    const below = relative(realpathSync(configured), file.replace(/\.(ts|js|mjs)$/, ""));
    if (!below.startsWith("..")) return below.split(sep).join("/");
  }
  const at = withoutExtension.lastIndexOf("tasks", withoutExtension.length - 2);
  return at < 0 ? undefined : withoutExtension.slice(at + 1).join("/");
}
