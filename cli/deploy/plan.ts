/**
 * What all deployments are made from: the configuration, the runtime, where things lie.
 *
 * @module
 */
import { serversOf } from "../../runtime/addresses.ts";
import type { Config } from "../../runtime/config.ts";
import { addressText, HTTP_OFF, httpAddress } from "../../runtime/http_access.ts";

/** The runtimes by name. */
export const RUNTIMES = ["deno", "bun", "node"] as const;
export type RuntimeName = (typeof RUNTIMES)[number];

/** Seconds from the end of the wait for running tasks to the supervisor's SIGKILL: abort, give back, say goodbye. */
const MARGIN = 15;

/** Where a callback receiver serves probes and metrics: on its own machine. */
export const RECEIVER_PORT = 8071;
const RECEIVER_HTTP = `127.0.0.1:${RECEIVER_PORT}`;

/** What is deployed. */
export interface Plan {
  /** Nodes, or callback receivers. */
  role: "node" | "receiver";
  runtime: RuntimeName;
  config: Config;
  /** The project's folder on the target. */
  dir: string;
  /** What Deno may read besides; the tasks where they lie outside of the project. */
  read: readonly string[];
  /** What Deno may reach, and where it may listen; everything when it is not known. */
  net: readonly string[] | undefined;
}

/** Seconds that a supervisor must wait before it kills. */
export function stopSeconds({ config }: Plan): number {
  return Math.ceil(config.shutdown_wait) + MARGIN;
}

/** The port of the probes; undefined when no HTTP is served. */
export function httpPort({ role, config }: Plan): number | undefined {
  if (role === "receiver") return RECEIVER_PORT;
  return config.http === HTTP_OFF ? undefined : httpAddress(config.http)?.port;
}

/** What is reached, as far as the configuration tells: the servers of its database, and Redis, as `HOST:PORT`. */
export function reached(config: Config, redis?: string): string[] | undefined {
  if (config.database_url === undefined) return undefined;
  const urls = [config.database_url, ...config.listen_url === undefined ? [] : [config.listen_url]];
  const servers = urls.flatMap(serversOf);
  return [...new Set(redis === undefined ? servers : [...servers, redis])];
}

/** Where it listens. */
export function listens({ role, config }: Pick<Plan, "role" | "config">): string[] {
  if (role === "receiver") return [RECEIVER_HTTP];
  return config.http === HTTP_OFF ? [] : [addressText(httpAddress(config.http)!)];
}

/** The words behind {@link command}, where a receiver is meant; a node needs none. */
export function argumentsOf({ role }: Pick<Plan, "role">, http: string = RECEIVER_HTTP): string[] {
  return role === "receiver" ? ["callback-receiver", "--http", http] : [];
}

/**
 * The command that starts the node, the runtime's binary first. On Deno it has the permissions of the dispatcher and
 * no other: the tasks run in processes of their own, see `pool.task_permissions`.
 */
export function command(plan: Plan, binary: string): string[] {
  const launcher = `${plan.dir}/node_modules/edge-dispatcher/cli/launcher.mjs`;
  switch (plan.runtime) {
    case "deno":
      return [binary, "run", ...denoFlags(plan, binary), launcher, "dispatcher"];
    case "bun":
      return [binary, "run", launcher, "dispatcher"];
    case "node":
      return [binary, launcher, "dispatcher"];
  }
}

/** What the dispatcher itself, or a receiver, needs on Deno with a database of one's own; `tests/deploy/deno_flags.test.ts` runs it. */
export function denoFlags(
  { role, dir, read, net, config }: Pick<Plan, "role" | "dir" | "read" | "net" | "config">,
  deno: string,
  programs: string[] = [],
): string[] {
  const socket = role === "node" ? config.socket_path : undefined;
  return [
    "--no-prompt",
    "--allow-env",
    "--allow-sys=hostname,systemMemoryInfo",
    `--allow-read=${[dir, ...read, ...socket === undefined ? [] : [socket]].join(",")}`,
    ...socket === undefined ? [] : [`--allow-write=${socket}`],
    net === undefined ? "--allow-net" : `--allow-net=${net.join(",")}`,
    `--allow-run=${[deno, ...programs].join(",")}`,
  ];
}
