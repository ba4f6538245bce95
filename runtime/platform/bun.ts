/**
 * Bun.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { Platform } from "./platform.ts";
import { webThread } from "./web_thread.ts";

interface BunServer {
  port: number;
  requestIP(request: Request): { address: string } | null;
  stop(closeActiveConnections?: boolean): Promise<void>;
}
declare const Bun: {
  version: string;
  serve(options: {
    hostname: string;
    port: number;
    idleTimeout: number;
    development: boolean;
    reusePort: boolean;
    fetch(request: Request, server: BunServer): Promise<Response>;
  }): BunServer;
};
const STOP_BOUND_MS = 1_000;
const RESOLVE = fileURLToPath(new URL("./bun_resolve.mjs", import.meta.url));

/** The adapter for Bun. */
export const bunPlatform: Platform = {
  name: "bun",
  version: Bun.version,
  // A heap that explodes takes its process along, and a process costs little.
  threadsAtMost: 8,
  command(module) {
    return { file: process.execPath, args: ["run", fileURLToPath(module)], env: {} };
  },
  lacks: () => undefined,
  deathNote: () => undefined,
  serve({ hostname, port, fetch }) {
    return Promise.resolve().then(() => {
      const server = Bun.serve({
        hostname,
        port,
        // By default it cuts off whatever is silent for ten seconds, as somebody who waits for a result.
        idleTimeout: 0,
        development: false,
        // On by default outside of development: two nodes would share one address, and either would answer.
        reusePort: false,
        fetch: (request, server) => fetch(request, server.requestIP(request)?.address ?? ""),
      });
      return { port: server.port, close: () => server.stop(true) };
    });
  },
  spawnThread(module, _limits, events) {
    return webThread(module, events, stopped, [RESOLVE]);
  },
};

function stopped(worker: Worker): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), STOP_BOUND_MS);
    worker.addEventListener("close", () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
