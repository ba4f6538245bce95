/**
 * The files of a project, and nothing else.
 *
 * @module
 */
import { lstat, realpath, rm } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { DispatcherError } from "edge-dispatcher";

/**
 * Delete a directory below the root of the projects. Links are not followed: neither one that the path leads through to
 * the outside, nor those inside; one that stands in the directory's place is deleted itself.
 *
 * @param path Absolute, or below the root.
 * @returns False when there was nothing.
 * @throws {DispatcherError} `refused` for what is not below the root.
 */
export async function deleteProjectFiles(root: string, path: string): Promise<boolean> {
  const target = resolve(root, path);
  if (!isBelow(resolve(root), target)) throw refused(path, root);
  const [realRoot, realParent] = await Promise.all([real(root), real(dirname(target))]);
  if (realRoot === undefined || realParent === undefined) return false;
  const there = join(realParent, basename(target));
  if (!isBelow(realRoot, there)) throw refused(path, root);
  if (!(await lstat(there).catch(() => undefined))) return false;
  await rm(there, { recursive: true, force: true });
  return true;
}

async function real(path: string): Promise<string | undefined> {
  return await realpath(path).catch((error) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  });
}

function isBelow(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && resolve(root, way) === path;
}

function refused(path: string, root: string): DispatcherError {
  return new DispatcherError(
    "refused",
    `Cannot delete ${JSON.stringify(path)}: it is not below PROJECTS_ROOT, ${JSON.stringify(root)}`,
  );
}
