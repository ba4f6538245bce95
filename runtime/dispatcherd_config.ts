/**
 * An existing `dispatcher.yml` of dispatcherd (version 2) as a configuration of ours. What means the same is taken
 * over; every key that has no meaning here is told, with the reason where there is one.
 *
 * | there | here |
 * |---|---|
 * | service.pool_kwargs | pool |
 * | service.main_kwargs.node_id | node |
 * | brokers.pg_notify.channels | queues; those named `…broadcast…` broadcast_channels |
 * | brokers.pg_notify.config | database_url |
 * | producers.ScheduledProducer.task_schedule | schedules with scope node |
 * | producers.OnStartProducer.task_list | on_start |
 *
 * @module
 */
import { type Address, isTree, postgresUrl, putValue, type Tree } from "./config_file.ts";
import { BROADCAST_QUEUE } from "./envelope.ts";
import { DispatcherError } from "./errors.ts";

const SECTIONS = ["service", "brokers", "producers", "publish", "worker"];

/** Values that only have another name. */
const MOVED: ReadonlyMap<string, string> = new Map(Object.entries({
  "service.pool_kwargs.min_workers": "pool.min_workers",
  "service.pool_kwargs.max_workers": "pool.max_workers",
  "service.pool_kwargs.scaledown_wait": "pool.scaledown_wait",
  "service.pool_kwargs.worker_removal_wait": "pool.worker_removal_wait",
  "service.pool_kwargs.worker_max_lifetime_seconds": "pool.worker_max_lifetime_seconds",
  "service.main_kwargs.node_id": "node",
  "service.main_kwargs.chunk_message_timeout_seconds": "chunk_message_timeout_seconds",
  "brokers.pg_notify.max_connection_idle_seconds": "self_check_seconds",
  "brokers.pg_notify.max_self_check_message_age_seconds": "self_check_timeout",
  "brokers.socket.socket_path": "socket_path",
  "worker.idle_timeout": "idle_seconds",
}));

const CALLABLE = "it names Python code; `hooks` names a module";
/** Why a key, or all below it, has no meaning here. */
const REASONS: ReadonlyMap<string, string> = new Map(Object.entries({
  "service.pool_kwargs.scaledown_interval": "the pool looks whenever a worker falls idle",
  "service.pool_kwargs.worker_stop_wait": "`shutdown_wait` is the time that running tasks have",
  "service.metrics_kwargs": "metrics have no server of their own: they are at /metrics of http",
  "service.process_manager_cls": "workers are threads of child processes",
  "service.process_manager_kwargs": "workers are threads of child processes",
  "brokers.pg_notify.default_publish_channel": "who publishes names the queue",
  "brokers.pg_notify.sync_connection_factory": "it names Python code",
  "brokers.pg_notify.sync_connection_factory_kwargs": "it belongs to Python code",
  "brokers.pg_notify.config.application_name": "a node names its connections itself",
  "producers.ControlProducer": "every node answers control messages",
  "publish": "who publishes names the queue",
  "worker.on_start": CALLABLE,
  "worker.on_shutdown": CALLABLE,
  "worker.pre_task": CALLABLE,
  "worker.post_task": CALLABLE,
  "worker.on_idle": CALLABLE,
  "worker.worker_cls": "it names Python code",
  "worker.worker_kwargs": "it belongs to Python code",
}));

/** What dispatcherd starts with where we start with 4. */
const MIN_WORKERS = 1;

/** `whole` is all of the line, for what does have a meaning. */
type Warn = (path: string, why?: string, whole?: string) => void;

/** What takes over a whole section. */
const TAKERS: ReadonlyMap<string, (value: unknown, ours: Tree, warn: Warn, path: string) => void> = new Map(
  Object.entries({
    "brokers.pg_notify.config": takeConnection,
    "brokers.pg_notify.channels": takeChannels,
    "producers.ScheduledProducer.task_schedule": takeSchedules,
    "producers.OnStartProducer.task_list": takeOnStart,
  }),
);

/** Whether a configuration is one of dispatcherd. */
export function isDispatcherd(tree: Tree): boolean {
  return tree.version === 2 && SECTIONS.some((section) => Object.hasOwn(tree, section));
}

/**
 * Turn a configuration of dispatcherd into one of ours, unchecked.
 *
 * @throws {DispatcherError} `config` for a connection that cannot be read.
 */
export function fromDispatcherd(tree: Tree): { tree: Tree; warnings: string[] } {
  const ours: Tree = {};
  const warnings: string[] = [];
  const warn: Warn = (path, why = reasonOf(path), whole) =>
    warnings.push(whole ?? `Configuration key "${path}" has no meaning here${why ? `: ${why}` : ""}`);
  const { version: _, ...sections } = tree;
  walk(sections, "", ours, warn);
  // Its node_id may stand behind the channels.
  const queues = (ours.queues as unknown[] | undefined)?.filter((queue) => queue !== ours.node);
  if (queues?.length) ours.queues = queues;
  else delete ours.queues;
  fitPool(ours.pool as Tree | undefined);
  return { tree: ours, warnings };
}

function walk(tree: Tree, prefix: string, ours: Tree, warn: Warn): void {
  for (const [key, value] of Object.entries(tree)) {
    const path = prefix + key;
    const name = MOVED.get(path);
    const take = TAKERS.get(path);
    // `workers:` with nothing behind it is null, and so is a Python None: the default stays.
    if (value === null && (name ?? take) !== undefined) warn(path, "it is empty, so the default stays");
    else if (name !== undefined) putValue(ours, name, value);
    else if (take) take(value, ours, warn, path);
    else if (isTree(value) && Object.keys(value).length > 0) walk(value, `${path}.`, ours, warn);
    else warn(path);
  }
}

function reasonOf(path: string): string | undefined {
  for (let at = path; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    if (REASONS.has(at)) return REASONS.get(at);
  }
}

/** Two workers at most were legal there, where one is the least; our own least would be above. */
function fitPool(pool: Tree | undefined): void {
  const most = pool?.max_workers;
  if (pool && pool.min_workers === undefined && typeof most === "number" && most < 4) {
    pool.min_workers = MIN_WORKERS;
  }
}

function takeChannels(value: unknown, ours: Tree, warn: Warn, path: string): void {
  if (!Array.isArray(value)) return void (ours.queues = value);
  const channels = [...new Set(value)].filter((channel) => channel !== BROADCAST_QUEUE);
  ours.queues = channels.filter((channel) => !isBroadcast(channel));
  const broadcast = channels.filter(isBroadcast);
  if (broadcast.length > 0) ours.broadcast_channels = broadcast;
  value.forEach((channel, i) => {
    if (channel === BROADCAST_QUEUE) warn(`${path}.${i}`, "every node hears `broadcast`");
    else if (isBroadcast(channel)) {
      const what = `Channel "${channel}" in "${path}.${i}" is taken for one whose messages every node runs`;
      warn(path, "", `${what}: name it in \`queues\` of a configuration of ours if one node is to run each`);
    }
  });
}

/** There every listener runs a message, here one of those that share a queue: the name says what is meant. */
function isBroadcast(channel: unknown): channel is string {
  return typeof channel === "string" && /broadcast/i.test(channel);
}

// ---- the database

const PARTS: ReadonlyMap<string, keyof Address> = new Map(Object.entries(
  {
    host: "host",
    port: "port",
    user: "user",
    password: "password",
    dbname: "database",
    database: "database",
    sslmode: "sslmode",
  } as const,
));

function takeConnection(value: unknown, ours: Tree, warn: Warn, path: string): void {
  if (!isTree(value)) return warn(path, "it is not a mapping");
  const { conninfo, ...named } = value;
  if (typeof conninfo === "string" && /^postgres(ql)?:\/\//.test(conninfo)) {
    ours.database_url = conninfo;
    for (const key of Object.keys(named)) warn(`${path}.${key}`, "conninfo is an address, which says it all");
    return;
  }
  const address: Address = {};
  // What is named by itself goes before what conninfo says, as in psycopg.
  const parts = [...conninfo == null ? [] : partsOf(conninfo, path), ...Object.entries(named)];
  for (const [key, part] of parts) {
    const name = PARTS.get(key);
    if (name === undefined) warn(`${path}.${key}`);
    else if (part != null && part !== "") address[name] = String(part);
  }
  if (Object.keys(address).length > 0) ours.database_url = postgresUrl(address);
}

/** `host=db user=me password='it''s'` as libpq reads it; never shown in an error, it holds a password. */
function partsOf(conninfo: unknown, path: string): [string, string][] {
  const part = /\s*(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?=\s|$)/y;
  const parts: [string, string][] = [];
  const text = typeof conninfo === "string" ? conninfo.trim() : "=";
  while (part.lastIndex < text.length) {
    const [, key, quoted, plain] = part.exec(text) ?? [];
    if (key === undefined) {
      throw new DispatcherError("config", `Cannot use ${path}.conninfo: it is no connection string of libpq`);
    }
    parts.push([key, (quoted ?? plain).replace(/\\(.)/g, "$1")]);
  }
  return parts;
}

// ---- the producers

const OPTIONS = ["args", "kwargs", "timeout", "priority", "on_duplicate"];

function takeSchedules(value: unknown, ours: Tree, warn: Warn, path: string): void {
  if (!isTree(value)) return warn(path, "it is not a mapping");
  const taken = Object.entries(value).flatMap(([task, given]) => {
    const at = `${path}.${task}`;
    if (isCode(task)) return warn(at, "it is Python code and no task"), [];
    const { schedule, ...options } = isTree(given) ? given : { schedule: given };
    return [[task, { task, every: schedule, scope: "node", ...known(options, OPTIONS, at, warn) }]];
  });
  ours.schedules = Object.fromEntries(taken);
}

function takeOnStart(value: unknown, ours: Tree, warn: Warn, path: string): void {
  const entries: [string, unknown][] = Array.isArray(value)
    ? value.map((task) => [String(task), {}])
    : Object.entries(isTree(value) ? value : {});
  if (!Array.isArray(value) && !isTree(value)) return warn(path, "it is not a mapping");
  ours.on_start = entries.flatMap(([task, given]) => {
    const at = `${path}.${task}`;
    if (isCode(task)) return warn(at, "it is Python code and no task"), [];
    return [{ task, scope: "node", ...known(isTree(given) ? given : {}, ["args", "kwargs"], at, warn) }];
  });
}

/** dispatcherd also takes source text, `lambda: …`. */
function isCode(task: string): boolean {
  return /[\s():]/.test(task);
}

function known(options: Tree, names: string[], path: string, warn: Warn): Tree {
  const { uuid: _, ...rest } = options;
  for (const key of Object.keys(rest)) if (!names.includes(key)) warn(`${path}.${key}`);
  if (Object.hasOwn(options, "uuid")) warn(`${path}.uuid`, "each tick has a uuid of its own");
  return Object.fromEntries(Object.entries(rest).filter(([key]) => names.includes(key)));
}
