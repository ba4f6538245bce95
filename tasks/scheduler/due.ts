/**
 * Launching what is due, in the caller's transaction: a job, what its schedule remembers of it, and the word to the
 * managers are committed together, so an occurrence is launched once, whoever is killed and however many look.
 *
 * @module
 */
import { z } from "zod";
import { DispatcherError } from "edge-dispatcher";
import { launch } from "../jobs/model/launch.ts";
import { type Db, rows } from "../jobs/model/rows.ts";
import { scheduleSchema } from "../jobs/model/schedules.ts";
import { type Publish, trigger } from "../jobs/model/trigger.ts";
import { nextOccurrence } from "./rrule.ts";

const dueSchema = scheduleSchema.pick({
  id: true,
  name: true,
  rrule: true,
  template_kind: true,
  template_id: true,
  extra_vars: true,
}).extend({ now: z.string() });
type Due = z.infer<typeof dueSchema>;

export interface Launched {
  /** Ids of the jobs. */
  jobs: number[];
  /** Schedules that were turned off, with the reason. */
  disabled: { name: string; why: string }[];
  /** Schedules whose launch was refused this time, with the reason. */
  refused: { name: string; why: string }[];
  /** There were more than a run launches: look again. */
  more: boolean;
}

/** Schedules that one transaction launches at most. */
const BATCH = 100;

/** Launch every schedule that is due, once however often it was missed. */
export async function launchDue(db: Db, publish: Publish, batch: number = BATCH): Promise<Launched> {
  const launched: Launched = { jobs: [], disabled: [], refused: [], more: false };
  // One that somebody else launches right now is his.
  const due = await rows(
    db,
    dueSchema,
    `select id, name, rrule, template_kind, template_id, extra_vars, clock_timestamp() as now
     from awx.schedule where enabled and next_run <= clock_timestamp()
     order by next_run, id limit $1::int for update skip locked`,
    [batch],
  );
  for (const schedule of due) await launchOne(db, schedule, launched);
  launched.more = due.length === batch;
  if (launched.jobs.length > 0) await trigger(publish);
  return launched;
}

async function launchOne(db: Db, schedule: Due, launched: Launched): Promise<void> {
  const { id, name, rrule, template_kind, template_id, extra_vars, now } = schedule;
  await db.unsafe("savepoint launch");
  try {
    const next = nextOccurrence(rrule, new Date(now));
    const job = await launch(db, { kind: template_kind, id: template_id }, {
      launchType: "scheduled",
      extraVars: extra_vars,
    });
    await moveOn(db, id, next, now);
    await db.unsafe("release savepoint launch");
    launched.jobs.push(job.id);
  } catch (error) {
    await db.unsafe("rollback to savepoint launch");
    const why = (error as Error).message;
    if (isForGood(error)) {
      await db.unsafe(
        "update awx.schedule set enabled = false, next_run = null where id = $1::bigint",
        [id] as never[],
      );
      launched.disabled.push({ name, why });
    } else {
      await moveOn(db, id, nextOccurrence(rrule, new Date(now)), null);
      launched.refused.push({ name, why });
    }
  }
}

/** The template is gone, or the rule cannot be read: it will be no different next time. */
function isForGood(error: unknown): boolean {
  return error instanceof DispatcherError && (error.code === "not_found" || error.code === "usage");
}

async function moveOn(db: Db, id: number, next: Date | null, ranAt: string | null): Promise<void> {
  await db.unsafe(
    `update awx.schedule set next_run = $2::timestamptz, last_run = coalesce($3::timestamptz, last_run)
     where id = $1::bigint`,
    [id, next?.toISOString() ?? null, ranAt] as never[],
  );
}
