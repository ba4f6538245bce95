/**
 * Jobs that nobody will end: they are waiting or running, and the envelope that should run them is final, or gone.
 * Whoever runs a job writes its verdict before the envelope is settled or together with it, so no verdict will follow.
 *
 * | how the envelope ended | what becomes of the job |
 * |---|---|
 * | any way, and somebody has asked for the job's end | canceled |
 * | canceled | canceled |
 * | discarded: an unknown task, a host that died, too many attempts | error, with what the envelope says |
 * | completed, or gone | error |
 *
 * Jobs of a node that died have an envelope that still runs: those are reaped, see system/awx_reaper.
 *
 * @module
 */
import { z } from "zod";
import { finish } from "../jobs/model/endings.ts";
import { type Db, list, rows } from "../jobs/model/rows.ts";
import type { Publish } from "../jobs/model/trigger.ts";

/** What is known of an envelope, of a client's `outcomes()`. */
export interface Envelope {
  uuid: string;
  state: string;
  error: { name?: string; message?: string } | null;
}

/** A job and how it is to end. */
export interface Lost {
  id: number;
  uuid: string;
  status: "error" | "canceled";
  explanation: string;
}

const openSchema = z.object({ id: z.int(), task_uuid: z.string(), cancel_flag: z.boolean() });
const OPEN = `select id, task_uuid, cancel_flag from awx.unified_job
  where status in ('waiting', 'running') and task_uuid is not null and kind <> 'workflow_job'
    and ($1::boolean or cancel_flag)`;
// Whom somebody ends just now has his verdict.
const LOCK = `select id::int from awx.unified_job
  where id = any($1::text::bigint[]) and status in ('waiting', 'running')
  order by id for no key update skip locked`;

const FINAL: readonly string[] = ["completed", "cancelled", "discarded"];

/**
 * Find them. The jobs are read before the envelopes: a job whose verdict comes between is found, and keeps its verdict.
 *
 * @param all Look at all that is under way, not only at what is to be canceled.
 */
export async function findLost(
  db: Db,
  outcomes: (uuids: string[]) => Promise<readonly Envelope[]>,
  all: boolean,
): Promise<Lost[]> {
  const open = await rows(db, openSchema, OPEN, [all]);
  if (open.length === 0) return [];
  const known = new Map(
    (await outcomes(open.map((job) => job.task_uuid))).map((found) => [found.uuid, found]),
  );
  return open.flatMap(({ id, task_uuid, cancel_flag }) => {
    const envelope = known.get(task_uuid);
    return envelope && !FINAL.includes(envelope.state)
      ? []
      : [{ id, uuid: task_uuid, ...verdictOn(envelope, cancel_flag) }];
  });
}

/** End them, in a transaction; those that have got a verdict keep it. Returns how many were ended. */
export async function endLost(tx: Db, publish: Publish, lost: readonly Lost[]): Promise<number> {
  if (lost.length === 0) return 0;
  const locked = await tx.unsafe(LOCK, [list(lost.map(({ id }) => id))] as never[]);
  const ours = new Set(locked.map(({ id }) => id));
  let ended = 0;
  for (const { id, uuid, status, explanation } of lost.filter(({ id }) => ours.has(id))) {
    const ending = { jobId: id, taskUuid: uuid, status, explanation, closesEvents: true };
    if (await finish(tx, publish, ending)) ended++;
  }
  return ended;
}

function verdictOn(envelope: Envelope | undefined, cancel: boolean): Pick<Lost, "status" | "explanation"> {
  if (cancel) return { status: "canceled", explanation: "Canceled before it had begun" };
  if (!envelope) return { status: "error", explanation: "The envelope that should run it is gone" };
  const { state, error } = envelope;
  if (state === "cancelled") {
    return { status: "canceled", explanation: "The envelope that should run it was canceled" };
  }
  const why = error?.message ? `: ${error.name ?? "Error"}: ${error.message}` : ", and left no verdict";
  return { status: "error", explanation: `The envelope that should run it was ${state}${why}` };
}
