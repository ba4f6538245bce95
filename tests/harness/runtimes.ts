import { findOnPath, isNewEnough, type Runtime, versionOf } from "../runner/binaries.ts";

export type { Runtime };

let known: Record<Runtime, string> | undefined;

/** Name the runtime that runs this test. */
export function thisRuntime(): Runtime {
  if ("Deno" in globalThis) return "deno";
  return process.versions.bun ? "bun" : "node";
}

/**
 * Give the binary of each runtime: from TEST_RUNTIMES (JSON, name to path), else this one and what PATH has that
 * is new enough. One that is not there is left out: ask `needs("bun")` first.
 */
export function runtimes(): Record<Runtime, string> {
  known ??= process.env.TEST_RUNTIMES ? JSON.parse(process.env.TEST_RUNTIMES) : search();
  return known!;
}

/**
 * Give the reason to skip a test that needs `tool` (a runtime, or a command on PATH), or false when it is there.
 * With CI=true always false: the test runs and fails by itself, for CI must not pass by skipping.
 */
export function needs(tool: string): string | false {
  if (process.env.CI === "true") return false;
  if (tool === "deno" || tool === "bun" || tool === "node") {
    return runtimes()[tool] ? false : `no ${tool} that is new enough`;
  }
  return findOnPath(tool) ? false : `no ${tool} on PATH`;
}

function search(): Record<Runtime, string> {
  const found: Partial<Record<Runtime, string>> = {};
  for (const name of ["deno", "bun", "node"] as const) {
    const fits = (path: string) => isNewEnough(name, versionOf(path));
    const path = name === thisRuntime() ? process.execPath : findOnPath(name, fits);
    if (path) found[name] = path;
  }
  return found as Record<Runtime, string>;
}
