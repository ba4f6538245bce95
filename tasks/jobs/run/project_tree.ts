/**
 * The files of a project as a job sees them: a copy at one revision, so that an update meanwhile changes nothing
 * under it. A node whose clone lacks that revision fetches it first.
 *
 * @module
 */
import { cp, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { projectById } from "../model/projects.ts";
import { cloneOf, update } from "./clone.ts";
import { Git, GitFailed } from "./git.ts";
import { JobError, type Run } from "./perform.ts";
import { withProject } from "./project_lock.ts";

/** Where a job runs. */
export interface Tree {
  path: string;
  /** Of a git project. */
  revision?: string;
}

/** @throws {JobError} When it is not there and cannot be had. */
export async function treeOf(run: Run, projectId: number): Promise<Tree> {
  const { db, dir, settings } = run;
  const project = await projectById(db, projectId);
  if (project.scm_type === "") return await directory(run, project.name, project.local_path);
  const git = await Git.of(run, project, project.credential_id === null ? [] : [project.credential_id]);
  const clone = cloneOf(settings.PROJECTS_ROOT, project);
  const path = dir.at("project");
  try {
    return await withProject(run, projectId, async () => {
      // Read again: whoever held the lock may have updated it.
      const now = await projectById(db, projectId);
      const head = await isThere(join(clone, ".git")) ? await git.ask(clone, "rev-parse", "HEAD") : undefined;
      const revision = head && head === now.scm_revision
        ? head
        : await update(git, now, clone, now.scm_revision);
      await copy(git, clone, path, revision);
      return { path, revision };
    });
  } catch (error) {
    if (!(error instanceof GitFailed)) throw error;
    throw new JobError(`Cannot get the files of project "${project.name}": ${error.message}; see the output`);
  }
}

async function directory({ context }: Run, name: string, local: string): Promise<Tree> {
  const path = resolve(local);
  if (local !== "" && await isThere(path)) return { path };
  throw new JobError(
    `Cannot find the directory ${JSON.stringify(local)} of project "${name}" on node "${context.node}"`,
  );
}

/** Objects are linked, not copied. Submodules would have to be fetched again, so trees with some are copied. */
async function copy(git: Git, clone: string, path: string, revision: string): Promise<void> {
  if (await isThere(join(clone, ".gitmodules"))) {
    return await cp(clone, path, { recursive: true, verbatimSymlinks: true });
  }
  await git.tell(clone, "clone", "--quiet", "--local", "--no-checkout", "--", clone, path);
  await git.tell(path, "checkout", "--quiet", "--detach", revision);
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false);
}
