/**
 * Deno.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { Platform } from "./platform.ts";
import { webThread } from "./web_thread.ts";

const CONFIG = new URL("../../deno.json", import.meta.url);

/** How long open answers may take when the server ends, in milliseconds. */
const CLOSE_BOUND_MS = 1_000;

/** The adapter for Deno. */
export const denoPlatform: Platform = {
  name: "deno",
  version: Deno.version.deno,
  // A thread that is busy takes its process along.
  threadsAtMost: 8,
  command(module, { memoryMb } = {}) {
    const args = ["run", "-A", "--no-prompt", "--quiet"];
    // The import map goes along, so that a task file may lie anywhere.
    if (CONFIG.protocol === "file:") args.push(`--config=${fileURLToPath(CONFIG)}`);
    if (memoryMb) args.push(`--v8-flags=--max-old-space-size=${memoryMb}`);
    args.push(module.protocol === "file:" ? fileURLToPath(module) : module.href);
    return { file: Deno.execPath(), args, env: {} };
  },
  deathNote: (signal) => signal === "SIGTRAP" ? "ran out of memory (SIGTRAP)" : undefined,
  // deno-lint-ignore require-await -- what it throws is to be a rejection
  async serve({ hostname, port, fetch }) {
    const server = Deno.serve(
      { hostname, port, onListen: () => {} },
      (request, { remoteAddr }) => fetch(request, (remoteAddr as Deno.NetAddr).hostname),
    );
    return {
      port: server.addr.port,
      async close() {
        let timer: ReturnType<typeof setTimeout> | undefined;
        const late = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_BOUND_MS));
        // It waits for what is open, for ever if need be.
        await Promise.race([server.shutdown(), late]);
        clearTimeout(timer);
      },
    };
  },
  spawnThread(module, _limits, events) {
    // terminate() of a busy thread returns at once while the thread runs on at 100 % CPU, and no event tells
    // the two apart (denoland/deno#35657). So its word is never taken: the owner must ask the thread itself.
    return webThread(module, events, () => Promise.resolve(false));
  },
};
