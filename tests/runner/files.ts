import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Runtime } from "./binaries.ts";

/** A test file, its path from the repository's top folder, and the runtimes it is for. */
export interface TestFile {
  path: string;
  runtimes: Runtime[];
}

/** List tests/**\/*.test.ts in order, those only that match one of `patterns` when there are any. */
export function findTestFiles(root: string, patterns: string[]): TestFile[] {
  const wanted = patterns.map(asRegExp);
  return globSync("tests/**/*.test.ts", { cwd: root })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => wanted.length === 0 || wanted.some((pattern) => pattern.test(path)))
    .sort()
    .map((path) => ({ path, runtimes: runtimesOf(readFileSync(join(root, path), "utf8")) }));
}

/** Read the convention: `// @runtimes deno,node` in one of the first five lines; without it, all three. */
export function runtimesOf(source: string): Runtime[] {
  const head = source.split("\n", 5).join("\n");
  const names = /^\/\/ @runtimes (.+)$/m.exec(head)?.[1].split(",").map((name) => name.trim());
  const all: Runtime[] = ["deno", "bun", "node"];
  const unknown = names?.find((name) => !all.includes(name as Runtime));
  if (unknown !== undefined) throw new TypeError(`Cannot read "// @runtimes": unknown runtime ${unknown}`);
  return names ? all.filter((name) => names.includes(name)) : all;
}

/** A pattern matches anywhere in the path. */
function asRegExp(pattern: string): RegExp {
  const plain = pattern.replace(/^\.\//, "").replace(/[.+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(plain.replace(/\*+/g, ".*"));
}
