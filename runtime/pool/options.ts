/**
 * The pool's options from a node's configuration.
 *
 * @module
 */
import { dirname, resolve } from "node:path";
import { serversOf } from "../addresses.ts";
import { type Config, defaultNodeName } from "../config.ts";
import type { Confinement } from "../platform/platform.ts";
import type { HostSettings } from "./host_process.ts";

/** How a pool is built. Times in seconds. */
export interface PoolOptions extends Omit<HostSettings, "hostMemoryMb"> {
  minSlots: number;
  maxSlots: number;
  /** By default hosts grow with the pool, see `scaling.ts`. */
  slotsPerHost?: number;
  /** MB of resident memory at which a host ends itself; by default what its workers may use. */
  hostMemoryMb?: number;
  /** From the abort of an attempt to its kill. */
  abortGrace: number;
  /** How long the siblings of a thread that does not stop may go on before their host is killed. */
  leakyWait: number;
  /** Disuse after which a slot above the minimum is given up. */
  scaledownWait: number;
  /** How long a worker that has ended is still shown. */
  removalWait: number;
  /** Age, attempts (0: any number) and heap at which an idle slot is replaced. */
  maxAge: number;
  maxTasks: number;
  maxHeapMb: number;
}

function confinement(config: Config, url: string): Confinement {
  const urls = config.listen_url === undefined ? [url] : [url, config.listen_url];
  const hooks = config.hooks === undefined ? [] : [dirname(resolve(config.hooks))];
  return {
    permissions: config.pool.task_permissions,
    read: [config.tasks, ...hooks],
    net: [...new Set(urls.flatMap(serversOf))],
  };
}

/** How the pool of a node is built; `url` is the database its tasks may use. */
export function poolOptions(config: Config, url: string): PoolOptions {
  const { pool } = config;
  const keys = config.encryption_keys.map(({ id, key }) => `${id}:${key}`).join(",");
  return {
    root: config.tasks,
    prefixes: config.task_prefixes,
    allow: config.task_allow,
    hooks: config.hooks === undefined ? undefined : resolve(config.hooks),
    idleSeconds: config.idle_seconds,
    workerMemoryMb: pool.worker_memory_mb,
    hostMemoryMb: pool.host_memory_mb,
    environment: {
      DATABASE_URL: url,
      DISPATCHER_NODE: config.node ?? defaultNodeName(),
      DISPATCHER_TASKS: config.tasks,
      DISPATCHER_MAX_ARGS_BYTES: `${config.max_args_bytes}`,
      ...(keys === "" ? {} : { DISPATCHER_ENCRYPTION_KEYS: keys }),
    },
    confine: confinement(config, url),
    maxResultBytes: config.max_result_bytes,
    outputLines: config.output_lines,
    outputCharacters: config.output_characters,
    encrypts: keys !== "",
    minSlots: pool.min_workers,
    maxSlots: pool.max_workers,
    slotsPerHost: pool.slots_per_host,
    abortGrace: pool.abort_grace,
    leakyWait: pool.leaky_wait,
    scaledownWait: pool.scaledown_wait,
    removalWait: pool.worker_removal_wait,
    maxAge: pool.worker_max_lifetime_seconds,
    maxTasks: pool.worker_max_tasks,
    maxHeapMb: pool.worker_memory_mb * 0.8,
  };
}
