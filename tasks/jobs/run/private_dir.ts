/**
 * A job's own directory, its owner's alone: what it is given by file is there, and goes with it.
 *
 * @module
 */
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { type Db, list } from "../model/rows.ts";

const DAY_MS = 86_400_000;
const NAME = /^job_(\d+)_/;

/** A directory of mode 0700 in which all files are 0600. */
export class PrivateDir {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Make one below JOB_ROOT. */
  static async make(root: string, jobId: number): Promise<PrivateDir> {
    const parent = resolve(root);
    await mkdir(parent, { recursive: true, mode: 0o700 });
    return new PrivateDir(await mkdtemp(join(parent, `job_${jobId}_`)));
  }

  /** The path of a name in it. */
  at(name: string): string {
    return join(this.path, name);
  }

  /** Write a file; gives its path. */
  async file(name: string, text: string, mode: number = 0o600): Promise<string> {
    const path = this.at(name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, text, { mode });
    return path;
  }

  /** Make a directory in it; gives its path. */
  async directory(name: string): Promise<string> {
    await mkdir(this.at(name), { recursive: true, mode: 0o700 });
    return this.at(name);
  }

  async remove(): Promise<void> {
    // What a job made unreadable for itself is still ours to delete where we may; what is left is stale one day.
    await rm(this.path, { recursive: true, force: true, maxRetries: 2 }).catch(() => {});
  }
}

/** Delete the directories that jobs left behind when their machine failed: a day old, and the job does not run. */
export async function removeStale(root: string, db: Db): Promise<void> {
  const parent = resolve(root);
  const names = await readdir(parent).catch(() => [] as string[]);
  const old: { path: string; jobId: number }[] = [];
  for (const name of names) {
    const jobId = NAME.exec(name)?.[1];
    const path = join(parent, name);
    const made = jobId && await stat(path).catch(() => undefined);
    if (made && Date.now() - made.mtimeMs > DAY_MS) old.push({ path, jobId: Number(jobId) });
  }
  if (old.length === 0) return;
  const open = await db.unsafe(
    `select id::int from awx.unified_job
     where id = any($1::text::bigint[]) and status in ('pending', 'waiting', 'running')`,
    [list(old.map(({ jobId }) => jobId))] as never[],
  );
  const running = new Set(open.map(({ id }) => id));
  for (const { path, jobId } of old) {
    if (!running.has(jobId)) await rm(path, { recursive: true, force: true });
  }
}
