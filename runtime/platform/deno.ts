/**
 * Deno.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { denoProgram, hostFlags } from "./deno_permissions.ts";
import type { Confinement, Platform } from "./platform.ts";
import { webThread } from "./web_thread.ts";

/** Of our own code; an installed package has no deno.json, there the configuration of the user's project counts. */
const HOME = new URL("../../", import.meta.url);
const CONFIG = new URL("deno.json", HOME);

/** How long open answers may take when the server ends, in milliseconds. */
const CLOSE_BOUND_MS = 1_000;

/** The adapter for Deno. */
export const denoPlatform: Platform = {
  name: "deno",
  version: Deno.version.deno,
  // A thread that is busy takes its process along.
  threadsAtMost: 8,
  command(module, { memoryMb, confine } = {}) {
    const args = ["run", ...confine ? flagsOf(confine) : ["--allow-all"], "--no-prompt", "--quiet"];
    // The import map goes along, so that a task file may lie anywhere.
    if (CONFIG.protocol === "file:" && existsSync(CONFIG)) args.push(`--config=${fileURLToPath(CONFIG)}`);
    if (memoryMb) args.push(`--v8-flags=--max-old-space-size=${memoryMb}`);
    args.push(module.protocol === "file:" ? fileURLToPath(module) : module.href);
    return { file: denoProgram() ?? Deno.execPath(), args, env: {} };
  },
  lacks() {
    return denoProgram() ? undefined : `Deno needs --allow-run=${Deno.execPath()}`;
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

function flagsOf(confine: Confinement): string[] {
  const ask = (name: string, path?: string) =>
    Deno.permissions.querySync({ name, path } as Deno.PermissionDescriptor).state === "granted";
  const read = CONFIG.protocol === "file:" ? [fileURLToPath(HOME), ...confine.read] : confine.read;
  return hostFlags({ ...confine, read }, ask, Deno.cwd());
}
