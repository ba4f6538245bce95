/**
 * A Redis of a test's own.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { Redis } from "ioredis";
import { eventually, tempDir, type TestContext } from "../../harness.ts";
import { guardChild } from "../../harness/child_guard.ts";

/** A Redis that listens on a socket only, once it is started. */
export interface RedisServer {
  url: string;
  start(): Promise<void>;
  list(key: string): Promise<string[]>;
}

/** Make one; it is not started. */
export function redisServer(t: TestContext): RedisServer {
  const path = join(tempDir(), "redis.sock");
  const redis = new Redis(path, { lazyConnect: true, retryStrategy: () => 50 });
  redis.on("error", () => {});
  t.after(() => redis.disconnect());
  return {
    url: path,
    list: (key) => redis.lrange(key, 0, -1),
    async start() {
      const args = ["--port", "0", "--unixsocket", path, "--save", ""];
      const child = spawn("redis-server", args, { stdio: "ignore" });
      guardChild(child);
      const exited = new Promise((done) => child.once("exit", done));
      t.after(async () => {
        child.kill("SIGKILL");
        await exited;
      });
      await eventually(async () => await redis.ping() === "PONG", { within: 10_000 });
    },
  };
}
