/**
 * How a job ends: its verdict, who is told of it, and that the managers look again. All in the caller's transaction.
 *
 * @module
 */
import { eventOf, notify } from "./notify.ts";
import { type Db, row } from "./rows.ts";
import { type Publish, trigger } from "./trigger.ts";
import {
  type Ending,
  type FinalStatus,
  isFinal,
  jobById,
  type UnifiedJob,
  unifiedJobSchema,
  writeEnding,
} from "./unified_job.ts";

/**
 * End a job. Undefined when it had ended already, or is another envelope's: then nothing was done.
 *
 * @example
 * ```ts ignore
 * await context.transaction((tx, publish) =>
 *   finish(tx, publish, { jobId, taskUuid: context.uuid, status: "successful", exitCode: 0 })
 * );
 * ```
 */
export async function finish(db: Db, publish: Publish, ending: Ending): Promise<UnifiedJob | undefined> {
  return (await finishAll(db, publish, [ending]))[0];
}

/** End many, and have the managers look once; returns those that it has ended. */
export async function finishAll(db: Db, publish: Publish, endings: readonly Ending[]): Promise<UnifiedJob[]> {
  const ended: UnifiedJob[] = [];
  for (const ending of endings) {
    const job = await writeEnding(db, ending);
    if (!job) continue;
    if (job.events_closed_at !== null) await notify(publish, job.id, eventOf(ending.status));
    ended.push(job);
  }
  if (ended.length > 0) await trigger(publish);
  return ended;
}

/**
 * Write the end of a job's events. The row is locked, so of this and {@link finish} one is second, and tells.
 *
 * @param events How many were written.
 */
export async function closeEvents(db: Db, publish: Publish, jobId: number, events: number): Promise<void> {
  const job = await row(
    db,
    unifiedJobSchema,
    `update awx.unified_job set events_closed_at = clock_timestamp(), emitted_events = $2::int
     where id = $1::bigint and events_closed_at is null returning *`,
    [jobId, events],
  );
  if (job && isFinal(job.status)) await notify(publish, jobId, eventOf(job.status as FinalStatus));
}

/** What became of a wish to cancel. */
export type Canceled = "canceled" | "canceling" | "final";

/**
 * Ask for the end of a job. One that was not started ends at once; of one that was, the envelope is to be canceled by
 * the caller after the commit (`client.cancel([task_uuid])`), and what runs it writes the verdict.
 *
 * @throws {DispatcherError} `not_found`.
 */
export async function cancelJob(
  db: Db,
  publish: Publish,
  jobId: number,
  explanation: string = "Canceled by an operator",
): Promise<{ did: Canceled; job: UnifiedJob }> {
  const job = await row(
    db,
    unifiedJobSchema,
    `update awx.unified_job set cancel_flag = true
     where id = $1::bigint and status in ('pending', 'waiting', 'running') returning *`,
    [jobId],
  );
  if (!job) return { did: "final", job: await jobById(db, jobId) };
  if (job.status === "pending") {
    const ended = await finish(db, publish, {
      jobId,
      taskUuid: null,
      status: "canceled",
      explanation,
      closesEvents: true,
    });
    if (ended) return { did: "canceled", job: ended };
  }
  await trigger(publish, job.kind === "workflow_job" ? ["workflow"] : ["task"]);
  return { did: "canceling", job };
}
