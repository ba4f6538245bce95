/**
 * What `ansible-inventory --list --export` says, or a script in its place: hosts, groups and their variables.
 *
 * @module
 */
import { z } from "zod";
import { type Variables, variables } from "../model/unified_job.ts";

/** A group; one that is only a list of hosts is how old scripts say it. */
const groupSchema = z.union([
  z.array(z.string()).transform((hosts) => ({ hosts, children: [] as string[], vars: {} as Variables })),
  z.object({
    hosts: z.array(z.string()).default([]),
    children: z.array(z.string()).default([]),
    vars: variables.default({}),
  }),
]);
const listingSchema = z.looseObject({
  _meta: z.object({ hostvars: z.record(z.string(), variables).default({}) }).default({ hostvars: {} }),
});

/** An inventory as it is imported; in order of names, so that two imports lock rows in one order. */
export interface Inventory {
  /** Of all hosts. */
  vars: Variables;
  hosts: { name: string; variables: Variables }[];
  groups: { name: string; variables: Variables }[];
  members: { group: string; host: string }[];
  children: { parent: string; child: string }[];
}

/** Groups that every inventory has. */
const IMPLIED = new Set(["all", "ungrouped"]);

/**
 * Read a listing.
 *
 * @throws {Error} Naming the place where it is none.
 *
 * @example
 * ```ts
 * import { readListing } from "./inventory_listing.ts";
 *
 * readListing('{"web": {"hosts": ["a"]}, "_meta": {"hostvars": {"a": {"port": 80}}}}').hosts;
 * // [{ name: "a", variables: { port: 80 } }]
 * ```
 */
export function readListing(text: string): Inventory {
  const { _meta, ...rest } = checked(listingSchema, JSON.parse(text), "");
  const hosts = new Map<string, Variables>(Object.entries(_meta.hostvars));
  const groups = new Map<string, Variables>();
  const members: Inventory["members"] = [];
  const children: Inventory["children"] = [];
  let vars: Variables = {};
  for (const [name, value] of Object.entries(rest)) {
    const group = checked(groupSchema, value, name);
    for (const host of group.hosts) if (!hosts.has(host)) hosts.set(host, {});
    if (name === "all") vars = group.vars;
    if (IMPLIED.has(name)) continue;
    groups.set(name, group.vars);
    members.push(...group.hosts.map((host) => ({ group: name, host })));
    children.push(
      ...group.children.filter((child) => child !== name).map((child) => ({ parent: name, child })),
    );
  }
  // A group that has nothing of its own is only named by its parent.
  const named = Object.values(rest).flatMap((value) =>
    Array.isArray(value) ? [] : (value as { children?: string[] }).children ?? []
  );
  for (const name of named) if (!IMPLIED.has(name) && !groups.has(name)) groups.set(name, {});
  return { vars, hosts: sorted(hosts), groups: sorted(groups), members, children };
}

function sorted(named: Map<string, Variables>): { name: string; variables: Variables }[] {
  return [...named].map(([name, variables]) => ({ name, variables })).sort((a, b) =>
    a.name < b.name ? -1 : 1
  );
}

function checked<T>(schema: z.ZodType<T>, value: unknown, place: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  throw new Error(
    `Cannot read the inventory: ${
      [place, ...path].filter((part) => part !== "").join(".") || "it"
    }: ${message}`,
  );
}
