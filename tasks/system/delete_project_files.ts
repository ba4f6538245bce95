/**
 * Deletes the files of a project on every node: by its directory once it is deleted itself, or by its number, to have it
 * cloned anew. Only below the setting PROJECTS_ROOT.
 *
 * @module
 */
import { DispatcherError, task } from "edge-dispatcher";
import { z } from "zod";
import { projectById } from "../jobs/model/projects.ts";
import type { Db } from "../jobs/model/rows.ts";
import { settings } from "../jobs/model/settings.ts";
import { deleteProjectFiles } from "./clean_up/project_files.ts";

const args = z.tuple([z.union([z.string().min(1), z.int()])]);

export default task({ bind: true, queue: "broadcast", args }, async (context, project: string | number) => {
  const sql = await context.database();
  const { PROJECTS_ROOT } = await settings(sql);
  const path = typeof project === "string" ? project : await pathOf(sql, project);
  const deleted = path !== "" && await deleteProjectFiles(PROJECTS_ROOT, path);
  return { path, deleted };
});

/** @throws {DispatcherError} `not_found`; `refused` for a directory of an operator's own, and while it is in use. */
async function pathOf(db: Db, id: number): Promise<string> {
  const { name, scm_type, local_path } = await projectById(db, id);
  const why = scm_type === ""
    ? "it has no repository to clone it from again"
    : await inUse(db, id)
    ? "a job uses it"
    : undefined;
  if (why) throw new DispatcherError("refused", `Cannot delete the files of project "${name}": ${why}`);
  return local_path;
}

async function inUse(db: Db, id: number): Promise<boolean> {
  const [{ used }] = await db.unsafe(
    `select exists (select from awx.unified_job
       where status in ('waiting', 'running') and project_id = $1::bigint) used`,
    [id] as never[],
  );
  return used as boolean;
}
