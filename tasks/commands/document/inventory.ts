/**
 * The inventories of a document: hosts, groups, what is in them, and sources. What the document does not name stays.
 *
 * @module
 */
import { z } from "zod";
import { CREDENTIALS } from "../../jobs/model/credentials.ts";
import {
  addChildGroup,
  addHost,
  HOST_GROUPS,
  hostGroupByName,
  listHostGroups,
} from "../../jobs/model/host_groups.ts";
import { HOSTS, hostSchema, listHosts } from "../../jobs/model/hosts.ts";
import { INVENTORIES, type Inventory, INVENTORY_SOURCES } from "../../jobs/model/inventories.ts";
import { listSources } from "../../jobs/model/names.ts";
import { PROJECTS } from "../../jobs/model/projects.ts";
import { type Db, rows } from "../../jobs/model/rows.ts";
import { findNamed } from "../../jobs/model/table.ts";
import { DispatcherError } from "edge-dispatcher";
import type { InventoryDocument } from "./site.ts";
import { type Applied, given, idNamed, upsert } from "./upsert.ts";

/** Have an inventory be as it is said. */
export async function applyInventory(db: Db, document: InventoryDocument): Promise<Applied[]> {
  const { name, variables, hosts, groups, sources } = document;
  const { row: { id }, did } = await upsert(db, INVENTORIES, { name, ...given({ variables }) });
  const scope = { inventory_id: id };
  const done: Applied[] = [{ kind: "inventory", name, did }];
  for (const [host, said] of Object.entries(hosts)) {
    const { did } = await upsert(db, HOSTS, { name: host, ...given({ ...said }) }, { scope });
    done.push({ kind: "host", name: `${name}/${host}`, did });
  }
  for (const [group, said] of Object.entries(groups)) {
    const { did } = await upsert(db, HOST_GROUPS, { name: group, ...given({ variables: said?.variables }) }, {
      scope,
    });
    done.push({ kind: "host group", name: `${name}/${group}`, did });
  }
  // Once all of them are there.
  for (const [group, said] of Object.entries(groups)) {
    const { id: groupId } = await hostGroupByName(db, id, group);
    for (const host of said?.hosts ?? []) {
      await addHost(db, groupId, (await member(db, HOSTS, host, id, `${name}/${group}`)).id);
    }
    for (const child of said?.children ?? []) {
      await addChildGroup(db, groupId, (await member(db, HOST_GROUPS, child, id, `${name}/${group}`)).id);
    }
  }
  for (const { project, credential, ...own } of sources) {
    const where = `source "${name}/${own.name}"`;
    const values = given({
      ...own,
      project_id: await idNamed(db, PROJECTS, project, where),
      credential_id: await idNamed(db, CREDENTIALS, credential, where),
    });
    const { did } = await upsert(db, INVENTORY_SOURCES, { ...values, name: own.name }, { scope });
    done.push({ kind: "inventory source", name: `${name}/${own.name}`, did });
  }
  return done;
}

async function member(
  db: Db,
  table: typeof HOSTS | typeof HOST_GROUPS,
  name: string,
  inventory_id: number,
  group: string,
): Promise<{ id: number }> {
  const found = await findNamed<{ id: number; name: string }>(db, table, name, { inventory_id });
  if (found) return found;
  throw new DispatcherError(
    "usage",
    `Cannot apply group "${group}": there is no ${table.noun} ${JSON.stringify(name)}`,
  );
}

const OWN_HOSTS =
  `select * from awx.host where inventory_id = $1::bigint and source_id is null order by name`;

/** An inventory as a document: what sources have brought is left to them. */
export async function inventoryDocument(
  db: Db,
  { id, name, variables }: Inventory,
): Promise<Record<string, unknown>> {
  const hosts = await rows(db, hostSchema, OWN_HOSTS, [id]);
  const [groups, sources] = [await listHostGroups(db, id), await listSources(db, id)];
  const own = groups.filter(({ source_id }) => source_id === null);
  const members = await Promise.all(
    own.map(({ name }) => listHosts(db, id, { group: name, limit: 100_000 })),
  );
  const projects = await namesById(db, "select id, name from awx.project");
  const credentials = await namesById(db, "select id, name from awx.credential");
  return {
    name,
    variables,
    hosts: Object.fromEntries(hosts.map((host) => [
      host.name,
      { variables: host.variables, ...(!host.enabled && { enabled: false }) },
    ])),
    groups: Object.fromEntries(own.map((group, i) => [group.name, {
      variables: group.variables,
      hosts: members[i].filter(({ source_id }) => source_id === null).map(({ name }) => name),
      children: group.children.filter((child) => own.some(({ name }) => name === child)),
    }])),
    sources: sources.map(({ id: _, inventory_id: _inventory, project_id, credential_id, ...source }) => ({
      ...source,
      project: projects.get(project_id),
      credential: credentials.get(credential_id),
    })),
  };
}

const namedSchema = z.object({ id: z.int(), name: z.string() });

async function namesById(db: Db, text: string): Promise<Map<number | null, string>> {
  return new Map((await rows(db, namedSchema, text)).map(({ id, name }) => [id, name]));
}
