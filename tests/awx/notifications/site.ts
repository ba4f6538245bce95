/**
 * A job that ended, and who is to hear of it.
 *
 * @module
 */
import { seal } from "../../../tasks/jobs/model/secrets.ts";
import { jobById, type UnifiedJob } from "../../../tasks/jobs/model/unified_job.ts";
import { deliver, type Delivered } from "../../../tasks/notifications/deliver.ts";
import type { NotificationKind } from "../../../tasks/notifications/configuration.ts";
import type { AwxDatabase } from "../database.ts";

/** A job of template 1 that failed. */
export async function failedJob({ sql }: AwxDatabase): Promise<UnifiedJob> {
  const [{ id }] = await sql.unsafe(
    `insert into awx.unified_job (kind, name, status, template_kind, template_id, job_explanation, started, finished,
       elapsed, execution_node, host_status_counts, dependencies_processed)
     values ('job', 'deploy <web> & more', 'failed', 'job_template', 1, 'web1 did not answer',
       '2026-01-01T10:00Z', '2026-01-01T10:01Z', 60, 'n1', '{"ok": 3, "failures": 1, "dark": 0}', true)
     returning id::int`,
  );
  return await jobById(sql, id);
}

/** Make a notification template, and attach it to the failures of template 1, or to something else. */
export async function attach(
  { sql }: AwxDatabase,
  kind: NotificationKind,
  config: Record<string, unknown>,
  { to = "job_template", id = 1, event = "error" }: { to?: string; id?: number; event?: string } = {},
): Promise<number> {
  const [{ template }] = await sql.unsafe(
    `insert into awx.notification_template (name, kind, configuration)
     values ('n' || gen_random_uuid(), $1::text, '') returning id::int template`,
    [kind],
  );
  await sql.unsafe("update awx.notification_template set configuration = $2::text where id = $1::bigint", [
    template,
    seal(config, `notification_template:${template}`),
  ]);
  await sql.unsafe(
    "insert into awx.notification_attachment values ($1::bigint, $2::text, $3::bigint, $4::text)",
    [template, to, id, event],
  );
  return template;
}

/** One try. */
export async function tell(
  { sql }: AwxDatabase,
  job: UnifiedJob,
  { last = false, signal = new AbortController().signal }: { last?: boolean; signal?: AbortSignal } = {},
): Promise<Delivered> {
  const told = { job, event: "error", baseUrl: "https://dispatcher.example.com/" } as const;
  return await deliver(sql, told, { last, signal });
}

/** What became of each recipient, by name. */
export async function outcomes(
  { sql }: AwxDatabase,
): Promise<Record<string, { status: string; tries: number; error: string }>> {
  const rows = await sql.unsafe("select recipient, status, tries, error from awx.notification order by id");
  return Object.fromEntries(
    rows.map(({ recipient, status, tries, error }) => [recipient, { status, tries, error }]),
  );
}
