/**
 * Paths inside of a project.
 *
 * @module
 */
import { posix } from "node:path";

/** Whether a path of a project's leads out of it, or is one of the machine's. */
export function leavesProject(path: string): boolean {
  const plain = posix.normalize(path);
  return posix.isAbsolute(plain) || plain === ".." || plain.startsWith("../");
}
