/**
 * Deleting what has more behind it than its row: an inventory's hosts, a project's clone, what is attached to a template.
 * Call these in a transaction.
 *
 * @module
 */
import { INVENTORIES, type Inventory, INVENTORY_SOURCES, type InventorySource } from "./inventories.ts";
import { type Project, PROJECTS } from "./projects.ts";
import { type Db, list } from "./rows.ts";
import { locked, quoted, remove } from "./table.ts";
import { JOB_TEMPLATES, type JobTemplate } from "./templates.ts";
import type { Publish } from "./trigger.ts";
import type { TemplateKind } from "./unified_job.ts";
import { refuseIfUsed } from "./uses.ts";
import { WORKFLOW_TEMPLATES } from "./workflow_templates.ts";
import type { WorkflowTemplate } from "./workflows.ts";

export const DELETE_INVENTORY = "system/delete_inventory";
export const DELETE_PROJECT_FILES = "system/delete_project_files";

/**
 * Mark an inventory as going, and have it deleted: it may have many hosts.
 *
 * @throws {DispatcherError} `not_found`; `refused`, naming the template or the job that uses it.
 */
export async function deleteInventory(db: Db, publish: Publish, id: number): Promise<Inventory> {
  const inventory = await locked(db, INVENTORIES, id);
  await refuseIfUsed(db, "inventory", id, `delete inventory ${quoted(inventory.name)}`);
  await db.unsafe("update awx.inventory set pending_deletion = true where id = $1::bigint", [id] as never[]);
  await publish(DELETE_INVENTORY, [id], { onDuplicate: "discard" });
  return { ...inventory, pending_deletion: true };
}

/**
 * Delete a project, and on every node what was cloned of it. A directory of the operator's own stays.
 *
 * @throws {DispatcherError} `not_found`; `refused`, naming the template or the job that uses it.
 */
export async function deleteProject(db: Db, publish: Publish, id: number): Promise<Project> {
  const project = await remove(db, PROJECTS, id);
  await detach(db, "project", [id]);
  if (project.scm_type !== "" && project.local_path !== "") {
    await publish(DELETE_PROJECT_FILES, [project.local_path], { queue: "broadcast" });
  }
  return project;
}

/** @throws {DispatcherError} `not_found`; `refused`, naming the workflow or the schedule that uses it. */
export async function deleteJobTemplate(db: Db, id: number): Promise<JobTemplate> {
  const template = await remove(db, JOB_TEMPLATES, id);
  await detach(db, "job_template", [id]);
  return template;
}

/** @throws {DispatcherError} `not_found`; `refused`, naming the workflow or the schedule that uses it. */
export async function deleteWorkflow(db: Db, id: number): Promise<WorkflowTemplate> {
  const template = await remove(db, WORKFLOW_TEMPLATES, id);
  await detach(db, "workflow_template", [id]);
  return template;
}

/** @throws {DispatcherError} `not_found`; `refused`, naming what uses it. */
export async function deleteSource(db: Db, id: number): Promise<InventorySource> {
  const source = await remove(db, INVENTORY_SOURCES, id);
  await detach(db, "inventory_source", [id]);
  return source;
}

/** Nobody is to be told any more of what is gone. */
export async function detach(db: Db, kind: TemplateKind, ids: readonly number[]): Promise<void> {
  await db.unsafe(
    `delete from awx.notification_attachment
     where template_kind = $1::text and template_id = any($2::text::bigint[])`,
    [kind, list(ids)] as never[],
  );
}
