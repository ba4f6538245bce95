/**
 * A site as a document that can be applied elsewhere, or here again.
 *
 * @module
 */
import { CREDENTIALS } from "../../jobs/model/credentials.ts";
import { INSTANCE_GROUPS, listGroups } from "../../jobs/model/instance_groups.ts";
import { INVENTORIES } from "../../jobs/model/inventories.ts";
import { nameOfTemplate } from "../../jobs/model/names.ts";
import { listAttachments, NOTIFICATION_TEMPLATES } from "../../jobs/model/notification_templates.ts";
import { PROJECTS } from "../../jobs/model/projects.ts";
import type { Db } from "../../jobs/model/rows.ts";
import { SCHEDULES } from "../../jobs/model/schedules.ts";
import { listSettings } from "../../jobs/model/settings_list.ts";
import { listAll, type Named, type Table } from "../../jobs/model/table.ts";
import { JOB_TEMPLATES } from "../../jobs/model/templates.ts";
import { WORKFLOW_TEMPLATES } from "../../jobs/model/workflow_templates.ts";
import { namesOf } from "../resource.ts";
import { inventoryDocument } from "./inventory.ts";
import { documentOf } from "./workflow.ts";

type Document = Record<string, unknown>;
const ALL = { limit: 100_000 };

/** All that can be named without a secret. What is as it would be anyway is left out. */
export async function exportSite(db: Db): Promise<Document> {
  const set = (await listSettings(db)).filter(({ modified }) => modified !== null);
  const groups = await listGroups(db);
  const inventories = (await listAll(db, INVENTORIES, ALL)).filter((inventory) =>
    !inventory.pending_deletion
  );
  return lean({
    settings: Object.fromEntries(set.map(({ key, value }) => [key, value])),
    instance_groups: groups.map(({ id: _, members, ...group }) => ({
      ...group,
      instances: group.all_instances ? [] : members,
    })),
    projects: await projects(db),
    inventories: await Promise.all(inventories.map((inventory) => inventoryDocument(db, inventory))),
    templates: await templates(db),
    workflows: await each(db, WORKFLOW_TEMPLATES, (template) => documentOf(db, template)),
    schedules: await each(db, SCHEDULES, async ({ name, rrule, enabled, extra_vars, ...schedule }) => {
      const { template_kind: kind, template_id: id } = schedule;
      return {
        name,
        kind,
        template: await nameOfTemplate(db, { kind, id }),
        rrule,
        extra_vars,
        ...off(enabled),
      };
    }),
    notifications: await notifications(db),
  }) as Document;
}

async function projects(db: Db): Promise<Document[]> {
  const credentials = await namesOf(db, CREDENTIALS);
  return await each(
    db,
    PROJECTS,
    ({ id: _, scm_revision: _revision, credential_id, local_path, ...project }) => ({
      ...project,
      // Where a repository is cloned to is this site's own.
      local_path: project.scm_type === "" ? local_path : "",
      credential: credentials.get(credential_id),
    }),
  );
}

async function templates(db: Db): Promise<Document[]> {
  const [projects, inventories] = [await namesOf(db, PROJECTS), await namesOf(db, INVENTORIES)];
  const [credentials, groups] = [await namesOf(db, CREDENTIALS), await namesOf(db, INSTANCE_GROUPS)];
  return await each(db, JOB_TEMPLATES, ({ id: _, ...template }) => {
    const { project_id, inventory_id, credential_ids, instance_group_ids, ...own } = template;
    return {
      ...own,
      project: projects.get(project_id),
      inventory: inventories.get(inventory_id),
      credentials: credential_ids.map((id) => credentials.get(id)),
      instance_groups: instance_group_ids.map((id) => groups.get(id)),
    };
  });
}

async function notifications(db: Db): Promise<Document[]> {
  const names = await namesOf(db, NOTIFICATION_TEMPLATES);
  const attachments = await listAttachments(db);
  const told = new Map<string, { name?: string; kind: string; template: string; on: string[] }>();
  for (const { notification_template_id, template_kind: kind, template_id: id, event } of attachments) {
    const template = await nameOfTemplate(db, { kind, id });
    const key = `${notification_template_id} ${kind} ${id}`;
    const one = told.get(key) ?? { name: names.get(notification_template_id), kind, template, on: [] };
    told.set(key, { ...one, on: [...one.on, event] });
  }
  return [...told.values()];
}

async function each<Row extends Named>(
  db: Db,
  table: Table<Row>,
  document: (row: Row) => Document | Promise<Document>,
): Promise<Document[]> {
  return await Promise.all((await listAll(db, table, ALL)).map(document));
}

function off(enabled: boolean): Document {
  return enabled ? {} : { enabled: false };
}

/** Keys whose values are an operator's own, down to the last empty text. */
const VERBATIM = ["extra_vars", "variables", "source_vars", "settings", "command"];

/** Without what is empty: that is how each column begins. */
function lean(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lean);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([key, member]) => !isEmpty(member) || (key === "enabled"));
  return Object.fromEntries(
    kept.map(([key, member]) => [key, VERBATIM.includes(key) ? member : lean(member)]),
  );
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === 0 || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
