/**
 * Have a site be as a document says. What the document does not name stays as it is. Call it in a transaction: the whole
 * document holds, or nothing of it.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import { CREDENTIALS } from "../../jobs/model/credentials.ts";
import { addMembers, INSTANCE_GROUPS } from "../../jobs/model/instance_groups.ts";
import { INVENTORIES } from "../../jobs/model/inventories.ts";
import { attach, listAttachments, NOTIFICATION_TEMPLATES } from "../../jobs/model/notification_templates.ts";
import { PROJECTS } from "../../jobs/model/projects.ts";
import type { Db } from "../../jobs/model/rows.ts";
import { createSchedule, normal, SCHEDULES, updateSchedule } from "../../jobs/model/schedules.ts";
import { listSettings } from "../../jobs/model/settings_list.ts";
import { checkSetting, writeSetting } from "../../jobs/model/settings.ts";
import { byName, findNamed } from "../../jobs/model/table.ts";
import { JOB_TEMPLATES } from "../../jobs/model/templates.ts";
import type { Publish } from "../../jobs/model/trigger.ts";
import { createWorkflow, updateWorkflow, WORKFLOW_TEMPLATES } from "../../jobs/model/workflow_templates.ts";
import { broadcastSetting } from "../setting.ts";
import { applyInventory } from "./inventory.ts";
import type { Site } from "./site.ts";
import { type Applied, given, idNamed, idsNamed, upsert } from "./upsert.ts";
import { documentOf, idOf, workflowOf } from "./workflow.ts";

type Step = (db: Db, site: Site, publish: Publish) => Promise<Applied[]>;

/**
 * Apply a document; what others point at comes first.
 *
 * @throws {DispatcherError} `usage`, `refused`, naming what cannot be.
 */
export async function applySite(db: Db, publish: Publish, site: Site): Promise<Applied[]> {
  const done: Applied[] = [];
  for (const step of STEPS) done.push(...await step(db, site, publish));
  return done;
}

const settings: Step = async (db, site, publish) => {
  const known = new Map((await listSettings(db)).map(({ key, value }) => [`${key}`, value]));
  return await each(Object.entries(site.settings), async ([name, value]) => {
    checkSetting(name, value);
    const changed = !isDeepStrictEqual(known.get(name), value);
    if (changed) {
      await writeSetting(db, name, value);
      await broadcastSetting(publish, name);
    }
    return { kind: "setting", name, did: changed ? "changed" : "unchanged" };
  });
};

const instanceGroups: Step = (db, site) =>
  each(site.instance_groups, async ({ instances, ...values }) => {
    const { did } = await upsert(db, INSTANCE_GROUPS, values);
    if (instances) await addMembers(db, values.name, instances);
    return { kind: "instance group", name: values.name, did };
  });

const projects: Step = (db, site) =>
  each(site.projects, async ({ credential, ...own }) => {
    const credential_id = await idNamed(db, CREDENTIALS, credential, `project "${own.name}"`);
    const { did } = await upsert(db, PROJECTS, { ...own, ...given({ credential_id }) });
    return { kind: "project", name: own.name, did };
  });

const inventories: Step = async (db, site) => {
  const done: Applied[] = [];
  for (const inventory of site.inventories) done.push(...await applyInventory(db, inventory));
  return done;
};

const templates: Step = (db, site) =>
  each(site.templates, async ({ project, inventory, credentials, instance_groups, ...own }) => {
    const where = `template "${own.name}"`;
    const pointers = given({
      project_id: await idNamed(db, PROJECTS, project, where),
      inventory_id: await idNamed(db, INVENTORIES, inventory, where),
      credential_ids: await idsNamed(db, CREDENTIALS, credentials, where),
      instance_group_ids: await idsNamed(db, INSTANCE_GROUPS, instance_groups, where),
    });
    const kind = own.kind ?? (own.command === undefined ? "playbook" : "command");
    const { did } = await upsert(db, JOB_TEMPLATES, { ...own, kind, ...pointers });
    return { kind: "job template", name: own.name, did };
  });

const workflows: Step = (db, site) =>
  each(innerFirst(site.workflows), async (document) => {
    const { own, graph } = await workflowOf(db, document);
    const old = await findNamed(db, WORKFLOW_TEMPLATES, own.name);
    const before = old && await documentOf(db, old);
    const now = old ? await updateWorkflow(db, old.id, own, graph) : await createWorkflow(db, own, graph);
    const same = before && isDeepStrictEqual(before, await documentOf(db, now));
    return {
      kind: "workflow template",
      name: own.name,
      did: same ? "unchanged" : old ? "changed" : "created",
    };
  });

/** A workflow may run one that comes later in the document. */
function innerFirst(documents: Site["workflows"]): Site["workflows"] {
  const known = new Map(documents.map((document) => [document.name, document]));
  const sorted = new Set<Site["workflows"][number]>();
  const seen = new Set<string>();
  const visit = (name: string) => {
    const document = known.get(name);
    // A cycle ends here, and is refused where it is written.
    if (!document || seen.has(name)) return;
    seen.add(name);
    for (const { workflow_template } of document.nodes) if (workflow_template) visit(workflow_template);
    sorted.add(document);
  };
  for (const { name } of documents) visit(name);
  return [...sorted];
}

const schedules: Step = (db, site) =>
  each(site.schedules, async ({ kind, template, ...own }) => {
    const template_id = await idOf(db, kind, template, `schedule "${own.name}"`);
    const writers = { create: createSchedule, update: updateSchedule };
    const values = await normal({ ...own, template_kind: kind, template_id });
    const { did } = await upsert(db, SCHEDULES, values, { writers });
    return { kind: "schedule", name: own.name, did };
  });

const notifications: Step = (db, site) =>
  each(site.notifications, async ({ name, kind, template, on }) => {
    const where = `notification "${name}"`;
    const id = await idOf(db, kind, template, where);
    await idNamed(db, NOTIFICATION_TEMPLATES, name, where);
    const notification = await byName(db, NOTIFICATION_TEMPLATES, name);
    const before = (await listAttachments(db, notification.id)).length;
    await attach(db, notification, { kind, id }, on);
    const did = (await listAttachments(db, notification.id)).length > before ? "changed" : "unchanged";
    return { kind: "notification template", name, did };
  });

const STEPS: readonly Step[] = [
  settings,
  instanceGroups,
  projects,
  inventories,
  templates,
  workflows,
  schedules,
  notifications,
];

/** One after the other: a transaction has one connection. */
async function each<T>(items: Iterable<T>, apply: (item: T) => Promise<Applied>): Promise<Applied[]> {
  const done: Applied[] = [];
  for (const item of items) done.push(await apply(item));
  return done;
}
