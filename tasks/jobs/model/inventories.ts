/**
 * Inventories, and the sources that fill them.
 *
 * @module
 */
import { z } from "zod";
import { type Db, notFound, row } from "./rows.ts";
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
