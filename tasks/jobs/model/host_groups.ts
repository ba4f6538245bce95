/**
 * Groups of an inventory: hosts and other groups in them, never themselves.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { z } from "zod";
import { drawn, findCycle } from "./cycles.ts";
import { hostSchema } from "./hosts.ts";
import { type Db, notFound, row, rows } from "./rows.ts";
import { byId, idSchema, type Named, nameSchema, type Table } from "./table.ts";
import { variables } from "./unified_job.ts";

export const hostGroupSchema = z.object({
  id: z.int(),
  inventory_id: z.int(),
  name: z.string(),
  variables,
  source_id: z.int().nullable(),
});
export type HostGroup = z.infer<typeof hostGroupSchema>;

/** Groups as they are made and changed; see `table.ts`. Their names are unique in their inventory. */
export const HOST_GROUPS: Table<HostGroup> = {
  kind: "host_group",
  noun: "group",
  row: hostGroupSchema,
  input: z.strictObject({
    inventory_id: idSchema,
    name: nameSchema.refine((name) => !/[\s,:]/.test(name), "a group's name has no blanks, commas and colons")
      .refine((name) => name !== "all", "the group all is everybody's"),
    variables: variables.optional(),
  }),
};

const listedSchema = hostGroupSchema.extend({ hosts: z.int(), children: z.array(z.string()) });
/** A group with how many hosts are in it by themselves, and the groups in it. */
export type ListedHostGroup = z.infer<typeof listedSchema>;

/** Groups of an inventory by name. */
export async function listHostGroups(db: Db, inventoryId: number): Promise<ListedHostGroup[]> {
  return await rows(
    db,
    listedSchema,
    `select g.*, (select count(*)::int from awx.host_group_host m where m.group_id = g.id) hosts,
       array(select c.name from awx.host_group_child e join awx.host_group c on c.id = e.child_id
         where e.parent_id = g.id order by c.name) children
     from awx.host_group g where g.inventory_id = $1::bigint order by g.name`,
    [inventoryId],
  );
}

/** The group of this name in an inventory. @throws {DispatcherError} `not_found`. */
export async function hostGroupByName(db: Db, inventoryId: number, name: string): Promise<HostGroup> {
  const text = "select * from awx.host_group where inventory_id = $1::bigint and name = $2::text";
  const found = await row(db, hostGroupSchema, text, [inventoryId, name]);
  if (!found) throw notFound("group", name);
  return found;
}

/**
 * Put a group into another. Call it in a transaction: two at once might close a cycle that neither sees.
 *
 * @throws {DispatcherError} `refused` for a cycle, which is named; `usage` for groups of two inventories.
 */
export async function addChildGroup(db: Db, parentId: number, childId: number): Promise<void> {
  const [parent, child] = [await byId(db, HOST_GROUPS, parentId), await byId(db, HOST_GROUPS, childId)];
  sameInventory(parent, child);
  await db.unsafe("select from awx.inventory where id = $1::bigint for update", [
    parent.inventory_id,
  ] as never[]);
  const edges = await rows(
    db,
    z.object({ parent: z.string(), child: z.string() }),
    `select p.name parent, c.name child from awx.host_group_child e
     join awx.host_group p on p.id = e.parent_id join awx.host_group c on c.id = e.child_id
     where p.inventory_id = $1::bigint`,
    [parent.inventory_id],
  );
  const cycle = findCycle([
    [parent.name, child.name] as const,
    ...edges.map(({ parent, child }) => [parent, child] as const),
  ]);
  if (cycle) {
    throw new DispatcherError(
      "refused",
      `Cannot put group "${child.name}" into "${parent.name}": ${drawn(cycle)} is a cycle`,
    );
  }
  await db.unsafe(
    "insert into awx.host_group_child (parent_id, child_id) values ($1::bigint, $2::bigint) on conflict do nothing",
    [parentId, childId] as never[],
  );
}

/** Take a group out of another. */
export async function removeChildGroup(db: Db, parentId: number, childId: number): Promise<void> {
  await db.unsafe(
    "delete from awx.host_group_child where parent_id = $1::bigint and child_id = $2::bigint",
    [parentId, childId] as never[],
  );
}

/** Put a host into a group. @throws {DispatcherError} `not_found`; `usage` when they are of two inventories. */
export async function addHost(db: Db, groupId: number, hostId: number): Promise<void> {
  const group = await byId(db, HOST_GROUPS, groupId);
  const host = await row(db, hostSchema, "select * from awx.host where id = $1::bigint", [hostId]);
  if (!host) throw notFound("host", hostId);
  sameInventory(group, host);
  await db.unsafe(
    "insert into awx.host_group_host (group_id, host_id) values ($1::bigint, $2::bigint) on conflict do nothing",
    [groupId, hostId] as never[],
  );
}

/** Take a host out of a group. */
export async function removeHost(db: Db, groupId: number, hostId: number): Promise<void> {
  await db.unsafe(
    "delete from awx.host_group_host where group_id = $1::bigint and host_id = $2::bigint",
    [groupId, hostId] as never[],
  );
}

function sameInventory(group: HostGroup, member: Named & { inventory_id: number }): void {
  if (group.inventory_id === member.inventory_id) return;
  throw new DispatcherError(
    "usage",
    `Cannot put "${member.name}" into group "${group.name}": they are of inventories ${member.inventory_id} and ${group.inventory_id}`,
  );
}
