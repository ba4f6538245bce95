/**
 * The end of a job: its verdict, the end of its events and the completion of its envelope, together or not at all; as
 * long as the database is away, later.
 *
 * @module
 */
import type { TaskContext } from "edge-dispatcher";
import { closeEvents, finish } from "../model/endings.ts";
import type { Db } from "../model/rows.ts";
import type { Publish } from "../model/trigger.ts";
import type { Ending } from "../model/unified_job.ts";
import { isOutage, patiently } from "./outage.ts";
import type { Outcome } from "./perform.ts";

/** What is to be written of a job. */
export type Verdict = Omit<Ending, "jobId" | "taskUuid"> & Pick<Outcome, "write">;

/** Where, and how. */
export interface Finale {
  context: TaskContext;
  db: Db;
  /** Whether the end of the events is written here, and not by a receiver. */
  direct: boolean;
}

/** The verdict on a job that was aborted. */
export function interruption({ signal, node }: TaskContext): Verdict {
  switch (signal.reason?.name) {
    case "CancelledError":
      return { status: "canceled", explanation: "Canceled by an operator" };
    case "TimeoutError":
      return { status: "failed", explanation: "Ran longer than its envelope's timeout" };
    default:
      return { status: "error", explanation: `Node "${node}" was stopped while the job ran on it` };
  }
}

/** Write the end of a job. A verdict that came meanwhile, such as the reaper's, stays. */
export async function writeEnd(finale: Finale, ending: Ending & Verdict, events: number): Promise<void> {
  const { signal } = finale.context;
  if (!signal.aborted) {
    try {
      return await patiently(() => commit(finale, ending, events), signal);
    } catch (error) {
      const { code } = error as { code?: string };
      // The envelope is another's by now, and so is the verdict.
      if (code === "stale") return;
      if (!signal.aborted) {
        if (code === "refused" || isOutage(error) || ending.status === "error") throw error;
        const explanation = `Its outcome could not be written: ${textOf(error)}`;
        return await writeEnd(finale, { ...ending, status: "error", explanation, write: undefined }, events);
      }
    }
  }
  await hurry(finale, ending, events);
}

async function commit({ context, direct }: Finale, verdict: Ending & Verdict, events: number): Promise<void> {
  const { write, ...ending } = verdict;
  await context.transaction(async (tx, publish) => {
    const db = tx as unknown as Db;
    if (ending.status === "successful") await write?.(db);
    if (direct) await closeEvents(db, publish, ending.jobId, events);
    await finish(db, publish, ending);
  });
}

/** An aborted attempt has no transaction any more, and little time: guarded statements, one by one. */
async function hurry(finale: Finale, verdict: Ending & Verdict, events: number): Promise<void> {
  const { context, db, direct } = finale;
  const { write, ...ended } = verdict;
  // What was to be written with success is not, so it was none.
  const ending = write && ended.status === "successful" ? { ...ended, ...interruption(context) } : ended;
  // All at once; what is not told any more the schedules of the managers find.
  const told: Promise<unknown>[] = [];
  const publish: Publish = (...call) => Promise.resolve(void told.push(context.publish(...call)));
  if (direct) await closeEvents(db, publish, ending.jobId, events);
  await finish(db, publish, ending);
  await Promise.all(told);
}

/** What an error says. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
