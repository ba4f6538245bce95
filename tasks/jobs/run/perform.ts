/**
 * The frame of everything that runs as a job: begin, prepare, run, tell, end.
 *
 * ```text
 *  begin ──0 rows──► return: somebody else's, or canceled
 *    │
 *  work ──► Outcome ─────────────────────────────┐
 *    ├── throws: status error, with an explanation ├──► events written ──► verdict and completion, one transaction
 *    └── aborted: processes ended first ──────────┘
 *          CancelledError  canceled
 *          TimeoutError    failed
 *          ShutdownError   error, and the node is named
 *          Preempted       waiting again, nothing is over
 * ```
 *
 * An aborted attempt has a second before its worker is killed, and no transaction of its own any more: its verdict is
 * one guarded statement. If that is too late as well, the job is reaped.
 *
 * @module
 */
import type { TaskContext } from "edge-dispatcher";
import { finish } from "../model/endings.ts";
import { notify } from "../model/notify.ts";
import { type Db, row } from "../model/rows.ts";
import { type Settings, settings } from "../model/settings.ts";
import { begin, type UnifiedJob, unifiedJobSchema, type Variables } from "../model/unified_job.ts";
import { type Beginning, type Draft, EventSink } from "./events.ts";
import { eventStore } from "./event_stores.ts";
import { Guard } from "./guard.ts";
import { patiently } from "./outage.ts";
import { PrivateDir, removeStale } from "./private_dir.ts";
import { NoProgram } from "./program.ts";
import { Redactor } from "./redact.ts";
import { interruption, textOf, type Verdict, writeEnd } from "./verdict.ts";

/** How a job ended that ran as it should. */
export interface Outcome {
  status: "successful" | "failed";
  explanation?: string;
  exitCode?: number;
  scmRevision?: string;
  artifacts?: Variables;
  /** Written with the verdict, or not at all. */
  write?(tx: Db): Promise<void>;
}

/** What a job has while it runs. */
export interface Run {
  readonly context: TaskContext;
  readonly job: UnifiedJob;
  readonly settings: Settings;
  readonly db: Db;
  readonly dir: PrivateDir;
  readonly guard: Guard;
  readonly redactor: Redactor;
  readonly signal: AbortSignal;
  /** Performance time at which its time is up. */
  readonly deadline?: number;
  /** Tell events; resolves when there is room for more. */
  tell(drafts: readonly Draft[]): Promise<void>;
}

/** What a job cannot do, for a reason that its operator can mend. */
export class JobError extends Error {
  override name = "JobError";
}

/** Run a job from its envelope. */
export async function perform(
  context: TaskContext,
  jobId: number,
  work: (run: Run) => Promise<Outcome>,
): Promise<void> {
  if (!Number.isSafeInteger(jobId)) {
    throw new TypeError(`Cannot run job ${JSON.stringify(jobId)}: it is no number of a job`);
  }
  const { signal, uuid: taskUuid } = context;
  const db = await context.database() as unknown as Db;
  const job = await begin(db, { jobId, taskUuid, node: context.node });
  if (!job) return await endUnbegun(context, db, jobId);
  await patiently(() => notify(context.publish, jobId, "started"), signal);
  const now = await patiently(() => settings(db), signal);
  const finale = { context, db, direct: now.CALLBACK_QUEUE === "direct" };
  let sink: EventSink;
  try {
    sink = new EventSink(jobId, await eventStore(now, db), await beginning(db, job));
  } catch (error) {
    const explanation = `Its events have nowhere to go: ${textOf(error)}`;
    return await writeEnd(finale, { jobId, taskUuid, status: "error", explanation }, 0);
  }
  let { verdict, interrupted } = await attempt(context, db, job, now, sink, work);
  if (interrupted && signal.reason?.name === "Preempted") return await putBack(context, db, job, sink);
  try {
    await sink.close({ hurry: signal });
  } catch (error) {
    verdict = { ...verdict, status: "error", explanation: `Its events were not written: ${textOf(error)}` };
  }
  await writeEnd(finale, { ...verdict, jobId, taskUuid }, sink.count);
  // The envelope ends as it was asked to, not as if it had run.
  if (interrupted && signal.reason?.name !== "ShutdownError") throw signal.reason;
}

/** What became of an attempt; interrupted: it was aborted before it had come to its end. */
interface Attempted {
  verdict: Verdict;
  interrupted: boolean;
}

async function attempt(
  context: TaskContext,
  db: Db,
  job: UnifiedJob,
  now: Settings,
  sink: EventSink,
  work: (run: Run) => Promise<Outcome>,
): Promise<Attempted> {
  const { signal } = context;
  const redactor = new Redactor();
  let dir: PrivateDir | undefined;
  let guard: Guard | undefined;
  try {
    dir = await PrivateDir.make(now.JOB_ROOT, job.id);
    guard = new Guard(dir.path);
    signal.addEventListener("abort", guard.abort);
    // It may have been aborted before there was anybody to hear it.
    if (signal.aborted) guard.abort();
    const seconds = job.timeout || now.DEFAULT_JOB_TIMEOUT;
    const deadline = seconds > 0 ? performance.now() + seconds * 1_000 : undefined;
    const tell = (drafts: readonly Draft[]) => sink.add(drafts);
    const run: Run = { context, job, settings: now, db, dir, guard, redactor, signal, deadline, tell };
    return { verdict: { explanation: "", ...await work(run) }, interrupted: false };
  } catch (error) {
    if (signal.aborted) return { verdict: interruption(context), interrupted: true };
    const said = redactor.text(textOf(error));
    const known = error instanceof JobError || error instanceof NoProgram;
    const explanation = known ? said : `It could not be run: ${said}`;
    return { verdict: { status: "error", explanation }, interrupted: false };
  } finally {
    // Aborted, the guard ends what is left and removes the directory; there is no time to wait for it.
    if (!signal.aborted) {
      if (guard) signal.removeEventListener("abort", guard.abort);
      await guard?.close();
      await dir?.remove();
      await removeStale(now.JOB_ROOT, db).catch(() => {});
    }
  }
}

/** It was canceled before it began; or it is not this envelope's. */
async function endUnbegun(context: TaskContext, db: Db, jobId: number): Promise<void> {
  const canceled = await row(
    db,
    unifiedJobSchema,
    `select * from awx.unified_job where id = $1::bigint and task_uuid = $2::uuid and cancel_flag and status = 'waiting'`,
    [jobId, context.uuid],
  );
  if (!canceled) return;
  await context.transaction((tx, publish) =>
    finish(tx as unknown as Db, publish, {
      jobId,
      taskUuid: context.uuid,
      status: "canceled",
      explanation: "Canceled by an operator",
      closesEvents: true,
    })
  );
}

/** A more urgent job takes its place: this one waits again, and its events go on where they are. */
async function putBack(context: TaskContext, db: Db, job: UnifiedJob, sink: EventSink): Promise<never> {
  await sink.add([{ event: "verbose", stdout: "\nStopped for a more urgent job; it begins again.\n" }]);
  await sink.close({ hurry: context.signal, end: false }).catch(() => {});
  await db.unsafe(
    `update awx.unified_job set status = 'waiting', started = null, emitted_events = $3::int,
       job_explanation = 'Stopped for a more urgent job; it begins again'
     where id = $1::bigint and task_uuid = $2::uuid and status = 'running'`,
    [job.id, context.uuid, sink.count] as never[],
  );
  throw context.signal.reason;
}

async function beginning(db: Db, { id, emitted_events }: UnifiedJob): Promise<Beginning> {
  if (emitted_events === 0) return { counter: 0, lines: 0 };
  const [{ lines }] = await db.unsafe(
    "select coalesce(max(end_line), 0)::int lines from awx.job_event where job_id = $1::bigint",
    [id] as never[],
  );
  return { counter: emitted_events, lines: lines as number };
}
