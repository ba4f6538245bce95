/**
 * What jobs are made of: templates, projects, inventories, schedules, notification templates. Secrets are not read.
 *
 * @module
 */
import { z } from "zod";
import { type Db, rows } from "../../jobs/model/rows.ts";
import { STATUSES } from "../../jobs/model/unified_job.ts";

/** Of each list; there are commands for all of them. */
export const MOST = 200;
const status = z.enum(STATUSES).nullable();
const last = { last_id: z.int().nullable(), last_status: status, last_finished: z.string().nullable() };

/** The last job of a template, as columns. */
const lastOf = (kind: string, id: string) =>
  `left join lateral (select id, status, finished from awx.unified_job
     where template_kind = '${kind}' and template_id = ${id} order by id desc limit 1) last on true`;
const LAST = "last.id as last_id, last.status as last_status, last.finished as last_finished";

const templateSchema = z.object({
  id: z.int(),
  name: z.string(),
  kind: z.string(),
  what: z.string(),
  project: z.string().nullable(),
  inventory: z.string().nullable(),
  ...last,
});
export type TemplateLine = z.infer<typeof templateSchema>;

/** Job templates by name. */
export async function templateLines(db: Db, most: number = MOST): Promise<TemplateLine[]> {
  return await rows(
    db,
    templateSchema,
    `select t.id, t.name, t.kind, case t.kind when 'playbook' then t.playbook
         else left(array_to_string(t.command, ' '), 200) end as what,
       p.name as project, i.name as inventory, ${LAST}
     from (select * from awx.job_template order by name limit $1::int) t
     left join awx.project p on p.id = t.project_id left join awx.inventory i on i.id = t.inventory_id
     ${lastOf("job_template", "t.id")} order by t.name`,
    [most],
  );
}

const projectSchema = z.object({
  id: z.int(),
  name: z.string(),
  scm_type: z.string(),
  place: z.string(),
  scm_branch: z.string(),
  scm_revision: z.string(),
  update_on_launch: z.boolean(),
  ...last,
});
export type ProjectLine = z.infer<typeof projectSchema>;

/** Projects by name. */
export async function projectLines(db: Db): Promise<ProjectLine[]> {
  return await rows(
    db,
    projectSchema,
    `select p.id, p.name, p.scm_type, case p.scm_type when 'git' then p.scm_url else p.local_path end as place,
       p.scm_branch, p.scm_revision, p.update_on_launch, ${LAST}
     from (select * from awx.project order by name limit ${MOST}) p ${
      lastOf("project", "p.id")
    } order by p.name`,
  );
}

const inventorySchema = z.object({
  id: z.int(),
  name: z.string(),
  hosts: z.int(),
  groups: z.int(),
  pending_deletion: z.boolean(),
  sources: z.array(z.object({
    id: z.int(),
    name: z.string(),
    kind: z.string(),
    ...last,
  })),
});
export type InventoryLine = z.infer<typeof inventorySchema>;

/** Inventories by name, with their sources; hosts and groups up to 10,000 and one more. */
export async function inventoryLines(db: Db): Promise<InventoryLine[]> {
  return await rows(
    db,
    inventorySchema,
    `select i.id, i.name, i.pending_deletion,
       (select count(*) from (select from awx.host h where h.inventory_id = i.id limit 10001) one)::int as hosts,
       (select count(*) from (select from awx.host_group g where g.inventory_id = i.id limit 10001) one)::int as groups,
       coalesce((select jsonb_agg(to_jsonb(one) order by one.name) from (
         select s.id, s.name, s.kind, ${LAST} from awx.inventory_source s ${
      lastOf("inventory_source", "s.id")
    }
         where s.inventory_id = i.id) one), '[]') as sources
     from (select * from awx.inventory order by name limit ${MOST}) i order by i.name`,
  );
}

const scheduleSchema = z.object({
  id: z.int(),
  name: z.string(),
  rrule: z.string(),
  template_kind: z.string(),
  template_id: z.int(),
  template: z.string().nullable(),
  enabled: z.boolean(),
  next_run: z.string().nullable(),
  last_run: z.string().nullable(),
});
export type ScheduleLine = z.infer<typeof scheduleSchema>;

/** Schedules, the next to run first. */
export async function scheduleLines(db: Db): Promise<ScheduleLine[]> {
  return await rows(
    db,
    scheduleSchema,
    `select s.id, s.name, s.rrule, s.template_kind, s.template_id, s.enabled, s.next_run, s.last_run,
       case s.template_kind
         when 'job_template' then (select name from awx.job_template where id = s.template_id)
         when 'workflow_template' then (select name from awx.workflow_template where id = s.template_id)
         when 'project' then (select name from awx.project where id = s.template_id)
         when 'inventory_source' then (select name from awx.inventory_source where id = s.template_id) end as template
     from awx.schedule s order by s.enabled desc, s.next_run nulls last, s.name limit ${MOST}`,
  );
}

const notificationSchema = z.object({
  id: z.int(),
  name: z.string(),
  kind: z.string(),
  attachments: z.int(),
  sent: z.int(),
  failed: z.int(),
  last: z.string().nullable(),
  last_error: z.string().nullable(),
});
export type NotificationLine = z.infer<typeof notificationSchema>;

/** Notification templates by name, with what became of the last 100 of each. */
export async function notificationLines(db: Db): Promise<NotificationLine[]> {
  return await rows(
    db,
    notificationSchema,
    `select t.id, t.name, t.kind,
       (select count(*) from awx.notification_attachment a where a.notification_template_id = t.id)::int as attachments,
       count(*) filter (where n.status = 'successful')::int as sent,
       count(*) filter (where n.status = 'failed')::int as failed, max(n.created) as last,
       left((array_agg(n.error order by n.id desc) filter (where n.status = 'failed'))[1], 200) as last_error
     from (select id, name, kind from awx.notification_template order by name limit ${MOST}) t
     left join lateral (select * from awx.notification one where one.notification_template_id = t.id
       order by one.job_id desc limit 100) n on true
     group by t.id, t.name, t.kind order by t.name`,
  );
}
