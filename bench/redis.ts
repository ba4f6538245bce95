/**
 * A Redis of our own: a new one each time, in a folder of its own.
 *
 * Its log is written through once a second, which is what Redis advises and what most run: a crash of the machine loses
 * up to a second of what it acknowledged. PostgreSQL, for all others here, loses nothing.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Process } from "./processes.ts";

/** A server that takes connections. */
export interface Redis {
  readonly url: string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Start a server on a free port. */
export async function startRedis(): Promise<Redis> {
  const dir = mkdtempSync(join(tmpdir(), "edge-bench-redis-"));
  const port = await freePort();
  const server = new Process("redis-server", [
    ...["--bind", "127.0.0.1", "--port", `${port}`, "--dir", dir],
    ...["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""],
  ]);
  const stop = async (signal?: NodeJS.Signals) => {
    await server.stop(signal);
    rmSync(dir, { recursive: true, force: true });
  };
  const ready = new Promise<void>((resolve) => {
    server.lines((line) => line.includes("Ready to accept connections") && resolve());
  });
  await Promise.race([ready, server.ended()]).catch(async (error) => {
    await stop();
    throw error;
  });
  return { url: `redis://127.0.0.1:${port}`, stop };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
