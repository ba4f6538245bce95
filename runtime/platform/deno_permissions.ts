/**
 * What Deno lets the processes do that run the tasks. Asked for by `pool.task_permissions`, else what the node itself
 * may do without limits; in any case what a host cannot do without: its code, the tasks, the environment, the database.
 *
 * @module
 */
import type { Confinement } from "./platform.ts";

const KINDS = ["read", "write", "net", "env", "run", "sys", "ffi", "import"] as const;
type Kind = typeof KINDS[number];
const FLAG = /^(?:--)?(?:(allow|deny)-)?(read|write|net|env|run|sys|ffi|import)(?:=(.+))?$/s;

/** Ask this process's own permissions; for everything of a kind unless a path is named. */
export type Ask = (kind: Kind, path?: string) => boolean;

/**
 * How this process may start another Deno: by its own file, or by the name on PATH where that is a link, which is what
 * `--allow-run=/usr/bin/deno` allows and the file behind it is not. Undefined where it may not.
 */
export function denoProgram(): string | undefined {
  return [Deno.execPath(), "deno"].find((command) =>
    Deno.permissions.querySync({ name: "run", command }).state === "granted"
  );
}

/** Tell whether a word of `pool.task_permissions` is one: `all`, `net`, `read=/srv/data`, `deny-net=10.0.0.0`. */
export function isPermission(word: string): boolean {
  return word === "all" || FLAG.test(word);
}

/** The flags of a host. */
export function hostFlags({ permissions, read, net }: Confinement, ask: Ask, cwd: string): string[] {
  const asked = permissions ?? KINDS.filter((kind) => ask(kind));
  if (asked.includes("all") || (!permissions && asked.length === KINDS.length)) return ["--allow-all"];
  const base = [...read, ...permissions === undefined && ask("read", cwd) ? [cwd] : []];
  const allowed = new Map<string, Set<string> | "all">([["read", new Set(base)], ["env", "all"]]);
  if (net.length > 0) allowed.set("net", new Set(net));
  const denied: string[] = [];
  for (const word of asked) {
    const [, verb, kind, values] = FLAG.exec(word)!;
    if (verb === "deny") denied.push(`--deny-${kind}${values ? `=${values}` : ""}`);
    else if (values === undefined) allowed.set(kind, "all");
    else if (allowed.get(kind) !== "all") {
      allowed.set(kind, new Set([...allowed.get(kind) ?? [], ...values.split(",")]));
    }
  }
  const flags = [...allowed].map(([kind, values]) =>
    values === "all" ? `--allow-${kind}` : `--allow-${kind}=${[...values].join(",")}`
  );
  return [...flags, ...denied];
}
