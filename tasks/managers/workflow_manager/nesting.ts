/**
 * Workflows in workflows. One that would nest itself is not launched, however many lie between: it would have no end,
 * and where no two jobs of a template run at once, two of them could wait for each other.
 *
 * @module
 */
import { z } from "zod";
import { type Db, rows } from "../../jobs/model/rows.ts";

/** Workflows inside of one another at most. */
export const MAX_DEPTH = 20;

/**
 * Why this workflow template must not be launched by this workflow job; undefined when it may. What the template's
 * nodes nest is looked at too, so that the outermost node of a circle is the one that says so.
 */
export async function nestingFault(
  db: Db,
  templateId: number,
  workflowJobId: number,
): Promise<string | undefined> {
  const ancestors = await ancestorsOf(db, workflowJobId);
  if (ancestors.length >= MAX_DEPTH) {
    return `Cannot nest workflow template ${templateId}: ${ancestors.length} workflows are around it, which is the most`;
  }
  const nested = await nestedIn(db, templateId);
  const again = ancestors.find(({ template_id }) => template_id !== null && nested.has(template_id));
  if (!again) return undefined;
  const path = ancestors.map(({ id, name }) => `"${name}" (job ${id})`).reverse().join(" > ");
  const how = again.template_id === templateId ? "is" : "leads back to";
  return `Cannot nest workflow template ${templateId} in ${path}: it ${how} "${again.name}", which would nest itself`;
}

/** The workflow jobs around a job's nodes, the innermost first, itself among them. */
async function ancestorsOf(db: Db, workflowJobId: number) {
  return await rows(
    db,
    z.object({ id: z.int(), name: z.string(), template_id: z.int().nullable() }),
    `with recursive around as (
       select id, name, template_id, workflow_job_id, 1 as depth from awx.unified_job where id = $1::bigint
       union all
       select j.id, j.name, j.template_id, j.workflow_job_id, around.depth + 1
       from around join awx.unified_job j on j.id = around.workflow_job_id
       where around.depth < $2::int
     ) select id, name, template_id from around order by depth`,
    [workflowJobId, MAX_DEPTH],
  );
}

/** The ids of the workflow templates that a template nests, itself among them. */
async function nestedIn(db: Db, templateId: number): Promise<Set<number>> {
  const found = await rows(
    db,
    z.object({ id: z.int() }),
    `with recursive nested as (
       select $1::bigint as id
       union
       select n.template_id from nested join awx.workflow_node n on n.workflow_template_id = nested.id
       where n.template_kind = 'workflow_template'
     ) select id from nested`,
    [templateId],
  );
  return new Set(found.map(({ id }) => id));
}
