/**
 * What may lie beside the tasks as `extension.ts`: tables, schedules, commands and pages of their own. Nodes, the command
 * line and the dashboard load it with the tasks root; the runtime knows nothing of what is in it.
 *
 * @module
 */
import { statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { type Config, type OnStart, onStartSchema } from "./config.ts";
import { DispatcherError } from "./errors.ts";
import type { Chapter } from "./http/view/book.ts";
import { type ScheduleDefinition, scheduleSchema } from "./schedule.ts";
import type { Migrations } from "./store/migrate.ts";

/**
 * What the default export of `tasks/extension.ts` may have. Keep the module light: every node loads it, and the command
 * line does for words that it does not know.
 *
 * @example
 * ```ts ignore
 * import type { Extension } from "edge-dispatcher";
 *
 * export default {
 *   name: "crm",
 *   migrations: {
 *     schema: "crm",
 *     directory: new URL("./crm/migrations/", import.meta.url),
 *     list: [{ version: 1, name: "0001_customers", worksWith: 1 }],
 *   },
 *   schedules: { "crm: nightly": { task: "crm/nightly", cron: "0 3 * * *" } },
 *   commands: async () => (await import("./crm/commands.ts")).commands,
 *   pages: async () => (await import("./crm/pages.ts")).chapter,
 * } satisfies Extension;
 * ```
 */
export interface Extension {
  /** For messages. */
  name: string;
  /** What its commands are for, a line of the help. */
  summary?: string;
  /** Tables of its own, which nodes and commands bring up to date before anything else. */
  migrations?: Migrations;
  /** Schedules besides those of the configuration, which goes before them where a name is the same. */
  schedules?: Record<string, Partial<ScheduleDefinition> & Pick<ScheduleDefinition, "task">>;
  /** Published when a node starts. */
  onStart?: (Partial<OnStart> & Pick<OnStart, "task">)[];
  /** Commands by name, one word or two; see `edge-dispatcher/command`. */
  commands?(): Promise<Readonly<Record<string, unknown>>>;
  /** Pages and actions of the dashboard; see `edge-dispatcher/view`. Loaded by the first request. */
  pages?(): Promise<Chapter>;
}

/** An extension with its schedules checked. */
export interface LoadedExtension extends Omit<Extension, "schedules" | "onStart"> {
  schedules: Record<string, ScheduleDefinition>;
  onStart: OnStart[];
}

const migrationSchema = z.strictObject({
  version: z.int().min(1),
  name: z.string().regex(/^\w+$/),
  worksWith: z.int().min(1),
});
const shape = z.object({
  name: z.string().min(1),
  summary: z.string().min(1).optional(),
  migrations: z.strictObject({
    schema: z.string().regex(
      /^(?!dispatcher$)[a-z_][a-z0-9_]{0,62}$/,
      "it is no name of a schema of its own",
    ),
    directory: z.instanceof(URL),
    list: z.array(migrationSchema).min(1),
  }).optional(),
  schedules: z.record(z.string().min(1).max(200), scheduleSchema).default({}),
  onStart: z.array(onStartSchema).default([]),
});
const FILES = ["extension.ts", "extension.js", "extension.mjs"];

/**
 * Load the extension of a tasks root; undefined where there is none, or where `extension` is off.
 *
 * @throws {DispatcherError} `config` when it is none.
 */
export async function loadExtension(
  { tasks, extension }: Pick<Config, "tasks" | "extension">,
): Promise<LoadedExtension | undefined> {
  if (extension === "off") return undefined;
  const file = FILES.map((name) => join(tasks, name)).find((path) =>
    statSync(path, { throwIfNoEntry: false })?.isFile()
  );
  if (file === undefined) return undefined;
  const found = (await import(pathToFileURL(file).href)).default as Extension;
  const checked = shape.safeParse(found);
  if (!checked.success) {
    const [{ path, message }] = checked.error.issues;
    throw new DispatcherError("config", `Cannot use the extension "${file}": ${path.join(".")}: ${message}`);
  }
  return { ...found, ...checked.data };
}
