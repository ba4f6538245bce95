/**
 * One run of the task manager: read, plan, write, in the caller's transaction.
 *
 * ```text
 *  lock ──► world ──► pending by turn ──► verdicts ──► locks of rows ──► envelopes, statuses, explanations ──► commit
 *   │ taken                │ deadline, or as many started as may be
 *   └─► skipped            └─► what there is so far is written, and another run is sent
 * ```
 *
 * | what fails | what becomes of it |
 * |---|---|
 * | the worker, its node or the connection | all of it is undone: no job waits without an envelope, none has two |
 * | another run is under way | this one returns at once; what it was sent for is seen by the next one |
 * | a job is canceled meanwhile | its row is locked or final: it is left out, and no envelope is sent |
 * | the node that was chosen dies | its jobs are reaped by the others, see system/awx_reaper |
 * | the trigger of a run is lost | the schedule of 20 s runs it |
 *
 * @module
 */
import type { Db } from "../../jobs/model/rows.ts";
import { settings } from "../../jobs/model/settings.ts";
import { type Publish, trigger } from "../../jobs/model/trigger.ts";
import { alone, deadline } from "../lock.ts";
import { endLost, type Lost } from "../lost.ts";
import { once } from "../once.ts";
import { loadWorld, pendingByTurn } from "./load.ts";
import { Planner, type Verdict } from "./plan.ts";
import { write, type Written } from "./write.ts";

/** What a run did: `lost` jobs were ended for others; `more` when it has left some of the pending to the next run. */
export type Report = { skipped: true } | (Written & { lost: number; seen: number; more: boolean });

/** What a run is given. */
export interface RunOptions {
  /** Jobs that nobody else will end. */
  lost?: readonly Lost[];
  /** Milliseconds, for tests. */
  now?: () => number;
}

/** Run it. */
export async function runTaskManager(
  tx: Db,
  publish: Publish,
  { lost = [], now }: RunOptions = {},
): Promise<Report> {
  if (!await alone(tx, "task_manager")) return { skipped: true };
  const { START_TASK_LIMIT, TASK_MANAGER_TIMEOUT, TASK_MANAGER_PENDING_TIMEOUT } = await settings(tx);
  const over = deadline(TASK_MANAGER_TIMEOUT, now);
  const limits = {
    starts: START_TASK_LIMIT,
    pendingTimeout: TASK_MANAGER_PENDING_TIMEOUT,
    preempts: true,
  };
  const send = once(publish);
  const ended = await endLost(tx, send, lost);
  const planner = new Planner(await loadWorld(tx), limits);
  const { verdicts, more } = await plan(tx, planner, over);
  const written = await write(tx, send, verdicts);
  // A run that changed nothing would only be repeated by the next one.
  if (more && written.started + written.ended + written.explained > 0) await trigger(send, ["task"]);
  return { ...written, lost: ended, seen: verdicts.length, more };
}

/** Until nothing is pending, or the run is full or over. */
async function plan(
  tx: Db,
  planner: Planner,
  over: () => boolean,
): Promise<{ verdicts: Verdict[]; more: boolean }> {
  const verdicts: Verdict[] = [];
  for await (const portion of pendingByTurn(tx)) {
    for (const job of portion) {
      if (planner.full || over()) return { verdicts, more: true };
      verdicts.push(planner.consider(job));
    }
  }
  return { verdicts, more: false };
}
