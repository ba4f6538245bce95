/**
 * Reaping: nodes that are gone have no capacity, and their jobs have a verdict. All in the caller's transaction, and
 * however many do it at once, it is done once.
 *
 * | what can fail | what happens |
 * |---|---|
 * | the reaper dies before its commit | nothing was done; the next one does it |
 * | two reapers at once | each locks other jobs, and a verdict is written only once |
 * | the node comes back before its grace is over | its heartbeat gives it its capacity again; nothing was reaped |
 * | it comes back later, with a job that goes on | the job's envelope is canceled, and its late verdict changes nothing |
 * | events of a reaped job still come | they are written; its stream counts as closed |
 *
 * @module
 */
import { finishAll } from "../../jobs/model/endings.ts";
import type { Db } from "../../jobs/model/rows.ts";
import { type Publish, trigger } from "../../jobs/model/trigger.ts";
import type { Ending, UnifiedJob } from "../../jobs/model/unified_job.ts";
import { type Fate, fateOf, type Lease } from "./fate.ts";
import { giveBack, lockJobs, lockLeftJobs, type Seen, seenNodes, takeCapacity, writeErrors } from "./sql.ts";

/** Jobs with a verdict in one transaction. */
const MOST = 500;

/** What one look has found and done. */
export interface Reaped {
  /** Nodes that are not up, and what became of them. */
  fates: Record<string, Exclude<Fate, "up">>;
  /** Jobs that have a verdict now. */
  reaped: number[];
  /** Jobs that are pending again. */
  givenBack: number[];
  /** Their envelopes, which nobody needs any more. */
  envelopes: string[];
  /** More is to be done. */
  more: boolean;
  /** Seconds until the next grace is over that somebody's jobs have; null when none has one. */
  next: number | null;
}

/** Look at all nodes, and do what follows. */
export async function reap(
  db: Db,
  publish: Publish,
  leases: readonly Lease[],
  graceSeconds: number,
): Promise<Reaped> {
  const nodes = (await seenNodes(db)).map((seen) => {
    const lease = leases.find(({ name }) => name === seen.hostname);
    return { seen, lease, fate: fateOf(seen.silence, lease, graceSeconds) };
  });
  const fates: Reaped["fates"] = {};
  for (const { seen, lease, fate } of nodes) {
    if (fate === "up") continue;
    fates[seen.hostname] = fate;
    if (fate === "late") {
      await writeErrors(db, seen, `Its heartbeat is late, its lease lives: it may be busy`);
    } else await takeCapacity(db, seen, wordsOf(fate, seen, lease));
  }
  const named = (fate: Fate) => nodes.filter((node) => node.fate === fate).map(({ seen }) => seen.hostname);
  const lost = await lockJobs(db, named("gone"), MOST);
  const left = await lockLeftJobs(db, leases.filter(({ alive }) => alive), MOST);
  const bySeen = new Map(nodes.map(({ seen }) => [seen.hostname, seen]));
  const byName = new Map(leases.map((lease) => [lease.name, lease]));
  const reaped = await finishAll(db, publish, [
    ...lost.map((job) => verdictOn(job, goneWords(bySeen.get(job.execution_node)!))),
    ...left.map((job) => verdictOn(job, anewWords(byName.get(job.execution_node)!))),
  ]);
  const givenBack = await giveBack(db, named("draining"));
  if (givenBack.length > 0) await trigger(publish, ["task"]);
  const waits = nodes.filter(({ fate, seen }) => fate === "silent" && seen.jobs > 0)
    .map(({ seen }) => graceSeconds - seen.silence!);
  return {
    fates,
    reaped: reaped.map(({ id }) => id),
    givenBack: givenBack.map(({ id }) => id),
    envelopes: [...reaped.flatMap(({ task_uuid }) => task_uuid ?? []), ...givenBack.map(({ uuid }) => uuid)],
    more: lost.length === MOST || left.length === MOST,
    next: waits.length === 0 ? null : Math.max(0, Math.min(...waits)),
  };
}

function verdictOn(job: UnifiedJob, why: string): Ending {
  const explanation = `${why}; the job was ${job.status} there`;
  const status = job.cancel_flag ? "canceled" : "error";
  return { jobId: job.id, taskUuid: job.task_uuid, status, explanation, closesEvents: true };
}

function wordsOf(fate: Fate, seen: Seen, lease: Lease | undefined): string {
  if (fate === "draining") return "It is draining: it takes no jobs";
  if (fate === "gone") return goneWords(seen);
  return lease?.state === "stopped" ? "It was stopped" : "Its lease has ended: it does not answer";
}

function goneWords({ hostname, last_seen }: Seen): string {
  const seen = last_seen === null ? "never seen" : `last seen at ${new Date(last_seen).toISOString()}`;
  return `Node "${hostname}" is gone: it was ${seen}`;
}

function anewWords({ name, started_at }: Lease): string {
  return `Node "${name}" was started anew at ${new Date(started_at).toISOString()}`;
}
