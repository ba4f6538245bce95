/**
 * Inventories, and the sources that fill them.
 *
 * @module
 */
import { z } from "zod";
import { type Db, notFound, row } from "./rows.ts";
import { leavesProject } from "./paths.ts";
import { idSchema, nameSchema, type Table, wholeSeconds } from "./table.ts";
import { variables } from "./unified_job.ts";

export const inventorySchema = z.object({
  id: z.int(),
  name: z.string(),
  variables,
  pending_deletion: z.boolean(),
});
export type Inventory = z.infer<typeof inventorySchema>;

export const inventorySourceSchema = z.object({
  id: z.int(),
  inventory_id: z.int(),
  name: z.string(),
  kind: z.enum(["static", "file", "project", "script"]),
  content: z.string(),
  path: z.string(),
  project_id: z.int().nullable(),
  source_vars: variables,
  overwrite: z.boolean(),
  update_on_launch: z.boolean(),
  update_cache_timeout: z.int(),
  timeout: z.int(),
  credential_id: z.int().nullable(),
});
export type InventorySource = z.infer<typeof inventorySourceSchema>;

/** @throws {DispatcherError} `not_found`. */
export async function inventoryById(db: Db, id: number): Promise<Inventory> {
  const found = await row(db, inventorySchema, "select * from awx.inventory where id = $1::bigint", [id]);
  if (!found) throw notFound("inventory", id);
  return found;
}

/** @throws {DispatcherError} `not_found`. */
export async function inventorySourceById(db: Db, id: number): Promise<InventorySource> {
  const found = await row(
    db,
    inventorySourceSchema,
    "select * from awx.inventory_source where id = $1::bigint",
    [id],
  );
  if (!found) throw notFound("inventory source", id);
  return found;
}

/** Hosts that a run would reach, before any limit. */
export async function hostCount(db: Db, inventoryId: number | null): Promise<number> {
  const [{ count }] = await db.unsafe(
    "select count(*)::int count from awx.host where inventory_id = $1::bigint and enabled",
    [inventoryId] as never[],
  );
  return count as number;
}

/** Inventories as they are made and changed; see `table.ts`. `inventory_deletion.ts` deletes them. */
export const INVENTORIES: Table<Inventory> = {
  kind: "inventory",
  noun: "inventory",
  row: inventorySchema,
  input: z.strictObject({ name: nameSchema, variables: variables.optional() }),
};

/** Sources as they are made and changed. Their names are unique in their inventory. */
export const INVENTORY_SOURCES: Table<InventorySource> = {
  kind: "inventory_source",
  noun: "inventory source",
  row: inventorySourceSchema,
  input: z.strictObject({
    inventory_id: idSchema,
    name: nameSchema,
    kind: inventorySourceSchema.shape.kind,
    content: z.string().max(50_000_000).optional(),
    path: z.string().max(4_096).optional(),
    project_id: idSchema.nullable().optional(),
    source_vars: variables.optional(),
    overwrite: z.boolean().optional(),
    update_on_launch: z.boolean().optional(),
    update_cache_timeout: wholeSeconds.optional(),
    timeout: wholeSeconds.optional(),
    credential_id: idSchema.nullable().optional(),
  }),
  rule({ kind, content = "", path = "", project_id = null }) {
    switch (kind) {
      case "static":
      case "script":
        return content === "" ? `a ${kind} source needs content` : undefined;
      case "file":
        return path === "" ? "a file source needs a path" : undefined;
      case "project":
        if (project_id === null || path === "") return "a project source needs a project_id and a path in it";
        return leavesProject(path)
          ? `path leads out of the project: given ${JSON.stringify(path)}`
          : undefined;
    }
  },
};
