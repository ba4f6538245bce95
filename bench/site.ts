/**
 * Where measurements are made: one PostgreSQL with durable settings for everybody, a database each, and nodes.
 *
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { startEmbedded, stopEmbedded } from "../runtime/store/embedded.ts";
import { commandOf, type Runtime, thisRuntime } from "./runtimes.ts";

const MAIN = fileURLToPath(new URL("../cli/main.ts", import.meta.url));

/** Every one measured pays for the counting of statements. */
const SETTINGS = { shared_buffers: "256MB", shared_preload_libraries: "pg_stat_statements" };

/** A dispatcher node that runs. */
export interface BenchNode {
  pid: number;
  stop(): Promise<void>;
}

/** The place of one run. */
export interface Site {
  /** Shorter, for a first look. */
  readonly quick: boolean;
  /** What is asked for: one, or all that are there. */
  readonly runtimes: Runtime[];
  tell(line: string): void;
  /** An empty database; its URL. */
  database(): Promise<string>;
  /** A node with so many slots; resolves when it is ready. Of this runtime unless told. */
  node(url: string, name: string, slots?: number, runtime?: Runtime): Promise<BenchNode>;
}

/** Make a site, and end what is left of it. */
export async function openSite(
  options: Pick<Site, "quick" | "runtimes" | "tell">,
): Promise<Site & { close(): Promise<void> }> {
  const given = process.env.BENCH_DATABASE_URL;
  const dir = given ? undefined : mkdtempSync(join(tmpdir(), "edge-bench-"));
  if (dir) chmodSync(dir, 0o755);
  const url = given ?? (await startEmbedded({ dir, settings: SETTINGS })).url;
  const admin = postgres(url, { max: 1, onnotice: () => {} });
  const names: string[] = [];
  const nodes = new Set<ChildProcess>();
  return {
    ...options,
    async database() {
      const name = `bench_${process.pid}_${names.length}`;
      names.push(name);
      await admin.unsafe(`create database ${name} template template0`);
      const own = new URL(url);
      own.pathname = `/${name}`;
      return own.href;
    },
    async node(url, name, slots = 4, runtime = thisRuntime()) {
      const args = ["dispatcher", "--node", name, "--workers", `${slots}`, "--database-url", url];
      const [file, ...runArgs] = commandOf(runtime);
      const child = spawn(file, [...runArgs, MAIN, ...args], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      nodes.add(child);
      const exited = once(child, "exit").finally(() => nodes.delete(child));
      let errors = "";
      child.stderr.on("data", (chunk) => errors += chunk);
      await Promise.race([
        once(child.stdout, "data"),
        exited.then(() => Promise.reject(new Error(`The node ended: ${errors}`))),
      ]);
      child.stdout.resume();
      return {
        pid: child.pid!,
        async stop() {
          child.kill("SIGTERM");
          await exited;
        },
      };
    },
    async close() {
      for (const child of nodes) child.kill("SIGKILL");
      for (const name of names) await admin.unsafe(`drop database if exists ${name} with (force)`);
      await admin.end({ timeout: 1 });
      if (!dir) return;
      await stopEmbedded({ dir });
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
