/**
 * Writing a plan: a handful of statements however many jobs it is about. All rows are locked before anything is
 * published. Publishing with a rule for duplicates takes a lock too, and whoever ends a job takes its row first and that
 * lock second; the other way round, both would wait for each other.
 *
 * @module
 */
import { finish } from "../../jobs/model/endings.ts";
import { type Db, json, list } from "../../jobs/model/rows.ts";
import type { Publish } from "../../jobs/model/trigger.ts";
import { deliveryOf, RUNNERS } from "./delivery.ts";
import type { Verdict } from "./plan.ts";

/** Whom somebody else has just now (he is being canceled, say) is left to the next run. */
const LOCK = `select id::int from awx.unified_job
  where id = any($1::text::bigint[]) and status = 'pending' order by id for no key update skip locked`;

const START = `update awx.unified_job j
  set status = 'waiting', execution_node = s.node, instance_group_id = s.instance_group, task_uuid = s.uuid,
    job_explanation = ''
  from jsonb_to_recordset($1::text::jsonb) s (id bigint, node text, instance_group bigint, uuid uuid)
  where j.id = s.id`;

const EXPLAIN = `update awx.unified_job j set job_explanation = e.explanation
  from jsonb_to_recordset($1::text::jsonb) e (id bigint, explanation text) where j.id = e.id`;

type Of<D extends Verdict["do"]> = Extract<Verdict, { do: D }>;

/** How many jobs a plan has changed. */
export interface Written {
  started: number;
  ended: number;
  explained: number;
}

/** Write what a plan changes. */
export async function write(tx: Db, publish: Publish, verdicts: readonly Verdict[]): Promise<Written> {
  const changes = verdicts.filter(isChange);
  if (changes.length === 0) return { started: 0, ended: 0, explained: 0 };
  const ids = await tx.unsafe(LOCK, [list(changes.map(({ job }) => job.id))] as never[]);
  const ours = new Set(ids.map(({ id }) => id));
  const of = <D extends Verdict["do"]>(what: D) =>
    changes.filter((verdict): verdict is Of<D> => verdict.do === what && ours.has(verdict.job.id));
  const starts = of("start");
  const ends = of("end");
  const waits = of("wait");
  await start(tx, publish, starts);
  if (waits.length > 0) {
    const texts = waits.map(({ job, explanation }) => ({ id: job.id, explanation }));
    await tx.unsafe(EXPLAIN, [json(texts)] as never[]);
  }
  for (const { job, status, explanation } of ends) {
    const ending = { jobId: job.id, taskUuid: job.task_uuid, status, explanation, closesEvents: true };
    await finish(tx, publish, ending);
  }
  return { started: starts.length, ended: ends.length, explained: waits.length };
}

function isChange(verdict: Verdict): boolean {
  return verdict.do !== "wait" || verdict.explanation !== verdict.job.job_explanation;
}

/** The envelopes of all of them are on their way at once: the connection sends them one behind the other. */
async function start(tx: Db, publish: Publish, starts: readonly Of<"start">[]): Promise<void> {
  if (starts.length === 0) return;
  const sent = await Promise.all(starts.map(async ({ job, node, group }) => {
    const runner = RUNNERS[job.kind as keyof typeof RUNNERS];
    const { uuid } = await publish(runner, [job.id], deliveryOf(job, node)) as { uuid: string };
    return { id: job.id, node, instance_group: group, uuid };
  }));
  await tx.unsafe(START, [json(sent)] as never[]);
}
