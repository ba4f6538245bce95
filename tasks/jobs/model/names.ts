/**
 * Templates by name, whatever their kind: what workflows, schedules, attachments and the command line say.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { z } from "zod";
import { INVENTORY_SOURCES, type InventorySource, inventorySourceSchema } from "./inventories.ts";
import type { TemplateRef } from "./launch.ts";
import { PROJECTS } from "./projects.ts";
import { type Db, notFound, row, rows } from "./rows.ts";
import { SYSTEM_JOBS } from "./system_jobs.ts";
import { byName } from "./table.ts";
import { JOB_TEMPLATES } from "./templates.ts";
import type { TemplateKind } from "./unified_job.ts";
import { WORKFLOW_TEMPLATES } from "./workflow_templates.ts";

/**
 * The template of this kind and name. A source is named with its inventory, `INVENTORY/SOURCE`, or by its number.
 *
 * @throws {DispatcherError} `not_found`.
 *
 * @example
 * ```ts ignore
 * await templateByName(sql, "inventory_source", "production/hosts.ini"); // { kind: "inventory_source", id: 3 }
 * ```
 */
export async function templateByName(db: Db, kind: TemplateKind, name: string): Promise<TemplateRef> {
  return { kind, id: await FIND[kind](db, name) };
}

const FIND: Readonly<Record<TemplateKind, (db: Db, name: string) => Promise<number>>> = {
  job_template: async (db, name) => (await byName(db, JOB_TEMPLATES, name)).id,
  project: async (db, name) => (await byName(db, PROJECTS, name)).id,
  workflow_template: async (db, name) => (await byName(db, WORKFLOW_TEMPLATES, name)).id,
  inventory_source: async (db, name) => (await sourceByName(db, name)).id,
  system(_db, name) {
    const system = SYSTEM_JOBS.find((job) => job.name === name || `${job.id}` === name);
    if (system) return Promise.resolve(system.id);
    const known = SYSTEM_JOBS.map((job) => job.name).join(", ");
    throw new DispatcherError(
      "not_found",
      `Cannot find system job ${JSON.stringify(name)}: there are ${known}`,
    );
  },
};

/** The source of `INVENTORY/SOURCE`, of either of their numbers. @throws {DispatcherError} `not_found`. */
export async function sourceByName(db: Db, name: string): Promise<InventorySource> {
  const found = await row(
    db,
    inventorySourceSchema,
    `select s.* from awx.inventory_source s join awx.inventory i on i.id = s.inventory_id
     where i.name || '/' || s.name = $1::text or s.id::text = $1::text
     order by s.id::text = $1::text limit 1`,
    [name],
  );
  if (!found) throw notFound("inventory source", name);
  return found;
}

/** The sources of an inventory by name. */
export async function listSources(db: Db, inventoryId: number): Promise<InventorySource[]> {
  return await rows(
    db,
    inventorySourceSchema,
    "select * from awx.inventory_source where inventory_id = $1::bigint order by name",
    [inventoryId],
  );
}

const namedSchema = z.object({ name: z.string() });
const NAME_OF: Readonly<Record<Exclude<TemplateKind, "system">, string>> = {
  job_template: "select name from awx.job_template where id = $1::bigint",
  project: "select name from awx.project where id = $1::bigint",
  workflow_template: "select name from awx.workflow_template where id = $1::bigint",
  inventory_source: `select i.name || '/' || s.name as name
    from awx.inventory_source s join awx.inventory i on i.id = s.inventory_id where s.id = $1::bigint`,
};

/** The name under which {@link templateByName} finds a template; its number where it is gone. */
export async function nameOfTemplate(db: Db, { kind, id }: TemplateRef): Promise<string> {
  if (kind === "system") return SYSTEM_JOBS.find((job) => job.id === id)?.name ?? `${id}`;
  return (await row(db, namedSchema, NAME_OF[kind], [id]))?.name ?? `${id}`;
}

/** For messages and tables. */
export const NOUNS: Readonly<Record<TemplateKind, string>> = {
  job_template: JOB_TEMPLATES.noun,
  project: PROJECTS.noun,
  inventory_source: INVENTORY_SOURCES.noun,
  workflow_template: WORKFLOW_TEMPLATES.noun,
  system: "system job",
};
