import { spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

export type Runtime = "deno" | "bun" | "node";

/** The oldest of each that the project promises to run on; package.json's `engines` says the same. */
export const OLDEST: Record<Runtime, string> = { deno: "2.4.0", bun: "1.3.0", node: "22.18.0" };

/** Find the first executable file called `name` on PATH that `fits`, and give its path. */
export function findOnPath(name: string, fits: (path: string) => boolean = () => true): string | undefined {
  for (const dir of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(dir, process.platform === "win32" ? `${name}.exe` : name);
    if (dir && isExecutable(path) && fits(path)) return path;
  }
}

/** Ask the binary for its version, as `1.2.3`; undefined when it does not run (such as npm's empty `bun`). */
export function versionOf(path: string): string | undefined {
  const { status, stdout } = spawnSync(path, ["--version"], { encoding: "utf8", timeout: 20_000 });
  return status === 0 ? /\d+\.\d+\.\d+/.exec(stdout ?? "")?.[0] : undefined;
}

/** Tell whether `version` is no older than what the project promises for `runtime`. */
export function isNewEnough(runtime: Runtime, version: string | undefined): boolean {
  if (!version) return false;
  const [have, want] = [version, OLDEST[runtime]].map((text) => text.split(".").map(Number));
  for (const [i, part] of want.entries()) {
    if (have[i] !== part) return have[i] > part;
  }
  return true;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
