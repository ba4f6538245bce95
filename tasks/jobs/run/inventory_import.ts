/**
 * Brings an inventory's rows in line with what a source lists: a handful of statements, whatever the number of hosts.
 *
 * @module
 */
import type { InventorySource } from "../model/inventories.ts";
import { type Db, json } from "../model/rows.ts";
import type { Inventory } from "./inventory_listing.ts";

/** What an import did. */
export type Counts = Record<
  "hosts" | "hosts_added" | "hosts_deleted" | "groups" | "groups_added" | "groups_deleted",
  number
>;

/** One import into an inventory at a time. */
const LOCK = "select id from awx.inventory where id = $1::bigint for update";
const VARS = "update awx.inventory set variables = variables || $2::text::jsonb where id = $1::bigint";

/** Whoever brought a row keeps it; its variables are replaced by its own source where that overwrites. */
function upsert(table: "host" | "host_group"): string {
  return `with listed as (
      insert into awx.${table} as had (inventory_id, name, variables, source_id)
      select $1::bigint, name, variables, $2::bigint
      from jsonb_to_recordset($3::text::jsonb) l (name text, variables jsonb)
      on conflict (inventory_id, name) do update set
        variables = case when $4::boolean and had.source_id = $2::bigint then excluded.variables
                    else had.variables || excluded.variables end
      returning (xmax = 0) as added)
    select count(*)::int as listed, count(*) filter (where added)::int as added from listed`;
}

/** What the source has brought and lists no longer. */
function removal(table: "host" | "host_group"): string {
  return `with gone as (
      delete from awx.${table} where inventory_id = $1::bigint and source_id = $2::bigint
        and name not in (select name from jsonb_to_recordset($3::text::jsonb) l (name text))
      returning 1)
    select count(*)::int as deleted from gone`;
}

const MEMBERS = `insert into awx.host_group_host (group_id, host_id)
  select g.id, h.id from jsonb_to_recordset($2::text::jsonb) l ("group" text, host text)
  join awx.host_group g on g.inventory_id = $1::bigint and g.name = l."group"
  join awx.host h on h.inventory_id = $1::bigint and h.name = l.host
  on conflict do nothing`;
const MEMBERS_GONE = `delete from awx.host_group_host m using awx.host_group g, awx.host h
  where g.id = m.group_id and h.id = m.host_id and g.inventory_id = $1::bigint
    and g.source_id = $3::bigint and h.source_id = $3::bigint
    and (g.name, h.name) not in (select "group", host from jsonb_to_recordset($2::text::jsonb) l ("group" text, host text))`;
const CHILDREN = `insert into awx.host_group_child (parent_id, child_id)
  select p.id, c.id from jsonb_to_recordset($2::text::jsonb) l (parent text, child text)
  join awx.host_group p on p.inventory_id = $1::bigint and p.name = l.parent
  join awx.host_group c on c.inventory_id = $1::bigint and c.name = l.child
  on conflict do nothing`;
const CHILDREN_GONE = `delete from awx.host_group_child m using awx.host_group p, awx.host_group c
  where p.id = m.parent_id and c.id = m.child_id and p.inventory_id = $1::bigint
    and p.source_id = $3::bigint and c.source_id = $3::bigint
    and (p.name, c.name) not in (select parent, child from jsonb_to_recordset($2::text::jsonb) l (parent text, child text))`;

/** Import in the caller's transaction. What other sources brought stays; with `overwrite`, what is gone goes. */
export async function importInventory(tx: Db, source: InventorySource, listed: Inventory): Promise<Counts> {
  const { id, inventory_id, overwrite } = source;
  const run = async (text: string, ...params: unknown[]) =>
    (await tx.unsafe(text, [inventory_id, ...params] as never[]))[0];
  await run(LOCK);
  const [hosts, groups] = [json(listed.hosts), json(listed.groups)];
  const [members, children] = [json(listed.members), json(listed.children)];
  await run(VARS, json(listed.vars));
  const host = await run(upsert("host"), id, hosts, overwrite);
  const group = await run(upsert("host_group"), id, groups, overwrite);
  await run(MEMBERS, members);
  await run(CHILDREN, children);
  const gone = { hosts: 0, groups: 0 };
  if (overwrite) {
    await run(MEMBERS_GONE, members, id);
    await run(CHILDREN_GONE, children, id);
    gone.hosts = (await run(removal("host"), id, hosts)).deleted as number;
    gone.groups = (await run(removal("host_group"), id, groups)).deleted as number;
  }
  return {
    hosts: host.listed as number,
    hosts_added: host.added as number,
    hosts_deleted: gone.hosts,
    groups: group.listed as number,
    groups_added: group.added as number,
    groups_deleted: gone.groups,
  };
}
