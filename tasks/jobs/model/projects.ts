/**
 * Projects: where playbooks and inventories come from, a git repository or a directory of the machine.
 *
 * @module
 */
import { z } from "zod";
import { type Db, notFound, row } from "./rows.ts";

export const projectSchema = z.object({
  id: z.int(),
  name: z.string(),
  scm_type: z.enum(["", "git"]),
  scm_url: z.string(),
  scm_branch: z.string(),
  scm_clean: z.boolean(),
  scm_revision: z.string(),
  local_path: z.string(),
  update_on_launch: z.boolean(),
  update_cache_timeout: z.int(),
  timeout: z.int(),
  credential_id: z.int().nullable(),
});
export type Project = z.infer<typeof projectSchema>;

/** @throws {DispatcherError} `not_found`. */
export async function projectById(db: Db, id: number): Promise<Project> {
  const found = await row(db, projectSchema, "select * from awx.project where id = $1::bigint", [id]);
  if (!found) throw notFound("project", id);
  return found;
}
