/**
 * Builds the npm package into `dist/npm`: one JavaScript file and one declaration for each source, because Node
 * strips no types below `node_modules`. Run by `deno task build`, or by Bun or Node.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** What is no TypeScript and belongs to the package all the same. */
const ASSETS = ["{runtime,cli}/**/*.{sql,mjs,js,css,html,svg,json}", "README.md", "CHANGELOG.md", "LICENSE"];
/** Names of files that are made while the program runs, or are looked for, and are not in the package. */
const URLS = /(new URL\(")(\.{1,2}\/[^"]+)\.ts(", import\.meta\.url\))/g;
/** What the compiler makes of `import("./x.ts" as string)`, and the function that this calls. */
const HELPER = /^var __rewriteRelativeImportExtension = [^]*?\n};\n/m;
const HELPED = /__rewriteRelativeImportExtension\(("[^"]+")\)/g;
const IMPORTS = /((?:from|import|import\() ?")(\.{1,2}\/[^"]+)\.ts(")/g;

/** Build the package into a directory, emptied before; returns the directory. */
export function buildNpm(out: string = join(ROOT, "dist", "npm")): string {
  rmSync(out, { recursive: true, force: true });
  compile(out);
  for (const path of globSync(ASSETS, { cwd: ROOT })) copy(path, out);
  for (const path of globSync("**/*.{js,mjs,d.ts}", { cwd: out })) renameIn(join(out, path));
  writeFileSync(join(out, "package.json"), JSON.stringify(manifest(), null, 2) + "\n");
  return out;
}

function compile(out: string): void {
  const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const args = [compiler, "--project", join(ROOT, ".ci", "tsconfig.json"), "--outDir", out];
  const run = process.versions.deno ? ["run", "-A", ...args] : args;
  const { status, stdout, stderr, error } = spawnSync(process.execPath, run, { encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot compile the package: ${error?.message ?? stdout + stderr}`);
}

function copy(path: string, out: string): void {
  mkdirSync(dirname(join(out, path)), { recursive: true });
  cpSync(join(ROOT, path), join(out, path));
}

/** The compiler renames what is imported; not what a URL names, nor what JavaScript and declarations import. */
function renameIn(path: string): void {
  const text = readFileSync(path, "utf8");
  const renamed = withLiterals(text).replace(URLS, "$1$2.js$3").replace(IMPORTS, "$1$2.js$3");
  for (
    const [, , name] of withoutExamples(renamed).matchAll(
      /(new URL\("|from "|import\("|import ")(\.{1,2}\/[^"]+\.m?js)"/g,
    )
  ) {
    const target = join(dirname(path), name);
    if (!existsSync(target)) {
      throw new Error(
        `Cannot build the package: ${path} names ${name}, which is not there`,
      );
    }
  }
  if (renamed !== text) writeFileSync(path, renamed);
}

/** Late imports as literals, which those who bundle the package can follow; other computed ones keep their function. */
function withLiterals(text: string): string {
  const literal = text.replace(HELPED, "$1");
  const bare = literal.replace(HELPER, "");
  return bare.includes("__rewrite") ? literal : bare;
}

/** What a comment imports is for readers. */
function withoutExamples(text: string): string {
  return text.replace(/^\s*\*.*$/gm, "");
}

function manifest(): Record<string, unknown> {
  const source = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const { devDependencies: _, scripts: __, ...kept } = source;
  return {
    ...kept,
    exports: {
      ".": { types: "./mod.d.ts", default: "./mod.js" },
      "./http": { types: "./runtime/http/client.d.ts", default: "./runtime/http/client.js" },
      "./view": { types: "./runtime/http/view/kit.d.ts", default: "./runtime/http/view/kit.js" },
      "./command": { types: "./cli/kit.d.ts", default: "./cli/kit.js" },
      "./package.json": "./package.json",
    },
    types: "./mod.d.ts",
  };
}

if (import.meta.main) console.log(buildNpm());
