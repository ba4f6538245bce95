/**
 * A project update: the clone brought up to date, its revision recorded.
 *
 * @module
 */
import { stat } from "node:fs/promises";
import { projectById } from "../model/projects.ts";
import type { Db } from "../model/rows.ts";
import { cloneOf, update } from "./clone.ts";
import { Git, GitFailed } from "./git.ts";
import { verbose } from "./output.ts";
import { JobError, type Outcome, type Run } from "./perform.ts";
import { withProject } from "./project_lock.ts";
import { outcomeOf } from "./told.ts";

/** Run it. */
export async function runProjectUpdate(run: Run): Promise<Outcome> {
  const { db, job, settings } = run;
  if (job.project_id === null) throw new JobError(`Cannot run job ${job.id}: its project was deleted`);
  const project = await projectById(db, job.project_id);
  if (project.scm_type === "") return await lookAt(run, project.name, project.local_path);
  const git = await Git.of(run, project, job.credential_ids);
  const path = cloneOf(settings.PROJECTS_ROOT, project);
  try {
    const revision = await withProject(run, project.id, () => update(git, project, path));
    await run.tell([verbose(`${project.name} is at ${revision}\n`)]);
    return {
      status: "successful",
      exitCode: 0,
      scmRevision: revision,
      write: (tx) => record(tx, project.id, revision, path),
    };
  } catch (error) {
    if (error instanceof GitFailed) {
      return {
        ...outcomeOf(error.exit, "git", run),
        ...error.exit.late ? {} : { explanation: error.message },
      };
    }
    throw error;
  }
}

/** A directory of the machine has nothing to bring up to date, but must be there. */
async function lookAt({ tell, context }: Run, name: string, path: string): Promise<Outcome> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isDirectory()) {
    throw new JobError(
      `Cannot find the directory ${JSON.stringify(path)} of project "${name}" on node "${context.node}"`,
    );
  }
  await tell([verbose(`${name} is the directory ${path}\n`)]);
  return { status: "successful", exitCode: 0 };
}

async function record(tx: Db, id: number, revision: string, path: string): Promise<void> {
  await tx.unsafe(
    "update awx.project set scm_revision = $2::text, local_path = $3::text where id = $1::bigint",
    [id, revision, path] as never[],
  );
}
