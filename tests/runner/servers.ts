import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { startEmbedded, stopEmbedded } from "../../runtime/store/embedded.ts";

export interface Servers {
  /** The variables by which tests find them. */
  env: Record<string, string>;
  stop(): Promise<void>;
}

const FAST = { fsync: "off", full_page_writes: "off" };

/**
 * Start the PostgreSQL servers of a test run below `dir`: the embedded one and, where a system PostgreSQL is
 * installed, one made of that. Hundreds of tests make a database of their own, and no machine is switched off under
 * them: fsync is off. What kills a server starts one of its own, with the settings users get.
 */
export async function startServers(dir: string, tell: (line: string) => void): Promise<Servers> {
  const dirs: string[] = [];
  const stop = async () => {
    const results = await Promise.allSettled(dirs.map((dir) => stopEmbedded({ dir })));
    const failure = results.find((result) => result.status === "rejected");
    if (failure) throw failure.reason;
  };
  const start = async (name: string, native?: string) => {
    const own = join(dir, name);
    mkdirSync(own, { mode: 0o755 });
    dirs.push(own);
    const server = await startEmbedded({ dir: own, native, settings: FAST });
    tell(`${name} on port ${server.port}${native ? ` from ${native}` : " (embedded)"}`);
    return server.url;
  };
  try {
    const env: Record<string, string> = { TEST_DATABASE_URL: await start("postgres") };
    const native = systemPostgres();
    if (native) env.TEST_PG15_URL = await start("system-postgres", native);
    else tell("no system PostgreSQL");
    return { env, stop };
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
}

/** Find the newest system installation: the folder whose `bin` has postgres and initdb. */
export function systemPostgres(): string | undefined {
  const debian = globSync("/usr/lib/postgresql/*/bin/postgres").map((path) => dirname(dirname(path)));
  debian.sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
  // Its own answer where distributions keep one version, in a folder of their choice.
  const { status, stdout } = spawnSync("pg_config", ["--bindir"], { encoding: "utf8" });
  const configured = status === 0 ? [dirname(stdout.trim())] : [];
  return [...debian, ...configured].find((dir) =>
    ["postgres", "initdb"].every((program) => existsSync(join(dir, "bin", program)))
  );
}
