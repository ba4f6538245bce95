/**
 * Jobs without a node: their frame is called here, with a context of the test's own.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { TaskContext } from "../../../mod.ts";
import { tempDir, type TestContext } from "../../harness.ts";
import { launch } from "../../../tasks/jobs/model/launch.ts";
import { dropSettings, writeSetting } from "../../../tasks/jobs/model/settings.ts";
import type { UnifiedJob } from "../../../tasks/jobs/model/unified_job.ts";
import { type AwxDatabase, awxDatabase } from "../database.ts";

/** A database with these settings. */
export async function place(t: TestContext, settings: Record<string, unknown> = {}): Promise<AwxDatabase> {
  const own = await awxDatabase(t);
  for (const [key, value] of Object.entries({ JOB_ROOT: join(tempDir(), "jobs"), ...settings })) {
    await writeSetting(own.sql, key, value);
  }
  dropSettings();
  return own;
}

/** A job of a shell command that waits for its envelope. */
export async function waiting({ sql }: AwxDatabase, script: string): Promise<{ id: number; uuid: string }> {
  const [{ template }] = await sql.unsafe(
    `insert into awx.job_template (name, kind, command)
     values ($1::text, 'command', array['sh', '-c', $2::text]) returning id::int template`,
    [randomUUID(), script],
  );
  return await started({ sql }, await launch(sql, { kind: "job_template", id: template }));
}

/** As the task manager would, but for the envelope. */
export async function started(
  { sql }: Pick<AwxDatabase, "sql">,
  { id }: UnifiedJob,
): Promise<{ id: number; uuid: string }> {
  const uuid = randomUUID();
  await sql.unsafe(
    "update awx.unified_job set status = 'waiting', task_uuid = $2::uuid where id = $1::bigint",
    [id, uuid],
  );
  return { id, uuid };
}

/** What a task gets. */
export function contextOf({ client, sql }: AwxDatabase, uuid: string, signal: AbortSignal): TaskContext {
  return {
    uuid,
    attempt: 1,
    workerId: "1.1",
    node: "n1",
    signal,
    progress() {},
    log() {},
    control: () => Promise.reject(new Error("no node")),
    publish: (task, args, options) => client.publish(task, args, options),
    transaction: (work) => client.transaction(work),
    database: () => Promise.resolve(sql),
  };
}

export const NEVER: AbortSignal = new AbortController().signal;
