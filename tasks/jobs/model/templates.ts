/**
 * Job templates: a playbook of a project, or a command.
 *
 * @module
 */
import { z } from "zod";
import { type Db, notFound, row } from "./rows.ts";
import { variables } from "./unified_job.ts";

export const jobTemplateSchema = z.object({
  id: z.int(),
  name: z.string(),
  kind: z.enum(["playbook", "command"]),
  project_id: z.int().nullable(),
  playbook: z.string(),
  command: z.array(z.string()),
  inventory_id: z.int().nullable(),
  forks: z.int().min(0),
  host_limit: z.string(),
  job_tags: z.string(),
  skip_tags: z.string(),
  verbosity: z.int(),
  extra_vars: variables,
  timeout: z.int(),
  allow_simultaneous: z.boolean(),
  priority: z.int(),
  preemptible: z.boolean(),
  resources: z.record(z.string(), z.number()),
  credential_ids: z.array(z.int()),
  instance_group_ids: z.array(z.int()),
});
export type JobTemplate = z.infer<typeof jobTemplateSchema>;

/** @throws {DispatcherError} `not_found`. */
export async function jobTemplateById(db: Db, id: number): Promise<JobTemplate> {
  const found = await row(db, jobTemplateSchema, "select * from awx.job_template where id = $1::bigint", [
    id,
  ]);
  if (!found) throw notFound("job template", id);
  return found;
}
