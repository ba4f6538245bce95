/**
 * Projects: where playbooks and inventories come from, a git repository or a directory of the machine.
 *
 * @module
 */
import { z } from "zod";
import { type Db, notFound, row } from "./rows.ts";
import { idSchema, nameSchema, type Table, wholeSeconds } from "./table.ts";

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

/** Projects as they are made and changed; see `table.ts`. What an update finds out is not theirs to say. */
export const PROJECTS: Table<Project> = {
  kind: "project",
  noun: "project",
  row: projectSchema,
  input: z.strictObject({
    name: nameSchema,
    scm_type: projectSchema.shape.scm_type.optional(),
    scm_url: z.string().max(4_096).optional(),
    // Neither may look like a flag of git's.
    scm_branch: z.string().max(512).regex(
      /^(?!-)\S*$/,
      "a branch, tag or commit has no blanks and no - in front",
    )
      .optional(),
    scm_clean: z.boolean().optional(),
    local_path: z.string().max(4_096).optional(),
    update_on_launch: z.boolean().optional(),
    update_cache_timeout: wholeSeconds.optional(),
    timeout: wholeSeconds.optional(),
    credential_id: idSchema.nullable().optional(),
  }),
  rule({ scm_type = "", scm_url = "", local_path = "" }) {
    if (scm_type === "git") {
      if (scm_url === "") return "a git project needs a scm_url";
      if (scm_url.startsWith("-")) return `scm_url begins with -: given ${JSON.stringify(scm_url)}`;
      if (/^[a-z+]+:\/\/[^/@]*:[^/@]*@/i.test(scm_url)) {
        return "scm_url holds a password: put it into a credential of kind scm";
      }
    } else if (local_path === "") {
      return "a project without scm_type needs a local_path, a directory of the nodes";
    }
  },
};
