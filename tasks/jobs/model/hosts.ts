/**
 * Hosts of inventories. Updates of sources write most of them; these are the operators' own.
 *
 * @module
 */
import { z } from "zod";
import { type Db, rows } from "./rows.ts";
import { idSchema, nameSchema, type Table } from "./table.ts";
import { variables } from "./unified_job.ts";

export const hostSchema = z.object({
  id: z.int(),
  inventory_id: z.int(),
  name: z.string(),
  enabled: z.boolean(),
  variables,
  source_id: z.int().nullable(),
});
export type Host = z.infer<typeof hostSchema>;

/** Hosts as they are made and changed; see `table.ts`. Their names are unique in their inventory. */
export const HOSTS: Table<Host> = {
  kind: "host",
  noun: "host",
  row: hostSchema,
  input: z.strictObject({
    inventory_id: idSchema,
    // Ansible takes these apart in patterns and limits.
    name: nameSchema.refine((name) => !/[\s,]/.test(name), "a host's name has no blanks and commas"),
    enabled: z.boolean().optional(),
    variables: variables.optional(),
  }),
};

const listedSchema = hostSchema.extend({ groups: z.array(z.string()) });
/** A host with the groups that it is in by itself. */
export type ListedHost = z.infer<typeof listedSchema>;

/** Hosts of an inventory by name. */
export async function listHosts(
  db: Db,
  inventoryId: number,
  { group, after, limit = 1_000 }: { group?: string; after?: string; limit?: number } = {},
): Promise<ListedHost[]> {
  return await rows(
    db,
    listedSchema,
    `select h.*, array(select g.name from awx.host_group_host m join awx.host_group g on g.id = m.group_id
       where m.host_id = h.id order by g.name) groups
     from awx.host h
     where h.inventory_id = $1::bigint and ($2::text is null or h.name > $2::text)
       and ($3::text is null or exists (select from awx.host_group_host m
         join awx.host_group g on g.id = m.group_id where m.host_id = h.id and g.name = $3::text))
     order by h.name limit $4::int`,
    [inventoryId, after ?? null, group ?? null, limit],
  );
}
