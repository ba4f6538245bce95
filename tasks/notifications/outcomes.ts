/**
 * The statements of notifications: who is to be told, and what became of it. One row a recipient.
 *
 * ```text
 *  pending ── taken ──► successful
 *     │  ▲ ── not taken, may be tried again: stays pending, with the reason
 *     │  └── somebody has it all sent again
 *     └── refused, or the last try ──► failed
 * ```
 *
 * @module
 */
import { z } from "zod";
import { type Db, json, rows } from "../jobs/model/rows.ts";
import type { NotificationEvent } from "../jobs/model/notify.ts";
import type { UnifiedJob } from "../jobs/model/unified_job.ts";

const attachedSchema = z.object({
  id: z.int(),
  name: z.string(),
  kind: z.enum(["email", "slack", "webhook"]),
  /** Sealed. */
  configuration: z.string(),
});
/** A notification template that is to tell. */
export type Attached = z.infer<typeof attachedSchema>;

/** Those of the job's own template. Of a workflow's it tells by itself, once for all of its jobs. */
export async function attachedTo(db: Db, job: UnifiedJob, event: NotificationEvent): Promise<Attached[]> {
  return await rows(
    db,
    attachedSchema,
    `select n.* from awx.notification_attachment a
     join awx.notification_template n on n.id = a.notification_template_id
     where a.event = $1::text and a.template_kind = $2::text and a.template_id = $3::bigint order by n.id`,
    [event, job.template_kind, job.template_id],
  );
}

const outcomeSchema = z.object({
  id: z.int(),
  notification_template_id: z.int(),
  recipient: z.string(),
  status: z.enum(["pending", "successful", "failed"]),
  tries: z.int(),
  error: z.string(),
});
/** What became of one message to one recipient. */
export type Outcome = z.infer<typeof outcomeSchema>;

/** Which notification. */
export interface Which {
  jobId: number;
  event: NotificationEvent;
}

/** Write down who is to be told; who is there already stays as it is. */
export async function expect(
  db: Db,
  { jobId, event }: Which,
  template: number,
  recipients: readonly string[],
): Promise<void> {
  await db.unsafe(
    `insert into awx.notification (notification_template_id, job_id, event, recipient)
     select $1::bigint, $2::bigint, $3::text, jsonb_array_elements_text($4::text::jsonb)
     on conflict do nothing`,
    [template, jobId, event, json(recipients)] as never[],
  );
}

/**
 * What is to be sent now. A try again is for those that are pending; when none is, and some have failed, somebody wants
 * all of it once more, and they are pending again.
 */
export async function pending(db: Db, { jobId, event }: Which): Promise<Outcome[]> {
  const which = "job_id = $1::bigint and event = $2::text";
  await db.unsafe(
    `update awx.notification set status = 'pending', finished = null
     where ${which} and status = 'failed'
       and not exists (select from awx.notification where ${which} and status = 'pending')`,
    [jobId, event] as never[],
  );
  return await rows(
    db,
    outcomeSchema,
    `select * from awx.notification where ${which} and status = 'pending' order by id`,
    [jobId, event],
  );
}

/** Who was given up, and why. */
export async function failures(db: Db, { jobId, event }: Which): Promise<string[]> {
  const found = await db.unsafe(
    `select recipient || ': ' || error as reason from awx.notification
     where job_id = $1::bigint and event = $2::text and status = 'failed' order by id`,
    [jobId, event] as never[],
  );
  return found.map(({ reason }) => reason as string);
}

/** Write what became of a try. */
export async function writeOutcome(
  db: Db,
  id: number,
  status: Outcome["status"],
  error: string = "",
): Promise<void> {
  await db.unsafe(
    `update awx.notification set status = $2::text, error = $3::text, tries = tries + 1,
       finished = case when $2::text = 'pending' then null else clock_timestamp() end
     where id = $1::bigint`,
    [id, status, error] as never[],
  );
}
