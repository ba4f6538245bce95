/**
 * Instance groups: where jobs may run, in the order in which their template names them.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { z } from "zod";
import { type Db, rows } from "./rows.ts";
import { inWords } from "./said.ts";
import { byName, listAll, nameSchema, remove, type Table } from "./table.ts";

export const instanceGroupSchema = z.object({
  id: z.int(),
  name: z.string(),
  max_concurrent_jobs: z.int(),
  max_forks: z.int(),
  all_instances: z.boolean(),
});
export type InstanceGroup = z.infer<typeof instanceGroupSchema>;

/** Of jobs that name no group. */
export const DEFAULT_GROUP = "default";

const limit = z.int().min(0).max(1_000_000);

/** Instance groups as they are made and changed; see `table.ts`. */
export const INSTANCE_GROUPS: Table<InstanceGroup> = {
  kind: "instance_group",
  noun: "instance group",
  row: instanceGroupSchema,
  input: z.strictObject({
    name: nameSchema,
    max_concurrent_jobs: limit.optional(),
    max_forks: limit.optional(),
    all_instances: z.boolean().optional(),
  }),
};

const memberSchema = z.object({ id: z.int(), hostname: z.string() });

/** All groups with the names of their members. */
export async function listGroups(db: Db): Promise<(InstanceGroup & { members: string[] })[]> {
  const groups = await listAll(db, INSTANCE_GROUPS);
  const members = await rows(
    db,
    memberSchema,
    `select g.id, i.hostname from awx.instance_group g
     join awx.instance i on g.all_instances or exists (select from awx.instance_group_member m
       where m.instance_group_id = g.id and m.hostname = i.hostname)
     order by i.hostname`,
  );
  return groups.map((group) => ({
    ...group,
    members: members.filter(({ id }) => id === group.id).map(({ hostname }) => hostname),
  }));
}

/**
 * Add instances to a group; those that are in it stay.
 *
 * @throws {DispatcherError} `not_found` for the group; `usage` for an instance that is not there.
 */
export async function addMembers(db: Db, group: string, hostnames: readonly string[]): Promise<void> {
  const { id, name } = await byName(db, INSTANCE_GROUPS, group);
  for (const hostname of hostnames) {
    const what = `add to instance group ${JSON.stringify(name)}`;
    await inWords(what, { hostname: JSON.stringify(hostname) }, () =>
      db.unsafe(
        `insert into awx.instance_group_member (instance_group_id, hostname)
         values ($1::bigint, $2::text) on conflict do nothing`,
        [id, hostname] as never[],
      ));
  }
}

/**
 * Take instances out of a group.
 *
 * @throws {DispatcherError} `not_found`; `refused` for one that is not in it.
 */
export async function removeMembers(db: Db, group: string, hostnames: readonly string[]): Promise<void> {
  const { id, name } = await byName(db, INSTANCE_GROUPS, group);
  for (const hostname of hostnames) {
    const gone = await db.unsafe(
      `delete from awx.instance_group_member where instance_group_id = $1::bigint and hostname = $2::text
       returning hostname`,
      [id, hostname] as never[],
    );
    if (gone.length > 0) continue;
    throw new DispatcherError(
      "refused",
      `Cannot remove "${hostname}" from instance group ${JSON.stringify(name)}: it is no member by name`,
    );
  }
}

/** @throws {DispatcherError} `refused` for the one of jobs that name none, and for one in use; `not_found`. */
export async function deleteGroup(db: Db, group: string): Promise<InstanceGroup> {
  const { id, name } = await byName(db, INSTANCE_GROUPS, group);
  if (name === DEFAULT_GROUP) {
    throw new DispatcherError(
      "refused",
      `Cannot delete instance group "${name}": jobs that name no group run in it`,
    );
  }
  return await remove(db, INSTANCE_GROUPS, id);
}
