/**
 * The configuration: flag > environment > file > default, validated whole, and for every value where it came
 * from.
 *
 * @module
 */
import { hostname } from "node:os";
import { resolve } from "node:path";
import { z } from "zod";
import { type Backoff, DEFAULT_BACKOFF } from "./backoff.ts";
import { type EncryptionKey, keyFault, keysOf } from "./cipher.ts";
import { leavesOf, mergeTree, postgresUrl, putValue, readConfigFile, type Tree } from "./config_file.ts";
import { fromDispatcherd, isDispatcherd } from "./dispatcherd_config.ts";
import { BROADCAST_QUEUE, DEFAULT_QUEUE, queueName } from "./envelope.ts";
import { DispatcherError } from "./errors.ts";
import { type Level, LEVELS } from "./events.ts";
import {
  type Credential,
  credentialFault,
  credentialOf,
  credentialSchema,
  DEFAULT_HTTP,
  HTTP_OFF,
  httpAddress,
  isLoopback,
} from "./http_access.ts";
import { MAX_BYTES } from "./packing.ts";
import { isPermission } from "./platform/deno_permissions.ts";
import { DEFAULT_PREFIXES } from "./registry.ts";
import { type ScheduleDefinition, scheduleSchema } from "./schedule.ts";
import { offersGiven, type Scheduling, schedulingShape } from "./scheduling.ts";
import { didYouMean } from "./suggest.ts";

const positive = z.number().positive();
// json has at most 1 GB; half of it is what engines have as one text.
const bytes = z.int().min(1).max(256 * 1024 * 1024).default(MAX_BYTES);
const count = z.int().min(1).max(1_000);

const poolSchema = z.strictObject({
  min_workers: count.default(4).describe("Slots that are always there"),
  max_workers: count.default(60).describe("Slots at most"),
  slots_per_host: z.int().min(1).max(64).optional().describe(
    "Slots that share one child process, by default from 4 on more as the pool grows",
  ),
  abort_grace: positive.default(1).describe("Seconds from the abort of a task to its kill"),
  leaky_wait: positive.default(30).describe("Seconds that siblings of a thread that does not stop may go on"),
  scaledown_wait: positive.default(15).describe(
    "Seconds of disuse after which a slot above the minimum ends",
  ),
  worker_removal_wait: z.number().min(0).default(30).describe(
    "Seconds for which `workers` shows a worker that ended",
  ),
  worker_max_lifetime_seconds: positive.default(14_400).describe("Age at which an idle worker is replaced"),
  worker_max_tasks: z.int().min(0).default(0).describe(
    "Attempts after which a worker is replaced; 0: any number",
  ),
  worker_memory_mb: z.int().min(16).default(1_024).describe("Heap of one worker at most, in MB"),
  host_memory_mb: z.int().min(64).optional().describe("Resident memory of one host at most, in MB"),
  task_permissions: z.array(
    z.string().refine(isPermission, "it is no permission of Deno, such as net=api.example.com or read=/srv"),
  ).optional().describe("What tasks may do on Deno; unless told, what the node itself may"),
}).prefault({});

const backoffSchema = z.strictObject({
  base: positive.default(DEFAULT_BACKOFF.base).describe("Seconds after the first failure"),
  factor: z.number().min(1).default(DEFAULT_BACKOFF.factor),
  max: positive.default(DEFAULT_BACKOFF.max).describe("Seconds at most"),
  jitter: z.number().min(0).max(1).default(DEFAULT_BACKOFF.jitter),
}).prefault({});

export const onStartSchema = z.strictObject({
  task: z.string().min(1),
  args: z.array(z.unknown()).default([]),
  kwargs: z.record(z.string(), z.unknown()).default({}),
  scope: z.enum(["node", "cluster"]).default("node").describe("On every node, or on the first of a cluster"),
});
/** A task that is published when a node starts. */
export interface OnStart {
  task: string;
  args: unknown[];
  kwargs: Record<string, unknown>;
  scope: "node" | "cluster";
}

/** The schema of a configuration file. */
export const configSchema = z.strictObject({
  database_url: z.string().optional().describe("PostgreSQL to use; without one, an embedded server"),
  listen_url: z.string().optional().describe(
    "Direct address for LISTEN, where database_url leads to a pooler",
  ),
  prepared_statements: z.enum(["auto", "on", "off"]).default("auto").describe(
    "Named statements; auto: not through a pooler",
  ),
  embedded_dir: z.string().optional().describe("Data directory of the embedded server"),
  node: queueName.optional().describe("Name of the node and of its direct queue, by default the host's"),
  queues: z.array(queueName).min(1).default([DEFAULT_QUEUE]).describe("Shared queues"),
  broadcast_channels: z.array(queueName).default([]).describe("More channels whose messages every node runs"),
  tasks: z.string().default("tasks").describe("Root directory of the tasks"),
  task_prefixes: z.array(z.string()).default([...DEFAULT_PREFIXES]).describe(
    "Prefixes stripped from dotted names",
  ),
  task_allow: z.array(z.string()).default([]).describe("Paths that task names must begin with; none: any"),
  extension: z.enum(["on", "off"]).default("on").describe("Whether extension.ts of the tasks root is used"),
  max_attempts: z.int().min(1).default(1).describe("Attempts where neither message nor task says"),
  backoff: backoffSchema,
  pool: poolSchema,
  ...schedulingShape,
  max_args_bytes: bytes.describe("JSON that args and kwargs of an envelope may have together"),
  max_result_bytes: bytes.describe("JSON that a result may have"),
  output_lines: z.int().min(0).max(100_000).default(1_000).describe(
    "Lines of what an attempt prints that are kept; 0: none",
  ),
  output_characters: z.int().min(1).max(16 * 1024 * 1024).default(65_536).describe(
    "Characters of what an attempt prints that are kept",
  ),
  encryption_keys: z.array(z.union([z.string(), z.strictObject({ id: z.string(), key: z.string() })]))
    .default([]).describe("Keys for args, kwargs and results, 32 bytes in base64; the first one encrypts"),
  schedules: z.record(z.string().min(1).max(200), scheduleSchema).default({}).describe(
    "Periodic tasks by name",
  ),
  on_start: z.array(onStartSchema).default([]).describe("Tasks to publish when a node starts"),
  socket_path: z.string().optional().describe(
    "Unix socket on which the node answers control messages and takes tasks",
  ),
  hooks: z.string().optional().describe(
    "Module whose onStart, onShutdown, preTask, postTask, onIdle run in each worker",
  ),
  idle_seconds: positive.default(10).describe("Idleness of a worker after which onIdle is called, and again"),
  self_check_seconds: positive.default(30).describe("Silence after which the listening connection is tested"),
  self_check_timeout: positive.default(2).describe(
    "Seconds the test may take before the connection counts as dead",
  ),
  lease_seconds: positive.default(30).describe("A node that is silent for so long is taken for dead"),
  heartbeat_seconds: positive.default(5),
  leader_seconds: positive.default(15).describe("A leader that is silent for so long is succeeded"),
  safety_poll_seconds: positive.default(30).describe("Looks for work so often even if no wake came"),
  shutdown_wait: z.number().min(0).default(25).describe("Seconds that running tasks have at a shutdown"),
  retention_days: z.number().min(0).default(7).describe("How long final envelopes are kept"),
  rollup_days: z.number().min(0).default(8).describe(
    "How far back charts go; 0: nothing is written for them",
  ),
  chunk_message_timeout_seconds: positive.default(1_800),
  http: z.string().refine((text) => text === HTTP_OFF || httpAddress(text) !== undefined, {
    message: "it must be HOST:PORT, or off",
  }).default(DEFAULT_HTTP).describe("Address of the dashboard, the API and the metrics; off: none"),
  http_base_path: z.string().regex(/^\/([\w.~-]+(\/[\w.~-]+)*)?$/, "it must look like / or /dispatcher")
    .default("/")
    .describe("Path that a proxy puts in front"),
  http_auth: z.array(z.union([z.string(), credentialSchema])).default([]).describe(
    "Who may come in: basic:ROLE:USER:PASSWORD, bearer:ROLE:NAME:TOKEN, proxy:ROLE:HEADER; ROLE is viewer or operator",
  ),
  http_hosts: z.array(z.string().min(1)).default([]).describe(
    "Names by which HTTP is asked; on a loopback address besides those of this machine, elsewhere none means any",
  ),
  http_rate_limit: z.number().min(0).default(1_000).describe(
    "Requests a second to the API, for each who asks; 0: any number",
  ),
  log_level: z.enum(LEVELS).default("info"),
  log_format: z.enum(["text", "json"]).default("text"),
}).superRefine((c, ctx) => {
  const refuse = (message: string, ...path: string[]) => ctx.addIssue({ code: "custom", message, path });
  const { pool } = c;
  for (const key of c.encryption_keys) {
    const fault = keyFault(typeof key === "string" ? keysOf(key)[0] : key);
    if (fault) refuse(fault, "encryption_keys");
  }
  for (const given of c.http_auth) {
    const fault = typeof given === "string" ? credentialFault(given) : undefined;
    if (fault) refuse(fault, "http_auth");
  }
  const listens = c.http === HTTP_OFF ? undefined : httpAddress(c.http);
  if (listens && !isLoopback(listens.host) && c.http_auth.length === 0) {
    refuse("others reach this address, and http_auth has no credentials", "http");
  }
  if (c.node !== undefined && [...c.queues, BROADCAST_QUEUE].includes(c.node)) {
    refuse("a shared queue has this name, and a node's name is a queue of its own", "node");
  }
  if (pool.max_workers < pool.min_workers) {
    refuse(`it is below min_workers, which is ${pool.min_workers}`, "pool", "max_workers");
  }
  if (c.heartbeat_seconds * 2 >= c.lease_seconds) {
    refuse(`it must be more than twice heartbeat_seconds, which is ${c.heartbeat_seconds}`, "lease_seconds");
  }
  if (c.heartbeat_seconds * 2 >= c.leader_seconds) {
    refuse(`it must be more than twice heartbeat_seconds, which is ${c.heartbeat_seconds}`, "leader_seconds");
  }
});

/** A complete configuration. Its schema has what each value means; times are in seconds. */
export interface Config extends Scheduling {
  database_url?: string;
  listen_url?: string;
  prepared_statements: "auto" | "on" | "off";
  embedded_dir?: string;
  node?: string;
  queues: string[];
  broadcast_channels: string[];
  tasks: string;
  task_prefixes: string[];
  task_allow: string[];
  extension: "on" | "off";
  max_attempts: number;
  backoff: Backoff;
  pool: {
    min_workers: number;
    max_workers: number;
    slots_per_host?: number;
    abort_grace: number;
    leaky_wait: number;
    scaledown_wait: number;
    worker_removal_wait: number;
    worker_max_lifetime_seconds: number;
    worker_max_tasks: number;
    worker_memory_mb: number;
    host_memory_mb?: number;
    task_permissions?: string[];
  };
  max_args_bytes: number;
  max_result_bytes: number;
  output_lines: number;
  output_characters: number;
  encryption_keys: EncryptionKey[];
  schedules: Record<string, ScheduleDefinition>;
  on_start: OnStart[];
  socket_path?: string;
  hooks?: string;
  idle_seconds: number;
  self_check_seconds: number;
  self_check_timeout: number;
  lease_seconds: number;
  heartbeat_seconds: number;
  leader_seconds: number;
  safety_poll_seconds: number;
  shutdown_wait: number;
  retention_days: number;
  rollup_days: number;
  chunk_message_timeout_seconds: number;
  http: string;
  http_base_path: string;
  http_auth: Credential[];
  http_hosts: string[];
  http_rate_limit: number;
  log_level: Level;
  log_format: "text" | "json";
}
/** Where a value came from. */
export type Origin = "flag" | "environment" | "file" | "default";

/** A configuration and the origin of each of its values, by dotted path. */
export interface Loaded {
  config: Config;
  origins: Record<string, Origin>;
  file: string | null;
  /** What the file says that has no meaning here, for people. */
  warnings: string[];
}

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Put a configuration together.
 *
 * @throws {DispatcherError} `config`, naming the key, its value and where it came from.
 */
export async function loadConfig(
  { flags = {}, env = process.env, file }: { flags?: Tree; env?: Env; file?: string } = {},
): Promise<Loaded> {
  const path = file ?? env.DISPATCHER_CONFIG;
  const { tree: fromFile, warnings } = asOurs(path ? await readConfigFile(path) : {});
  const layers: [Origin, Tree][] = [
    ["file", fromFile],
    ["environment", fromEnvironment(env)],
    ["flag", flags],
  ];
  const merged: Tree = {};
  const origins: Record<string, Origin> = {};
  for (const [origin, tree] of layers) {
    mergeTree(merged, tree, (key) => origins[key] = origin);
  }
  const parsed = configSchema.safeParse(merged);
  if (!parsed.success) throw configError(parsed.error, merged, origins, path);
  for (const leaf of leavesOf(parsed.data as unknown as Tree)) origins[leaf] ??= "default";
  const keys = parsed.data.encryption_keys.flatMap((key) => typeof key === "string" ? keysOf(key) : key);
  const http_auth = parsed.data.http_auth.map((given) =>
    typeof given === "string" ? credentialSchema.parse(credentialOf(given)) : given
  );
  const config: Config = {
    ...parsed.data,
    tasks: resolve(parsed.data.tasks),
    encryption_keys: keys,
    resources: offersGiven(parsed.data.resources),
    http_auth,
  };
  return { config, origins, file: path ?? null, warnings };
}

const asOurs = (tree: Tree) => isDispatcherd(tree) ? fromDispatcherd(tree) : { tree, warnings: [] };

/** The name a node has, unless it is given one. */
export function defaultNodeName(): string {
  return hostname().slice(0, 63) || "node";
}

/** Every leaf of the schema has a variable: `pool.min_workers` is DISPATCHER_POOL_MIN_WORKERS. */
export function environmentName(path: string): string {
  return path === "database_url" ? "DATABASE_URL" : `DISPATCHER_${path.replaceAll(".", "_").toUpperCase()}`;
}

function fromEnvironment(env: Env): Tree {
  const tree: Tree = {};
  for (const [path, kind] of Object.entries(LEAVES)) {
    const text = env[environmentName(path)];
    if (text === undefined || text === "") continue;
    const list = () => text.split(",").map((s) => s.trim());
    putValue(tree, path, kind === "number" ? numberOf(text) : kind === "list" ? list() : text);
  }
  const url = tree.database_url ?? pgUrl(env);
  if (url !== undefined) tree.database_url = url;
  return tree;
}

/** What is not a number stays text, so that the schema's error can name it. */
function numberOf(text: string): number | string {
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

/** PGHOST and its siblings as a URL. */
function pgUrl(env: Env): string | undefined {
  if (!env.PGHOST && !env.PGDATABASE && !env.PGPORT) return undefined;
  return postgresUrl({
    host: env.PGHOST,
    port: env.PGPORT,
    user: env.PGUSER ?? env.USER,
    password: env.PGPASSWORD,
    database: env.PGDATABASE,
  });
}

/** Every leaf of the schema and how a variable's text is read. */
export const LEAVES: Readonly<Record<string, "text" | "number" | "list">> = leafKinds();

function leafKinds(): Record<string, "text" | "number" | "list"> {
  const kinds: Record<string, "text" | "number" | "list"> = {};
  const walk = (
    schema: { properties?: Record<string, { type?: string; anyOf?: unknown }> },
    prefix: string,
  ) => {
    for (const [key, member] of Object.entries(schema.properties ?? {})) {
      if (member.type === "object") walk(member as typeof schema, `${prefix}${key}.`);
      else {
        const isText = member.type === "string" || member.anyOf !== undefined;
        const kind = member.type === "array" ? "list" : isText ? "text" : "number";
        kinds[prefix + key] = kind;
      }
    }
  };
  walk(configJsonSchema() as never, "");
  return kinds;
}

/** The JSON schema of a configuration file. */
export function configJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" }) as Record<string, unknown>;
}

function configError(
  error: z.ZodError,
  tree: Tree,
  origins: Record<string, Origin>,
  file?: string,
): DispatcherError {
  const issue = error.issues[0];
  if (issue.code === "unrecognized_keys") {
    const key = [...issue.path, issue.keys[0]].join(".");
    return new DispatcherError(
      "config",
      `Unknown configuration key "${key}"${
        didYouMean(key, [...Object.keys(LEAVES), ...Object.keys(configSchema.shape)])
      }${file ? ` in "${file}"` : ""}`,
    );
  }
  const path = issue.path.join(".");
  const valueIn = (from: unknown) =>
    issue.path.reduce<unknown>((at, key) => (at as Tree | undefined)?.[key as string], from);
  const given = valueIn(tree);
  const value = given === undefined ? valueIn(configSchema.parse({})) : given;
  // An element of a list has the origin of the list.
  const key = origins[path] ? path : issue.path.slice(0, -1).join(".");
  const origin = origins[key] ?? "default";
  const from = origin === "environment"
    ? ` from ${environmentName(key)}`
    : origin === "file"
    ? ` from "${file}"`
    : "";
  const shown = path.endsWith("_url") || /^(encryption_keys|http_auth)/.test(path)
    ? ""
    : ` ${JSON.stringify(value) ?? "undefined"}`;
  return new DispatcherError("config", `Cannot use ${path}${shown}${from}: ${issue.message}`);
}
