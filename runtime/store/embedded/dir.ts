/**
 * Where the server's folder lies and as which user it runs.
 *
 * PostgreSQL refuses to run as root, so root runs it as `postgres`, else `nobody`. That user must be able to
 * enter every folder above its data, which it cannot below root's home (mode 0700).
 *
 * @module
 */
import { createHash } from "node:crypto";
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  type Stats,
  statSync,
} from "node:fs";
import { readFileSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import type { User } from "./process.ts";

const isRoot = () => process.getuid?.() === 0;

function readUsers(): User[] {
  return readFileSync("/etc/passwd", "utf8").split("\n").map((line) => line.split(":"))
    .filter((field) => field.length > 3)
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}

function statOrNothing(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/**
 * The user to run the server as; undefined when this process is not root and the server runs as its user.
 * Data that exists decides by its owner: `nobody` began it on a machine that got a `postgres` user later.
 */
export function serverUser(data: string): User | undefined {
  if (!isRoot()) return undefined;
  const users = readUsers();
  const owner = statOrNothing(data);
  if (owner && owner.uid !== 0) {
    const { uid, gid } = owner;
    return users.find((user) => user.uid === uid) ?? { name: String(uid), uid, gid };
  }
  const user = users.find(({ name }) => name === "postgres") ?? users.find(({ name }) => name === "nobody");
  if (!user) throw new Error("it cannot run as root, and /etc/passwd has neither postgres nor nobody");
  return user;
}

/** The topmost folder on the way to `path` (itself included) that the user may not enter, if any. */
export function closedFolder(path: string, user: User): string | undefined {
  const parent = dirname(path);
  const above = parent === path ? undefined : closedFolder(parent, user);
  if (above !== undefined) return above;
  const found = statOrNothing(path);
  if (!found) return undefined;
  const { uid, gid, mode } = found;
  const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
  return mode & bit ? undefined : path;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Choose the folder of a project's server: `<project>/.dispatcher/postgres`, or what the variable
 * `DISPATCHER_EMBEDDED_DIR` says. As root, in a project that the server's user cannot enter, it is
 * `/var/lib/edge-dispatcher/<name>-<hash>`, or the like in /var/tmp.
 *
 * @param project The project's folder; the working directory by default.
 *
 * @example
 * ```ts
 * import { defaultEmbeddedDir } from "../embedded.ts";
 *
 * const dir = defaultEmbeddedDir("/srv/shop"); // "/srv/shop/.dispatcher/postgres"
 * ```
 */
export function defaultEmbeddedDir(project: string = process.cwd()): string {
  const asked = process.env.DISPATCHER_EMBEDDED_DIR;
  if (asked) return resolve(project, asked);
  const inside = resolve(project, ".dispatcher", "postgres");
  if (!isRoot()) return inside;
  const path = existsSync(project) ? realpathSync(project) : resolve(project);
  const hash = createHash("sha256").update(path).digest("hex").slice(0, 10);
  const name = `${basename(path).replace(/[^\w.-]/g, "-") || "root"}-${hash}`;
  const inVarLib = join("/var/lib/edge-dispatcher", name);
  const inVarTmp = join("/var/tmp", `edge-dispatcher-${name}`);
  // Where data lies already, there it stays: a chmod of a parent must not begin an empty database elsewhere.
  // Outside of the project only root's own counts: anybody may make a folder in /var/tmp.
  const kept = [inside, inVarLib, inVarTmp].find((dir) =>
    existsSync(join(dir, "data")) && (dir === inside || lstatSync(dir).uid === 0)
  );
  if (kept) return kept;
  if (closedFolder(dirname(inside), serverUser(join(inside, "data"))!) === undefined) return inside;
  return isWritable("/var/lib") ? inVarLib : inVarTmp;
}

/** Make the folder, or make sure that an existing one is safe, and that the server's user can enter it. */
export function prepareDir(dir: string, user: User | undefined): void {
  const first = mkdirSync(dir, { recursive: true });
  if (statSync(dirname(dir)).mode & 0o002) refuseForeign(dir);
  if (!user) return;
  // What root made under a tight umask, and the folder itself, must let the server's user pass. The contents
  // keep their own modes.
  for (let path = dir; first && path.length >= first.length; path = dirname(path)) chmodSync(path, 0o755);
  const { uid, mode } = statSync(dir);
  if (uid === process.getuid?.() && !(mode & 0o001)) chmodSync(dir, (mode & 0o7777) | 0o011);
  const closed = closedFolder(dir, user);
  if (closed === undefined) return;
  const bits = (statSync(closed).mode & 0o7777).toString(8).padStart(4, "0");
  throw new Error(
    `the server's user "${user.name}" cannot enter "${closed}" (mode ${bits}): ` +
      `choose another folder with DISPATCHER_EMBEDDED_DIR`,
  );
}

/** In a folder where anybody may write, such as /tmp, somebody else may have laid this one as a trap. */
function refuseForeign(dir: string): void {
  const found = lstatSync(dir);
  if (found.isDirectory() && (!process.getuid || found.uid === process.getuid())) return;
  throw new Error(`it lies in a folder that is open to all, and belongs to user ${found.uid}`);
}
