/**
 * Where measurements are made: one PostgreSQL with durable settings for everybody, a database each, and the
 * processes that use them.
 *
 * @module
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { startEmbedded, stopEmbedded } from "../runtime/store/embedded.ts";
import type { Runtime } from "../tests/harness/runtimes.ts";
import { Actor, Process } from "./processes.ts";
import { type Redis, startRedis } from "./redis.ts";

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url));
/** As users start it: by `deno task`, `bun run` and `npm run`. */
const [MAIN, LAUNCHER] = [pathOf("../cli/main.ts"), pathOf("../cli/launcher.mjs")];
const TASKS = pathOf("tasks");
/** Everybody who is measured pays for the counting of statements. */
const SETTINGS = { shared_buffers: "256MB", shared_preload_libraries: "pg_stat_statements" };

/** How a site is opened. */
export interface SiteOptions {
  /** Shorter, for a first look. */
  readonly quick: boolean;
  /** What our node runs on, unless a question says otherwise. */
  readonly runtime: Runtime;
  /** The same for a question that compares runtimes: the one that was named, or all that are there, Node first. */
  readonly runtimes: readonly Runtime[];
  tell(line: string): void;
  /** Ends whatever is under way. */
  readonly signal: AbortSignal;
}

/** How a node is started. */
export interface NodeOptions {
  runtime?: Runtime;
  slots?: number;
  queues?: string;
  /** Root of its tasks, by default `bench/tasks`. */
  tasks?: string;
  /** `HOST:PORT` of its dashboard; by default it serves none. */
  http?: string;
}

/** The place of one run. */
export interface Site extends SiteOptions {
  /** An empty database; its URL. */
  database(): Promise<string>;
  drop(url: string): Promise<void>;
  /** Bring a database to rest: statistics are there, and nothing is left to write. */
  settle(url: string): Promise<void>;
  /** A dispatcher node; resolves when it is ready. */
  node(url: string, name: string, options?: NodeOptions): Promise<Process>;
  /** A callback receiver; resolves when it is ready. */
  receiver(url: string, args?: string[]): Promise<Process>;
  /** A script of `bench/`; resolves when it prints its first line. */
  start(script: string, runtime: Runtime): Promise<Process>;
  /** A module of `bench/` that calls `act()`, which gets the settings; on Node unless told. */
  actor(module: string, settings: object, runtime?: Runtime): Actor;
  /** An empty Redis. */
  redis(): Promise<Redis>;
  close(): Promise<void>;
}

/** Make a site; closing it ends and removes all that was made in it. */
export async function openSite(options: SiteOptions): Promise<Site> {
  const server = await openServer(options.signal);
  const admin = postgres(server.url, { max: 1, onnotice: () => {} });
  const databases = new Set<string>();
  const processes = new Set<Process | Redis>();
  let made = 0;
  let closing: Promise<void> | undefined;

  const drop = async (url: string) => {
    const name = new URL(url).pathname.slice(1);
    await admin.unsafe(`drop database if exists ${name} with (force)`);
    databases.delete(url);
  };
  const close = async () => {
    await Promise.all([...processes].map((each) => each.stop("SIGKILL")));
    for (const url of databases) await drop(url);
    await admin.end({ timeout: 1 });
    await server.stop();
  };
  const run = (runtime: Runtime, args: string[]) => {
    options.signal.throwIfAborted();
    const started = Process.of(runtime, args);
    processes.add(started);
    void started.ended().catch(() => processes.delete(started));
    return started;
  };
  const site: Site = {
    ...options,
    async database() {
      const name = `bench_${process.pid}_${made++}`;
      const own = new URL(server.url);
      own.pathname = `/${name}`;
      databases.add(own.href);
      await admin.unsafe(`create database ${name} template template0`);
      return own.href;
    },
    drop,
    async settle(url) {
      const sql = postgres(url, { max: 1, onnotice: () => {} });
      await sql`vacuum analyze`;
      await sql`checkpoint`;
      await sql.end({ timeout: 1 });
    },
    async node(
      url,
      name,
      { runtime = options.runtime, slots = 4, queues = "default", tasks = TASKS, http } = {},
    ) {
      return await ready(run(runtime, [
        ...[
          runtime === "deno" ? MAIN : LAUNCHER,
          "dispatcher",
          "--node",
          name,
          "--workers",
          `${slots}`,
          "--queues",
          queues,
        ],
        ...["--tasks", tasks, "--database-url", url],
        ...http ? ["--http", http] : ["--no-http"],
      ]));
    },
    async receiver(url, args = []) {
      const { runtime } = options;
      const program = [runtime === "deno" ? MAIN : LAUNCHER, "callback-receiver"];
      return await ready(run(runtime, [...program, "--database-url", url, "--no-http", ...args]));
    },
    start: async (script, runtime) => await ready(run(runtime, [pathOf(script)])),
    actor: (module, settings, runtime = "node") =>
      new Actor(run(runtime, [pathOf(module), JSON.stringify(settings)])),
    async redis() {
      options.signal.throwIfAborted();
      const server = await startRedis();
      processes.add(server);
      const stop = async (signal?: NodeJS.Signals) => {
        await server.stop(signal);
        processes.delete(server);
      };
      return { url: server.url, stop };
    },
    close: () => closing ??= close(),
  };
  options.signal.addEventListener("abort", () => void site.close());
  return site;
}

/** Resolves when it prints its first line. */
async function ready(process: Process): Promise<Process> {
  await Promise.race([new Promise<void>((resolve) => process.lines(() => resolve())), process.ended()]);
  return process;
}

interface Server {
  url: string;
  stop(): Promise<void>;
}

/** The server of BENCH_DATABASE_URL, or an embedded one of our own. */
async function openServer(signal: AbortSignal): Promise<Server> {
  const given = process.env.BENCH_DATABASE_URL;
  if (given) return { url: given, stop: () => Promise.resolve() };
  const dir = mkdtempSync(join(tmpdir(), "edge-bench-"));
  chmodSync(dir, 0o755);
  const stop = async () => {
    await stopEmbedded({ dir });
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const { url } = await startEmbedded({ dir, settings: SETTINGS, signal });
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
