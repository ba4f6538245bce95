/**
 * Node.
 *
 * @module
 */
import { createServer, type RequestListener } from "node:http";
import type { HttpBindings } from "@hono/node-server";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { Platform, ServeOptions } from "./platform.ts";

const STOP_BOUND_MS = 1_000;
const HOOKS = new URL("./node_resolve.mjs", import.meta.url);

/** The adapter for Node. */
export const nodePlatform: Platform = {
  name: "node",
  version: process.versions.node,
  // It stops busy threads and contains their heaps, so that a process rarely has to go.
  threadsAtMost: 24,
  command(module) {
    // Stripping types costs 80 ms a thread; with the cache it is paid once a machine.
    const args = ["--no-warnings", `--import=${HOOKS.href}`, fileURLToPath(module)];
    return { file: process.execPath, args, env: process.env.NODE_COMPILE_CACHE ? {} : compileCache() };
  },
  lacks: () => undefined,
  deathNote: (signal) => signal === "SIGABRT" ? "ran out of memory, or aborted (SIGABRT)" : undefined,
  async serve({ hostname, port, fetch }) {
    let listener: Promise<RequestListener> | undefined;
    const server = createServer(async (request, response) => {
      listener ??= webListener(fetch);
      (await listener)(request, response);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, hostname, () => resolve());
    });
    return {
      port: (server.address() as AddressInfo).port,
      async close() {
        const closed = new Promise((resolve) => server.close(resolve));
        server.closeAllConnections();
        await closed;
      },
    };
  },
  spawnThread(module, { memoryMb }, events) {
    const worker = new Worker(module, { resourceLimits: { maxOldGenerationSizeMb: memoryMb } });
    let stopped = false;
    const exited = new Promise<true>((resolve) => worker.once("exit", () => resolve(true)));
    const fail = (name: string, message: string, stack?: string) => {
      if (stopped) return;
      stopped = true;
      events.ended({ name, message, stack });
    };
    worker.on("message", (text: string) => events.message(text));
    let thrown: { by: Error & { code?: string } } | undefined;
    worker.on("error", (by) => thrown ??= { by });
    // Errors come by another way than messages, often before them; with this all that was said has come.
    worker.on("exit", (code) => {
      if (!thrown) return fail("WorkerExit", `Worker ended by itself with code ${code}`);
      // A task may throw anything.
      const error = thrown.by instanceof Error ? thrown.by : new Error(String(thrown.by));
      const exhausted = thrown.by?.code === "ERR_WORKER_OUT_OF_MEMORY";
      fail(
        exhausted ? "OutOfMemory" : error.name,
        exhausted ? `Worker used more than ${memoryMb} MB` : error.message,
        error.stack,
      );
    });
    return {
      post: (message) => worker.postMessage(message),
      async terminate() {
        stopped = true;
        void worker.terminate();
        let timer: ReturnType<typeof setTimeout> | undefined;
        const late = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), STOP_BOUND_MS));
        const gone = await Promise.race([exited, late]);
        clearTimeout(timer);
        return gone;
      },
    };
  },
};

/** With the first request: no start should wait for it. */
async function webListener(fetch: ServeOptions["fetch"]): Promise<RequestListener> {
  const { getRequestListener } = await import("@hono/node-server");
  return getRequestListener(
    (request, env) => fetch(request, (env as HttpBindings).incoming.socket.remoteAddress ?? ""),
    { overrideGlobalObjects: false },
  );
}

function compileCache(): Record<string, string> {
  const dir = process.env.TMPDIR ?? "/tmp";
  return { NODE_COMPILE_CACHE: `${dir}/edge-dispatcher-compile-cache-${process.getuid?.() ?? "user"}` };
}
