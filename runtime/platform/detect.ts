/**
 * Which runtime this is, and its adapter.
 *
 * @module
 */
import type { Platform, RuntimeName } from "./platform.ts";

/** Tell the runtime by the globals that only it has. */
export function runtimeName(): RuntimeName {
  if ("Deno" in globalThis) return "deno";
  if ("Bun" in globalThis) return "bun";
  return "node";
}

/** Load the adapter of this runtime; the other two are never read. */
export async function platform(): Promise<Platform> {
  switch (runtimeName()) {
    case "deno":
      return (await import("./deno.ts" as string) as typeof import("./deno.ts")).denoPlatform;
    case "bun":
      return (await import("./bun.ts" as string) as typeof import("./bun.ts")).bunPlatform;
    case "node":
      return (await import("./node.ts" as string) as typeof import("./node.ts")).nodePlatform;
  }
}
