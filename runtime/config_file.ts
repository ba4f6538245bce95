/**
 * Reading a configuration file, JSON, YAML or a module, and the trees that files, variables and flags are merged as.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { DispatcherError } from "./errors.ts";

/** A configuration that nobody has checked yet. */
export type Tree = { [key: string]: unknown };

const MODULES = [".ts", ".js", ".mjs"];
const READERS: Readonly<Record<string, (text: string) => unknown>> = {
  ".json": parseJson,
  ".yaml": parseYaml,
  ".yml": parseYaml,
};
// Loaded by the first YAML file: few have one.
let yaml: typeof import("yaml") | undefined;

/**
 * Read a file into a tree.
 *
 * @throws {DispatcherError} `config`, naming the file and why, without a word of its content.
 */
export async function readConfigFile(path: string): Promise<Tree> {
  try {
    const value = await readValue(path, extname(path));
    if (!isTree(value)) throw new Error("it is not an object");
    return value;
  } catch (error) {
    throw new DispatcherError("config", `Cannot read configuration "${path}": ${(error as Error).message}`);
  }
}

async function readValue(path: string, type: string): Promise<unknown> {
  if (MODULES.includes(type)) {
    const { default: value } = await import(pathToFileURL(resolve(path)).href);
    if (typeof value !== "object" || value === null) throw new Error("its default export is not an object");
    return value;
  }
  if (!Object.hasOwn(READERS, type)) {
    throw new Error("its name must end in .json, .yaml, .yml, .ts, .js or .mjs");
  }
  if (READERS[type] === parseYaml) yaml ??= await import("yaml");
  return READERS[type](await readFile(path, "utf8"));
}

/** The engine's own message quotes the text around the fault, which may be a password. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const place = /line \d+ column \d+|position \d+/.exec((error as Error).message)?.[0];
    throw new Error(place ? `it is not JSON, see ${place}` : "it is not JSON");
  }
}

/** The library's messages quote the text too, so only their code and place are told. */
function parseYaml(text: string): unknown {
  const lineCounter = new yaml!.LineCounter();
  // Merge keys (`<<`) as Python's YAML has them.
  const document = yaml!.parseDocument(text, { prettyErrors: false, lineCounter, merge: true });
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) {
    const { line, col } = lineCounter.linePos(fault.pos[0]);
    throw new Error(`it is not plain YAML (${fault.code}), see line ${line} column ${col}`);
  }
  try {
    // An empty file configures nothing.
    return document.toJS() ?? {};
  } catch {
    throw new Error("it is not plain YAML: an alias has no anchor, or there are too many");
  }
}

/** Whether a value has keys of its own. */
export function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Lay a tree over another; `set` is told the dotted path of each value that is written. */
export function mergeTree(into: Tree, tree: Tree, set: (path: string) => void, prefix = ""): void {
  for (const [key, value] of Object.entries(tree)) {
    if (value === undefined) continue;
    // In a file a key like another, but to assign to it would change every object there is.
    if (key === "__proto__") {
      throw new DispatcherError("config", `Unknown configuration key "${prefix}${key}"`);
    }
    if (isTree(value)) {
      if (!isTree(into[key])) into[key] = {};
      mergeTree(into[key] as Tree, value, set, `${prefix}${key}.`);
    } else {
      into[key] = value;
      set(prefix + key);
    }
  }
}

/** Write the value at a dotted path. */
export function putValue(tree: Tree, path: string, value: unknown): void {
  const keys = path.split(".");
  const last = keys.pop()!;
  const at = keys.reduce<Tree>((node, key) => (node[key] ??= {}) as Tree, tree);
  at[last] = value;
}

/** The dotted paths of all values. */
export function leavesOf(tree: Tree, prefix = ""): string[] {
  return Object.entries(tree).flatMap(([key, value]) =>
    isTree(value) ? leavesOf(value, `${prefix}${key}.`) : [prefix + key]
  );
}

/** The parts of a PostgreSQL address. */
export interface Address {
  host?: string;
  port?: string;
  user?: string;
  password?: string;
  database?: string;
  sslmode?: string;
}

/** An address as a URL; a host that is a directory is the one of the server's Unix socket. */
export function postgresUrl(address: Address): string {
  const { host = "localhost", port = "5432", user = "postgres", password, database = user, sslmode } =
    address;
  const login = encodeURIComponent(user) + (password ? `:${encodeURIComponent(password)}` : "");
  const query = [
    ...host.startsWith("/") ? [`host=${encodeURIComponent(host)}`] : [],
    ...sslmode ? [`sslmode=${encodeURIComponent(sslmode)}`] : [],
  ].join("&");
  const place = `${host.startsWith("/") ? "localhost" : host}:${port}/${encodeURIComponent(database)}`;
  return `postgres://${login}@${place}${query && `?${query}`}`;
}
