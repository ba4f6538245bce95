/**
 * Job templates: a playbook of a project, or a command.
 *
 * @module
 */
import { z } from "zod";
import { leavesProject } from "./paths.ts";
import { type Db, notFound, row } from "./rows.ts";
import { idSchema, nameSchema, type Table, wholeSeconds } from "./table.ts";
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

const text = z.string().max(65_536);

/** Job templates as they are made and changed; see `table.ts`. */
export const JOB_TEMPLATES: Table<JobTemplate> = {
  kind: "job_template",
  noun: "job template",
  row: jobTemplateSchema,
  input: z.strictObject({
    name: nameSchema,
    kind: jobTemplateSchema.shape.kind,
    project_id: idSchema.nullable().optional(),
    playbook: text.optional(),
    command: z.array(text).max(1_000).optional(),
    inventory_id: idSchema.nullable().optional(),
    forks: z.int().min(0).max(10_000).optional(),
    host_limit: text.optional(),
    job_tags: text.optional(),
    skip_tags: text.optional(),
    verbosity: z.int().min(0).max(5).optional(),
    extra_vars: variables.optional(),
    timeout: wholeSeconds.optional(),
    allow_simultaneous: z.boolean().optional(),
    priority: z.int().min(-32_768).max(32_767).optional(),
    preemptible: z.boolean().optional(),
    resources: z.record(z.string().regex(/^[A-Za-z][\w.-]*$/, "no name of a resource"), z.number().min(0))
      .optional(),
    credential_ids: z.array(idSchema).optional(),
    instance_group_ids: z.array(idSchema).optional(),
  }),
  lists: { credential_ids: "credential", instance_group_ids: "instance_group" },
  rule({ kind, playbook = "", project_id = null, command = [] }) {
    if (kind === "command") {
      return command.length === 0 || command[0] === "" ? "a command template needs a command" : undefined;
    }
    if (project_id === null || playbook === "") {
      return "a playbook template needs a project_id and a playbook in it";
    }
    return leavesProject(playbook)
      ? `playbook leads out of the project: given ${JSON.stringify(playbook)}`
      : undefined;
  },
};
