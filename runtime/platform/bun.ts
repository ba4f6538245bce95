/**
 * Bun.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { Platform } from "./platform.ts";
import { webThread } from "./web_thread.ts";

declare const Bun: { version: string };
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
  deathNote: () => undefined,
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
