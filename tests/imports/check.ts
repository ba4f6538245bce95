import { dirname, matchesGlob, posix } from "node:path";
import { type Import, importsOf, runtimeGlobalsOf } from "./scanner.ts";

/** Globs; one that begins with `!` takes away what it matches. */
export type Globs = readonly string[];

/** What some files may import of the tree, and which packages. */
export interface Layer {
  rule: string;
  files: Globs;
  /** Besides these, a file may import from its own room when `ownRoom` is set. */
  may: Globs;
  ownRoom?: boolean;
  /** Allowed as `import type` only. */
  mayTypes?: Globs;
  /** Names, `node:` built-ins among them; any when left out. */
  packages?: Globs;
}

/** Only these files may use a package; `types` may import its types. */
export interface Owner {
  package: string;
  files: Globs;
  types?: Globs;
}

export interface Rules {
  layers: readonly Layer[];
  owners: readonly Owner[];
  adapters: Globs;
  composers: Globs;
  runtimeGlobals: Globs;
  /** Where no cycle may be; `types` counts type imports too, which are erased but tie two files all the same. */
  acyclic: { files: Globs; types: boolean };
  maxLines: { files: Globs; lines: number };
  budget: { file: string; lines: number };
  /** Bare names that stand for a file of the tree. */
  aliases: Readonly<Record<string, string>>;
  /** Where files of the tree are imported late, or at once. */
  late: Globs;
}

interface Edge extends Import {
  from: string;
  /** The file, or the package's name. */
  to: string;
  isFile: boolean;
}

/** List every breach of `rules` in `sources` (path to text), a line each. */
export function violations(sources: ReadonlyMap<string, string>, rules: Rules): string[] {
  const edges = [...sources].flatMap(([path, text]) => edgesOf(path, text, rules.aliases));
  return [
    ...rules.layers.flatMap((layer) => edges.filter((edge) => breaks(edge, layer)).map(say(layer.rule))),
    ...rules.owners.flatMap((owner) =>
      edges.filter((edge) => trespasses(edge, owner)).map(say(ownerRule(owner)))
    ),
    ...edges.filter((edge) => edge.isFile && edge.kind === "dynamic" && matches(edge.from, rules.late))
      .map(say("Deno reads it ahead unless it is written `as string`")),
    ...composing(edges, rules),
    ...globals(sources, rules),
    ...sizes(sources, rules),
    ...overBudget(sources, edges, rules),
    ...cycles(edges.filter((edge) => canClose(edge, rules))),
  ];
}

export function matches(path: string, globs: Globs): boolean {
  return globs.some((glob) => !glob.startsWith("!") && matchesGlob(path, glob)) &&
    !globs.some((glob) => glob.startsWith("!") && matchesGlob(path, glob.slice(1)));
}

function edgesOf(from: string, text: string, aliases: Rules["aliases"]): Edge[] {
  const imports = importsOf(text);
  const late = new Set(imports.filter(({ kind }) => kind === "late").map(({ specifier }) => specifier));
  // The type of what is imported late is named for that alone.
  return imports.filter(({ kind, specifier }) => kind !== "type" || !late.has(specifier)).map((found) => {
    const { specifier } = found;
    const alias = aliases[specifier];
    if (alias) return { ...found, from, to: alias, isFile: true };
    if (/^\.{0,2}\//.test(specifier)) {
      return { ...found, from, to: posix.join(dirname(from), specifier), isFile: true };
    }
    return { ...found, from, to: packageOf(specifier), isFile: false };
  });
}

/** `npm:@a/b@1/c` and `@a/b/c` are `@a/b`; `node:fs/promises` stays. */
function packageOf(specifier: string): string {
  if (specifier.startsWith("node:")) return specifier;
  return /^(?:npm:|jsr:)?\/?((?:@[^/]+\/)?[^/@]+)/.exec(specifier)?.[1] ?? specifier;
}

/** `runtime/store`, `cli`, `tasks`; of a file right below `runtime/` that file itself. */
function roomOf(path: string): string {
  const parts = path.split("/");
  return parts.slice(0, parts[0] === "runtime" ? 2 : 1).join("/");
}

function breaks(edge: Edge, layer: Layer): boolean {
  if (!matches(edge.from, layer.files)) return false;
  if (!edge.isFile) return layer.packages !== undefined && !layer.packages.includes(edge.to);
  const own = layer.ownRoom && roomOf(edge.from) === roomOf(edge.to);
  const asType = edge.kind === "type" && matches(edge.to, layer.mayTypes ?? []);
  return !own && !asType && !matches(edge.to, layer.may);
}

function trespasses(edge: Edge, owner: Owner): boolean {
  if (edge.isFile || edge.to !== owner.package || matches(edge.from, owner.files)) return false;
  return edge.kind !== "type" || !matches(edge.from, owner.types ?? []);
}

const ownerRule = (owner: Owner) => `${owner.package} belongs to ${owner.files.join(", ")}`;

const say = (rule: string) => ({ from, line, to, kind }: Edge) =>
  `${from}:${line} imports ${kind === "static" ? "" : `(${kind}) `}${to}: ${rule}`;

function composing(edges: Edge[], { adapters, composers }: Rules): string[] {
  const rooms = new Map<string, Set<string>>();
  for (const { from, to, isFile } of edges) {
    if (!isFile || matches(from, composers) || !matches(to, adapters)) continue;
    rooms.set(from, (rooms.get(from) ?? new Set()).add(roomOf(to)));
  }
  return [...rooms].filter(([, of]) => of.size > 1)
    .map(([from, of]) =>
      `${from} imports adapters of ${[...of].join(", ")}: only ${composers.join(", ")} compose`
    );
}

function globals(sources: ReadonlyMap<string, string>, { runtimeGlobals }: Rules): string[] {
  return [...sources].filter(([path]) => !matches(path, runtimeGlobals)).flatMap(([path, text]) =>
    runtimeGlobalsOf(text).map(({ name, line }) =>
      `${path}:${line} names ${name}: only ${runtimeGlobals.join(", ")} may`
    )
  );
}

function sizes(sources: ReadonlyMap<string, string>, { maxLines }: Rules): string[] {
  return [...sources].filter(([path, text]) =>
    matches(path, maxLines.files) && linesOf(text) > maxLines.lines
  )
    .map(([path, text]) => `${path} has ${linesOf(text)} lines: no more than ${maxLines.lines}`);
}

/** Lines that are neither blank nor comments. */
function codeLinesOf(text: string): number {
  return text.split("\n").filter((line) => !/^\s*($|\/\/|\/\*|\*)/.test(line)).length;
}

function linesOf(text: string): number {
  return text.replace(/\n$/, "").split("\n").length;
}

/** What `budget.file` loads before its first line runs: its cost at every start. */
function overBudget(sources: ReadonlyMap<string, string>, edges: Edge[], { budget }: Rules): string[] {
  const loaded = new Set([budget.file]);
  const found: string[] = [];
  // The set grows while the loop walks it.
  for (const file of loaded) {
    for (const edge of edges.filter((edge) => edge.from === file && edge.kind === "static")) {
      if (edge.isFile) loaded.add(edge.to);
      else found.push(say(`${budget.file} loads no package, nor what Node has built in`)(edge));
    }
  }
  const present = [...loaded].filter((path) => sources.has(path));
  const lines = present.reduce((sum, path) => sum + codeLinesOf(sources.get(path)!), 0);
  if (lines >= budget.lines) {
    found.push(
      `${budget.file} loads ${lines} lines of code (${present.join(", ")}): fewer than ${budget.lines}`,
    );
  }
  return found;
}

function canClose({ isFile, kind, from }: Edge, { acyclic }: Rules): boolean {
  return isFile && matches(from, acyclic.files) && (kind === "static" || (kind === "type" && acyclic.types));
}

/** Find a cycle through each file that is in one, each cycle once. */
function cycles(edges: Edge[]): string[] {
  const targets = new Map<string, string[]>();
  for (const { from, to } of edges) targets.set(from, [...targets.get(from) ?? [], to]);
  const found = new Map<string, string>();
  for (const start of targets.keys()) {
    const path = wayBack(start, targets);
    if (!path) continue;
    // The same files in whatever order are the same cycle.
    const key = [...new Set(path)].sort().join();
    if (!found.has(key)) found.set(key, path.join(" -> "));
  }
  return [...found.values()].map((path) => `import cycle: ${path}`);
}

/** The shortest way from `start` to itself, breadth first. */
function wayBack(start: string, targets: Map<string, string[]>): string[] | undefined {
  const ways = [[start]];
  const seen = new Set<string>();
  for (const way of ways) {
    for (const next of targets.get(way.at(-1)!) ?? []) {
      if (next === start) return [...way, next];
      if (!seen.has(next)) ways.push([...way, next]);
      seen.add(next);
    }
  }
}
