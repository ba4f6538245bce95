/**
 * From a task's name to its code. Nothing is imported before its file is known to lie under the tasks root:
 * names are data that anybody who can publish may choose.
 *
 * ```text
 * examples/add                tasks/examples/add.ts, default export
 * examples/math#sub           tasks/examples/math.ts, export sub
 * examples.add                the same as examples/add
 * awx.main.tasks.system.add   prefix stripped: tasks/system.ts export add, or tasks/system/add.ts default export
 * ```
 *
 * @module
 */
import { fileUrl, isFile, realPath, SEPARATOR } from "./platform/files.ts";
import { definitionOf, type TaskDefinition } from "./task.ts";

/** Where tasks are looked for. */
export interface RegistryOptions {
  /** The tasks root, a directory. */
  root: string;
  /** Prefixes that are stripped from dotted names. */
  prefixes?: readonly string[];
  /** Paths that names must begin with, for example `system/`; by default every path under the root. */
  allow?: readonly string[];
}

/** The first that fits is stripped. */
export const DEFAULT_PREFIXES: readonly string[] = ["awx.main.tasks.", "awx.main."];

/** The name stands for no task here. It is recorded and never tried again. */
export class UnknownTaskError extends Error {
  override name = "UnknownTaskError";
  constructor(name: string, why: string) {
    super(`'${name}' is not a valid task: ${why}`);
  }
}

const SEGMENT = /^[A-Za-z0-9_][A-Za-z0-9_-]*$/;
const EXPORT = /^[A-Za-z_$][A-Za-z0-9_$]*$/;
const EXTENSIONS = [".ts", ".js", ".mjs"];

/** One way of reading a name: a module path under the root and an export of it. */
interface Candidate {
  path: string;
  exported: string;
}

/** A task that was found and loaded. */
export interface LoadedTask {
  /** Its path, for example `examples/math#sub`. */
  path: string;
  definition: TaskDefinition;
}

/** Resolves names and remembers what it has loaded. */
export class Registry {
  readonly #root: string;
  readonly #prefixes: readonly string[];
  readonly #allow: readonly string[];
  // Written and read by load(); one entry a name that was asked for and exists.
  readonly #loaded = new Map<string, LoadedTask>();

  constructor(options: RegistryOptions) {
    this.#root = realPath(options.root);
    this.#prefixes = options.prefixes ?? DEFAULT_PREFIXES;
    this.#allow = options.allow ?? [];
  }

  /**
   * Find and import a task.
   *
   * @throws {UnknownTaskError} for a name that stands for no task; whatever the module itself throws otherwise.
   */
  async load(name: string): Promise<LoadedTask> {
    const known = this.#loaded.get(name);
    if (known) return known;
    const candidates = readName(name, this.#prefixes);
    const reasons: string[] = [];
    for (const candidate of candidates) {
      const file = this.#fileOf(candidate, name);
      if (!file) {
        reasons.push(`no file ${candidate.path}.ts under the tasks root`);
        continue;
      }
      const module = await import(fileUrl(file));
      const definition = definitionOf(module[candidate.exported]);
      if (!definition) {
        reasons.push(`export ${candidate.exported} of ${candidate.path} is not made by task()`);
        continue;
      }
      const path = candidate.exported === "default"
        ? candidate.path
        : `${candidate.path}#${candidate.exported}`;
      const loaded = { path, definition };
      this.#loaded.set(name, loaded);
      return loaded;
    }
    throw new UnknownTaskError(name, reasons.join("; "));
  }

  /** The file behind a candidate, checked to lie under the root after all links are followed. */
  #fileOf({ path }: Candidate, name: string): string | undefined {
    if (this.#allow.length > 0 && !this.#allow.some((prefix) => path.startsWith(prefix))) {
      throw new UnknownTaskError(name, `only ${this.#allow.join(", ")} are allowed here`);
    }
    for (const extension of EXTENSIONS) {
      const file = [this.#root, ...path.split("/")].join(SEPARATOR) + extension;
      if (!isFile(file)) continue;
      const real = realPath(file);
      if (!real.startsWith(this.#root + SEPARATOR)) {
        throw new UnknownTaskError(name, "its file lies outside the tasks root");
      }
      return real;
    }
  }
}

/**
 * The ways in which a name can be read, best first.
 *
 * @throws {UnknownTaskError} when no legal path can be made of it.
 */
export function readName(name: string, prefixes: readonly string[] = DEFAULT_PREFIXES): Candidate[] {
  const [path, exported, ...more] = name.split("#");
  if (more.length > 0) throw new UnknownTaskError(name, "more than one #");
  if (exported !== undefined && !EXPORT.test(exported)) {
    throw new UnknownTaskError(name, "no legal export name");
  }
  if (path.includes("/") || exported !== undefined || !path.includes(".")) {
    return [{ path: checkPath(path, name), exported: exported ?? "default" }];
  }
  const prefix = prefixes.find((p) => path.startsWith(p));
  const dotted = checkPath(path.slice(prefix?.length ?? 0).replaceAll(".", "/"), name);
  const cut = dotted.lastIndexOf("/");
  const direct = { path: dotted, exported: "default" };
  if (cut < 0) return [direct];
  return [direct, { path: dotted.slice(0, cut), exported: dotted.slice(cut + 1) }];
}

function checkPath(path: string, name: string): string {
  if (!path.split("/").every((segment) => SEGMENT.test(segment))) {
    throw new UnknownTaskError(name, "a path is made of names joined by /, inside the tasks root");
  }
  return path;
}
