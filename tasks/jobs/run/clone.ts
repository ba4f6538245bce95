/**
 * The clone of a project on this machine: made, brought up to date, and put at a revision. Its directory is
 * `PROJECTS_ROOT/_ID__name`.
 *
 * @module
 */
import { rename, rm, stat } from "node:fs/promises";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Project } from "../model/projects.ts";
import { addressOf, type Git } from "./git.ts";
import { JobError } from "./perform.ts";

/** Where the clone of a project is, or will be. */
export function cloneOf(root: string, { id, name }: Pick<Project, "id" | "name">): string {
  const word = name.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_+|_+$/g, "").slice(0, 60);
  return join(resolve(root), `_${id}__${word}`);
}

/**
 * Bring a clone up to date; gives the revision that is checked out then.
 *
 * @param revision To stay at this one, if the repository still has it.
 * @throws {GitFailed} What git said is in the output.
 */
export async function update(git: Git, project: Project, path: string, revision?: string): Promise<string> {
  const { scm_branch: branch } = project;
  const { url } = addressOf(project);
  if (url === "" || url.startsWith("-")) {
    throw new JobError(`Cannot clone ${JSON.stringify(url)}: it is no address`);
  }
  if (branch.startsWith("-")) {
    throw new JobError(`Cannot check out ${JSON.stringify(branch)}: it is no branch`);
  }
  await fetched(git, url, path);
  const wanted = revision && await git.ask(path, "rev-parse", "--verify", "--quiet", `${revision}^{commit}`);
  const target = wanted || await resolveBranch(git, branch, path);
  if (project.scm_clean) {
    await git.tell(path, "reset", "--quiet", "--hard");
    await git.tell(path, "clean", "--quiet", "-ffdx");
  }
  await git.tell(path, "checkout", "--quiet", "--detach", target);
  if (await exists(join(path, ".gitmodules"))) {
    await git.tell(path, "submodule", "sync", "--quiet", "--recursive");
    await git.tell(path, "submodule", "update", "--init", "--recursive", "--force");
  }
  return target;
}

/** All that the repository has now; branches that were pushed by force included. */
async function fetched(git: Git, url: string, path: string): Promise<void> {
  if (await isWhole(git, path)) {
    if (await git.ask(path, "config", "remote.origin.url") !== url) {
      await git.tell(path, "remote", "set-url", "origin", "--", url);
    }
    await git.tell(
      path,
      "fetch",
      "--quiet",
      "--force",
      "--prune",
      "--tags",
      "origin",
      "+refs/heads/*:refs/remotes/origin/*",
    );
    // The branch that is the default may be another one now.
    await git.ask(path, "remote", "set-head", "origin", "--auto");
    return;
  }
  // Whole or not at all: a clone that was interrupted is under another name.
  const fresh = `${path}.new`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(resolve(path, ".."), { recursive: true, mode: 0o700 });
  await git.tell(resolve(path, ".."), "clone", "--no-checkout", "--", url, fresh);
  await rm(path, { recursive: true, force: true });
  await rename(fresh, path);
}

/** Not what git finds further up. */
async function isWhole(git: Git, path: string): Promise<boolean> {
  if (!await exists(join(path, ".git"))) return false;
  return await git.ask(path, "rev-parse", "--git-dir") === ".git";
}

/** A branch, a tag, a commit, or any other name that the repository knows; none is its default branch. */
async function resolveBranch(git: Git, branch: string, path: string): Promise<string> {
  const commit = (name: string) => git.ask(path, "rev-parse", "--verify", "--quiet", `${name}^{commit}`);
  if (branch === "") {
    const head = await commit("refs/remotes/origin/HEAD");
    if (head) return head;
    await git.tell(path, "fetch", "origin", "HEAD");
  } else {
    const found = await commit(`refs/remotes/origin/${branch}`) ?? await commit(`refs/tags/${branch}`);
    if (found) return found;
    if (/^[0-9a-f]{7,64}$/.test(branch)) {
      const known = await commit(branch);
      if (known) return known;
    }
    await git.tell(path, "fetch", "origin", branch);
  }
  const fetched = await commit("FETCH_HEAD");
  if (!fetched) throw new JobError(`Cannot check out ${JSON.stringify(branch)}: it names no commit`);
  return fetched;
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(() => true, () => false);
}
