/**
 * Settings: what operators change while it runs. Each worker keeps what it has read for a moment; a change is broadcast
 * and drops it everywhere (system/handle_setting_changes), and what a node missed it reads when the moment is over.
 *
 * @module
 */
import { z } from "zod";
import { DispatcherError } from "edge-dispatcher";
import { type Db, json } from "./rows.ts";

const seconds = z.number().min(0);

/** All settings with their defaults; times in seconds, 0 means none. */
export const settingsSchema = z.object({
  CALLBACK_QUEUE: z.enum(["direct", "postgres", "redis"]).default("direct")
    .describe(
      "Where events of jobs go: written by the job itself, or to a receiver through PostgreSQL or Redis",
    ),
  CALLBACK_REDIS_URL: z.string().default("redis://127.0.0.1:6379").describe("Redis of the callback receiver"),
  CALLBACK_REDIS_KEY: z.string().min(1).default("callback_tasks").describe("List in which events wait there"),
  PROJECTS_ROOT: z.string().min(1).default(".awx/projects").describe("Directory of the clones of projects"),
  JOB_ROOT: z.string().min(1).default(".awx/jobs").describe("Directory of the private directories of jobs"),
  HEARTBEAT_GRACE: z.number().positive().default(60).describe("Silence after which a node's jobs are reaped"),
  START_TASK_LIMIT: z.int().min(1).default(100).describe(
    "Jobs that one run of the task manager starts at most",
  ),
  TASK_MANAGER_TIMEOUT: z.number().positive().default(300).describe("After it a manager commits what it has"),
  TASK_MANAGER_PENDING_TIMEOUT: seconds.default(0).describe("A job that is pending for longer fails"),
  DEFAULT_JOB_TIMEOUT: seconds.default(0).describe("Of jobs whose template says nothing"),
  STDOUT_RETENTION_DAYS: z.number().positive().default(30).describe(
    "Days for which the output of jobs is kept",
  ),
});
export type Settings = z.infer<typeof settingsSchema>;
export type SettingKey = keyof Settings;
export const SETTING_KEYS = Object.keys(settingsSchema.shape) as SettingKey[];

/**
 * How long a value may be old where nobody told of its change, in milliseconds. A broadcast reaches one worker of each
 * node; the others, and nodes that were cut off, show a change within a second by this alone.
 */
const FRESH_MS = 500;

let kept: { settings: Settings; at: number } | undefined;

/** The settings; read from the database at most once a moment in this worker. */
export async function settings(db: Db): Promise<Settings> {
  if (kept && performance.now() - kept.at < FRESH_MS) return kept.settings;
  const found = await db.unsafe("select key, value from awx.setting");
  const values = Object.fromEntries(found.map(({ key, value }) => [key, value]));
  // What another version wrote must not stop this one: what does not fit is the default here.
  const read = Object.entries(settingsSchema.shape).map(([key, schema]) => {
    const parsed = schema.safeParse(values[key]);
    return [key, parsed.success ? parsed.data : schema.parse(undefined)];
  });
  kept = { settings: Object.fromEntries(read) as Settings, at: performance.now() };
  return kept.settings;
}

/** Forget what was read. */
export function dropSettings(): void {
  kept = undefined;
}

/**
 * Check a value for a setting.
 *
 * @throws {DispatcherError} `usage`, naming the setting and the value.
 */
export function checkSetting(key: string, value: unknown): SettingKey {
  const schema = settingsSchema.shape[key as SettingKey];
  if (!schema) {
    throw new DispatcherError("usage", `Unknown setting "${key}": there are ${SETTING_KEYS.join(", ")}`);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const why = parsed.error.issues[0].message;
    throw new DispatcherError("usage", `Cannot set ${key} to ${JSON.stringify(value)}: ${why}`);
  }
  return key as SettingKey;
}

/** Write a setting, checked; the caller broadcasts system/handle_setting_changes with its key. */
export async function writeSetting(db: Db, key: string, value: unknown): Promise<void> {
  checkSetting(key, value);
  await db.unsafe(
    `insert into awx.setting (key, value) values ($1::text, $2::text::jsonb)
     on conflict (key) do update set value = excluded.value, version = setting.version + 1,
       modified = clock_timestamp()`,
    [key, json(value)] as never[],
  );
  dropSettings();
}
