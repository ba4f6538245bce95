/**
 * The inventory of a job as a file: JSON, which ansible's yaml plugin reads, and quickly.
 *
 * @module
 */
import type { Db } from "../model/rows.ts";
import type { PrivateDir } from "./private_dir.ts";

/** Of playbooks that name no inventory. */
const LOCALHOST = { all: { hosts: { localhost: { ansible_connection: "local" } } } };

const INVENTORY = `select jsonb_build_object('all', jsonb_build_object(
    'vars', i.variables,
    'hosts', (select coalesce(jsonb_object_agg(h.name, h.variables), '{}') from awx.host h
      where h.inventory_id = i.id and h.enabled),
    'children', (select coalesce(jsonb_object_agg(g.name, jsonb_build_object(
        'vars', g.variables,
        'hosts', coalesce(members.hosts, '{}'),
        'children', coalesce(below.children, '{}'))), '{}')
      from awx.host_group g
      left join (select m.group_id, jsonb_object_agg(h.name, null) hosts
        from awx.host_group_host m join awx.host h on h.id = m.host_id
        where h.inventory_id = $1::bigint and h.enabled group by 1) members on members.group_id = g.id
      left join (select c.parent_id, jsonb_object_agg(child.name, null) children
        from awx.host_group_child c join awx.host_group child on child.id = c.child_id
        where child.inventory_id = $1::bigint group by 1) below on below.parent_id = g.id
      where g.inventory_id = i.id)
  ))::text as inventory
  from awx.inventory i where i.id = $1::bigint`;

/** Write it; gives its path. Hosts that are disabled are left out. */
export async function inventoryFile(db: Db, inventoryId: number | null, dir: PrivateDir): Promise<string> {
  const [found] = inventoryId === null ? [] : await db.unsafe(INVENTORY, [inventoryId] as never[]);
  return await dir.file(
    "inventory/hosts.json",
    found ? found.inventory as string : JSON.stringify(LOCALHOST),
  );
}
