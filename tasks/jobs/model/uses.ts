/**
 * Who uses something, so that it is not deleted under them. Foreign keys see to the rest; what names others in an
 * array, or by kind and id, has none.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { z } from "zod";
import { type Db, rows } from "./rows.ts";

/** Tables of named things. */
export type Kind =
  | "instance_group"
  | "credential"
  | "project"
  | "inventory"
  | "inventory_source"
  | "host"
  | "host_group"
  | "job_template"
  | "workflow_template"
  | "schedule"
  | "notification_template";

const useSchema = z.object({ noun: z.string(), name: z.string() });

/** Those that run or will run. */
const OPEN = "status in ('pending', 'waiting', 'running')";

/** Statements that find who names a template of this kind by its id. */
function named(kind: string): string {
  return `select 'workflow template' noun, w.name
      from awx.workflow_node n join awx.workflow_template w on w.id = n.workflow_template_id
      where n.template_kind = '${kind}' and n.template_id = $1::bigint
    union all
    select 'schedule', name from awx.schedule where template_kind = '${kind}' and template_id = $1::bigint`;
}

const USES: Readonly<Partial<Record<Kind, string>>> = {
  instance_group:
    `select 'job template' noun, name from awx.job_template where $1::bigint = any(instance_group_ids)
    union all select 'job', id::text from awx.unified_job where ${OPEN} and $1::bigint = any(instance_group_ids)`,
  credential: `select 'job template' noun, name from awx.job_template where $1::bigint = any(credential_ids)
    union all select 'project', name from awx.project where credential_id = $1::bigint
    union all select 'inventory source', name from awx.inventory_source where credential_id = $1::bigint
    union all select 'job', id::text from awx.unified_job where ${OPEN} and $1::bigint = any(credential_ids)`,
  project: `select 'job template' noun, name from awx.job_template where project_id = $1::bigint
    union all select 'inventory source', name from awx.inventory_source where project_id = $1::bigint
    union all select 'job', id::text from awx.unified_job where ${OPEN} and project_id = $1::bigint
    union all ${named("project")}`,
  inventory: `select 'job template' noun, name from awx.job_template where inventory_id = $1::bigint
    union all select 'job', id::text from awx.unified_job where ${OPEN} and inventory_id = $1::bigint
    union all select 'workflow template', w.name
      from awx.inventory_source s
      join awx.workflow_node n on n.template_kind = 'inventory_source' and n.template_id = s.id
      join awx.workflow_template w on w.id = n.workflow_template_id
      where s.inventory_id = $1::bigint
    union all select 'schedule', c.name
      from awx.inventory_source s
      join awx.schedule c on c.template_kind = 'inventory_source' and c.template_id = s.id
      where s.inventory_id = $1::bigint`,
  inventory_source:
    `select 'job' noun, id::text as name from awx.unified_job where ${OPEN} and inventory_source_id = $1::bigint
    union all ${named("inventory_source")}`,
  job_template: named("job_template"),
  workflow_template: named("workflow_template"),
};

/** Named in a message at most. */
const NAMED = 2;

/**
 * Refuse to go on with what is in use.
 *
 * @param what What would be done, such as `delete project "site"`.
 * @throws {DispatcherError} `refused`: `Cannot delete project "site": job template "deploy" and 3 others use it`.
 */
export async function refuseIfUsed(db: Db, kind: Kind, id: number, what: string): Promise<void> {
  const text = USES[kind];
  if (!text) return;
  const uses = await rows(db, useSchema, `select distinct noun, name from (${text}) u order by noun, name`, [
    id,
  ]);
  if (uses.length === 0) return;
  const said = uses.slice(0, NAMED).map(({ noun, name }) =>
    `${noun} ${noun === "job" ? name : JSON.stringify(name)}`
  );
  const rest = uses.length - said.length;
  if (rest > 0) said.push(`${rest} other${rest === 1 ? "" : "s"}`);
  const who = said.length === 1 ? said[0] : `${said.slice(0, -1).join(", ")} and ${said.at(-1)}`;
  throw new DispatcherError("refused", `Cannot ${what}: ${who} ${uses.length === 1 ? "uses" : "use"} it`);
}
