import { spawnSync } from "node:child_process";
import { realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findOnPath, isNewEnough, OLDEST, type Runtime, versionOf } from "./binaries.ts";

/** What is fetched when PATH has no Node that is new enough (a dispatcher is to be installed with one). */
const NODE_VERSION = "24.21.0";

export interface Found {
  path: string;
  version: string;
  from: string;
}

/**
 * Find the three runtimes: Deno is the one that runs this; Bun and Node come from PATH when new enough, else from
 * npm's platform packages, which carry the bare binary and need no install script. A string tells why there is none.
 */
export function findRuntimes(root: string): Record<Runtime, Found | string> {
  return {
    deno: { path: process.execPath, version: process.versions.deno!, from: "runs this" },
    bun: fromPath("bun") ?? bunFromModules(root),
    node: fromPath("node") ?? nodeFromNpm(root),
  };
}

function fromPath(runtime: Runtime): Found | undefined {
  const path = findOnPath(runtime, (path) => isNewEnough(runtime, versionOf(path)));
  return path ? { path, version: versionOf(path)!, from: "PATH" } : undefined;
}

/** `node_modules/.bin/bun` is an empty placeholder: Deno does not run the install script that would fill it. */
function bunFromModules(root: string): Found | string {
  const manifest = join(root, "node_modules", "bun", "package.json");
  try {
    // The real path, for in the layout of node_modules/.deno the platform packages are siblings of that one.
    const require = createRequire(realpathSync(manifest));
    const arch = process.arch === "arm64" ? "aarch64" : process.arch;
    const base = `@oven/bun-${process.platform === "win32" ? "windows" : process.platform}-${arch}`;
    for (const name of [base, `${base}-baseline`, `${base}-musl`, `${base}-musl-baseline`]) {
      const path = binaryOf(require, name, "bun");
      const version = path && versionOf(path);
      if (path && isNewEnough("bun", version)) return { path, version: version!, from: `npm ${name}` };
    }
    return `no Bun >= ${OLDEST.bun} on PATH, and no platform package beside ${manifest} runs here`;
  } catch (error) {
    return `no Bun >= ${OLDEST.bun} on PATH, nor in node_modules: ${(error as Error).message}`;
  }
}

function binaryOf(require: NodeJS.Require, name: string, binary: string): string | undefined {
  try {
    const dir = dirname(require.resolve(`${name}/package.json`));
    return join(dir, "bin", process.platform === "win32" ? `${binary}.exe` : binary);
  } catch {
    return undefined;
  }
}

/**
 * In a process of its own, without lock file and node_modules: into Deno's cache only, so that neither deno.lock
 * nor the tree changes for what is one platform's test tool.
 */
function nodeFromNpm(root: string): Found | string {
  const os = process.platform === "win32" ? "win" : process.platform;
  const name = `node-${os}-${process.arch}`;
  const specifier = `npm:${name}@${NODE_VERSION}/package.json`;
  const code = `await import("${specifier}", { with: { type: "json" } });
    console.log(import.meta.resolve("${specifier}"))`;
  const args = ["eval", "--no-config", "--no-lock", "--node-modules-dir=none", code];
  // From the root, for an .npmrc there to count.
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  const why = `no Node >= ${OLDEST.node} on PATH, and ${name}@${NODE_VERSION} from npm`;
  if (status !== 0) return `${why} failed: ${stderr.trim()}`;
  const path = fileURLToPath(new URL(process.platform === "win32" ? "node.exe" : "bin/node", stdout.trim()));
  const version = versionOf(path);
  if (!isNewEnough("node", version)) return `${why} does not run here: ${path}`;
  return { path, version: version!, from: `npm ${name}` };
}
