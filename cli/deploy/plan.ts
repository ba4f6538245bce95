/**
 * What all deployments are made from: the configuration, the runtime, where things lie.
 *
 * @module
 */
import { serversOf } from "../../runtime/addresses.ts";
import type { Config } from "../../runtime/config.ts";
import { addressText, HTTP_OFF, httpAddress, isLoopback } from "../../runtime/http_access.ts";

/** The runtimes by name. */
export const RUNTIMES = ["deno", "bun", "node"] as const;
export type RuntimeName = (typeof RUNTIMES)[number];

/** Seconds from the end of the wait for running tasks to the supervisor's SIGKILL: abort, give back, say goodbye. */
const MARGIN = 15;

/** What is deployed. */
export interface Plan {
  runtime: RuntimeName;
  config: Config;
  /** The project's folder on the target. */
  dir: string;
  /** What Deno may read besides; the tasks where they lie outside of the project. */
  read: readonly string[];
  /** What Deno may reach; everything when it is not known. */
  net: readonly string[] | undefined;
}

/** Seconds that a supervisor must wait before it kills. */
export function stopSeconds({ config }: Plan): number {
  return Math.ceil(config.shutdown_wait) + MARGIN;
}

/** The port of the probes; undefined when no HTTP is served. */
export function httpPort({ config }: Plan): number | undefined {
  return config.http === HTTP_OFF ? undefined : httpAddress(config.http)?.port;
}

/** Whether other machines reach the probes. */
export function isPublic({ config }: Plan): boolean {
  return config.http !== HTTP_OFF && !isLoopback(httpAddress(config.http)!.host);
}

/** What a node reaches, as far as its configuration tells: the servers of its database, and where it listens. */
export function reached(config: Config): string[] | undefined {
  if (config.database_url === undefined) return undefined;
  const urls = [config.database_url, ...config.listen_url === undefined ? [] : [config.listen_url]];
  const servers = urls.flatMap(serversOf);
  const http = config.http === HTTP_OFF ? [] : [addressText(httpAddress(config.http)!)];
  return [...new Set([...servers, ...http])];
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

/** What the dispatcher itself needs on Deno with a database of one's own; `tests/deploy/deno_flags.test.ts` runs it. */
export function denoFlags(
  { dir, read, net, config }: Pick<Plan, "dir" | "read" | "net" | "config">,
  deno: string,
  programs: string[] = [],
): string[] {
  const socket = config.socket_path;
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
