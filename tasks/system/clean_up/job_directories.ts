/**
 * Private directories of jobs that nobody removed: of a node that was killed. A job removes its own.
 *
 * @module
 */
import { lstat, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Db, list } from "../../jobs/model/rows.ts";

/** One that was just made may belong to a job that the database does not show as begun yet. */
const REST_MS = 3_600_000;
/** The number of the job, with words around it: `7`, `job_7`, `7_k3x9`, `awx_7_k3x9`. */
const NAME = /^(?:[a-z]+[_-])?([1-9]\d{0,15})(?:[_.-][\w.-]*)?$/i;

/**
 * Remove those whose job is over, or is not known, and that are an hour old. Links are neither followed nor removed, and
 * what has another kind of name is left alone.
 */
export async function purgeJobDirectories(db: Db, root: string): Promise<number> {
  const found = (await entries(root)).flatMap((name) => {
    const id = NAME.exec(name)?.[1];
    return id === undefined ? [] : [{ id: Number(id), path: join(root, name) }];
  });
  const open = await openAmong(db, found.map(({ id }) => id));
  let removed = 0;
  for (const { id, path } of found) {
    if (open.has(id) || !(await isOldDirectory(path))) continue;
    await rm(path, { recursive: true, force: true });
    removed++;
  }
  return removed;
}

async function entries(root: string): Promise<string[]> {
  return await readdir(root).catch((error) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
}

async function openAmong(db: Db, ids: number[]): Promise<Set<number>> {
  if (ids.length === 0) return new Set();
  const found = await db.unsafe(
    `select id::float8 id from awx.unified_job
     where id = any($1::text::bigint[]) and status in ('pending', 'waiting', 'running')`,
    [list(ids)] as never[],
  );
  return new Set(found.map(({ id }) => id as number));
}

async function isOldDirectory(path: string): Promise<boolean> {
  const stat = await lstat(path).catch(() => undefined);
  return stat?.isDirectory() === true && Date.now() - stat.mtimeMs > REST_MS;
}
