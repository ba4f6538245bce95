/**
 * Notification templates: where it is told what became of a job. What they hold is sealed, as passwords are in it.
 *
 * @module
 */
import { z } from "zod";
import { NOTIFICATION_EVENTS } from "./notify.ts";
import { type Db, notFound, row, rows } from "./rows.ts";
import { inWords } from "./said.ts";
import { seal } from "./secrets.ts";
import { checked, nameSchema, quoted, type Table } from "./table.ts";
import { notificationConfig, type NotificationKind } from "../../notifications/configuration.ts";
import { mustBeThere } from "./there.ts";
import { TEMPLATE_KINDS } from "./unified_job.ts";
import type { TemplateRef } from "./launch.ts";

export const NOTIFICATION_KINDS = Object.keys(notificationConfig) as NotificationKind[];

export const notificationTemplateSchema = z.object({
  id: z.int(),
  name: z.string(),
  kind: z.enum(["email", "slack", "webhook"]),
});
/** A notification template without what it holds. */
export type NotificationTemplate = z.infer<typeof notificationTemplateSchema>;

/** For finding and deleting; see `table.ts`. */
export const NOTIFICATION_TEMPLATES: Table<NotificationTemplate> = {
  kind: "notification_template",
  noun: "notification template",
  row: notificationTemplateSchema,
  input: z.strictObject({ name: nameSchema }),
};

const draftSchema = z.strictObject({
  name: nameSchema,
  kind: notificationTemplateSchema.shape.kind,
  configuration: z.record(z.string(), z.unknown()),
});

/**
 * Make a notification template. Call it in a transaction: it is sealed for its id, which the first statement gives.
 *
 * @throws {DispatcherError} `usage`, naming the field and never the value; `refused` for a name that is taken.
 */
export async function createNotificationTemplate(db: Db, draft: unknown): Promise<NotificationTemplate> {
  const what = `create notification template ${quoted((draft as { name?: unknown })?.name)}`;
  const { name, kind, configuration } = checked(draftSchema, draft, what, true);
  const known = configurationOf(kind, configuration, what);
  const made = await inWords(what, {}, () =>
    row(
      db,
      notificationTemplateSchema,
      `insert into awx.notification_template (name, kind, configuration)
       values ($1::text, $2::text, '') returning *`,
      [name, kind],
    ));
  await write(db, made!.id, known);
  return made!;
}

/** Replace what a template holds. @throws {DispatcherError} `not_found`, `usage`. */
export async function configureNotificationTemplate(
  db: Db,
  id: number,
  configuration: unknown,
): Promise<NotificationTemplate> {
  const text = "select * from awx.notification_template where id = $1::bigint for update";
  const template = await row(db, notificationTemplateSchema, text, [id]);
  if (!template) throw notFound("notification template", id);
  const what = `update notification template ${quoted(template.name)}`;
  await write(db, id, configurationOf(template.kind, configuration, what));
  return template;
}

const attachmentSchema = z.object({
  notification_template_id: z.int(),
  template_kind: z.enum(TEMPLATE_KINDS),
  template_id: z.int(),
  event: z.enum(NOTIFICATION_EVENTS),
});
/** That a notification template tells of an event of a template's jobs. */
export type Attachment = z.infer<typeof attachmentSchema>;

/** Attachments of one notification template, or all. */
export async function listAttachments(db: Db, id?: number): Promise<Attachment[]> {
  return await rows(
    db,
    attachmentSchema,
    `select * from awx.notification_attachment
     where $1::bigint is null or notification_template_id = $1::bigint
     order by notification_template_id, template_kind, template_id, event`,
    [id ?? null],
  );
}

/**
 * Have it told by a notification template when something becomes of a template's jobs. Call it in a transaction.
 *
 * @throws {DispatcherError} `usage` for an event that there is not, and for a template that is not there.
 */
export async function attach(
  db: Db,
  notification: NotificationTemplate,
  { kind, id }: TemplateRef,
  events: readonly string[],
): Promise<void> {
  const what = `attach notification template ${quoted(notification.name)}`;
  const known = checked(z.array(z.enum(NOTIFICATION_EVENTS)).min(1, "no event is named"), events, what);
  await mustBeThere(db, { kind, id }, what);
  await db.unsafe(
    `insert into awx.notification_attachment (notification_template_id, template_kind, template_id, event)
     select $1::bigint, $2::text, $3::bigint, unnest(string_to_array($4::text, ',')) on conflict do nothing`,
    [notification.id, kind, id, known.join(",")] as never[],
  );
}

/** Have it told no more. */
export async function detachFrom(
  db: Db,
  notification: NotificationTemplate,
  { kind, id }: TemplateRef,
  events: readonly string[] = NOTIFICATION_EVENTS,
): Promise<void> {
  await db.unsafe(
    `delete from awx.notification_attachment where notification_template_id = $1::bigint
     and template_kind = $2::text and template_id = $3::bigint and event = any(string_to_array($4::text, ','))`,
    [notification.id, kind, id, events.join(",")] as never[],
  );
}

function configurationOf(kind: NotificationKind, given: unknown, what: string): unknown {
  return checked(notificationConfig[kind] as z.ZodType, given, what, true);
}

async function write(db: Db, id: number, configuration: unknown): Promise<void> {
  await db.unsafe("update awx.notification_template set configuration = $2::text where id = $1::bigint", [
    id,
    seal(configuration, `notification_template:${id}`),
  ] as never[]);
}
