/**
 * The runtimes that are there, and how each starts a module.
 *
 * @module
 */
import { type Runtime, runtimes, thisRuntime } from "../tests/harness/runtimes.ts";

export { type Runtime, thisRuntime };

/** The runtimes that can be measured: the one that was named, or all that are there. */
export function measured(named?: string): Runtime[] {
  const known = Object.keys(runtimes()) as Runtime[];
  if (named === undefined) return known;
  if (known.includes(named as Runtime)) return [named as Runtime];
  throw new Error(`No runtime "${named}" that is new enough; there are ${known.join(", ")}`);
}

/** The command that runs a module on a runtime. */
export function commandOf(runtime: Runtime): [file: string, ...args: string[]] {
  const file = runtimes()[runtime];
  if (!file) throw new Error(`No ${runtime} that is new enough`);
  if (runtime === "deno") return [file, "run", "-A", "-q"];
  return runtime === "bun" ? [file] : [file, "--no-warnings"];
}
