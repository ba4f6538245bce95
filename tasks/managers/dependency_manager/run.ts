/**
 * One run of the dependency manager: what was launched and not looked at gets the updates that it needs, in the caller's
 * transaction.
 *
 * | what fails | what becomes of it |
 * |---|---|
 * | the worker, its node or the connection | all of it is undone: no update without its job, no job that is half linked |
 * | another run is under way | this one returns at once; what it was sent for is seen by the next one |
 * | a job is canceled meanwhile | its row is locked or final: it is left out |
 * | an update fails or is canceled | the task manager fails those that wait for it, up the whole chain |
 * | the trigger of a run is lost | the schedule of 20 s runs it |
 *
 * @module
 */
import type { Db } from "../../jobs/model/rows.ts";
import { settings } from "../../jobs/model/settings.ts";
import { type Publish, trigger } from "../../jobs/model/trigger.ts";
import { alone, deadline } from "../lock.ts";
import { loadKnown, lockLaunched } from "./load.ts";
import { Needs } from "./plan.ts";
import { Writer } from "./write.ts";

/** What a run did; `more` when it has left some to the next. */
export type Report = { skipped: true } | { processed: number; created: number; more: boolean };

/** Run it. @param now Milliseconds, for tests. */
export async function runDependencyManager(tx: Db, publish: Publish, now?: () => number): Promise<Report> {
  if (!await alone(tx, "dependency_manager")) return { skipped: true };
  const over = deadline((await settings(tx)).TASK_MANAGER_TIMEOUT, now);
  const launched = await lockLaunched(tx);
  if (launched.length === 0) return { processed: 0, created: 0, more: false };
  const needs = new Needs(await loadKnown(tx, launched));
  const writer = new Writer(tx);
  let processed = 0;
  for (const job of launched) {
    if (over()) break;
    await writer.add(job, needs.of(job));
    processed++;
  }
  await writer.flush();
  const more = processed > 0 && processed < launched.length;
  if (processed > 0) await trigger(publish, more ? ["dependency", "task"] : ["task"]);
  return { processed, created: writer.created, more };
}
