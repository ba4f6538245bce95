/**
 * What stands around one job: names of what it was made of, the jobs that it waits for, and those that wait for it.
 *
 * @module
 */
import { COUNT_CAP } from "edge-dispatcher/view";
import { z } from "zod";
import { type Db, row, rows } from "../../jobs/model/rows.ts";
import type { UnifiedJob } from "../../jobs/model/unified_job.ts";
import { jobLineSchema, LINE } from "./jobs.ts";

const labelSchema = z.object({
  template: z.string().nullable(),
  project: z.string().nullable(),
  inventory: z.string().nullable(),
  instance_group: z.string().nullable(),
  workflow: z.string().nullable(),
  credentials: z.array(z.string()),
  /** Events that could not be written. */
  set_aside: z.int(),
});
export type Labels = z.infer<typeof labelSchema>;

/** The names that a job's ids stand for; null where what they stood for is gone. */
export async function labelsOf(db: Db, job: UnifiedJob): Promise<Labels> {
  const found = await row(
    db,
    labelSchema,
    `select case $1::text
         when 'job_template' then (select name from awx.job_template where id = $2::bigint)
         when 'workflow_template' then (select name from awx.workflow_template where id = $2::bigint)
         when 'project' then (select name from awx.project where id = $2::bigint)
         when 'inventory_source' then (select name from awx.inventory_source where id = $2::bigint) end as template,
       (select name from awx.project where id = $3::bigint) as project,
       (select name from awx.inventory where id = $4::bigint) as inventory,
       (select name from awx.instance_group where id = $5::bigint) as instance_group,
       (select name from awx.unified_job where id = $6::bigint) as workflow,
       array(select name from awx.credential where id = any($7::text::bigint[]) order by name) as credentials,
       (select count(*) from (select from awx.job_event_set_aside where job_id = $8::bigint limit ${
      COUNT_CAP + 1
    }) e
       )::int as set_aside`,
    [
      job.template_kind,
      job.template_id,
      job.project_id,
      job.inventory_id,
      job.instance_group_id,
      job.workflow_job_id,
      `{${job.credential_ids.join(",")}}`,
      job.id,
    ],
  );
  return found!;
}

const relatedSchema = jobLineSchema.extend({ relation: z.enum(["dependency", "dependent", "blocker"]) });
export type Related = z.infer<typeof relatedSchema>;
/** Of each relation. */
const MOST = 20;

/** Of these only one runs at a time, unless the template says otherwise. */
const ALONE_BY_TEMPLATE: readonly UnifiedJob["kind"][] = ["job", "workflow_job"];

/**
 * Its dependencies, its dependents, and what may block it while it is pending: what is of the same and was first, where
 * only one of them may run.
 */
export async function relatedJobs(db: Db, job: UnifiedJob): Promise<Related[]> {
  const { id, kind, status, depends_on, template_kind, template_id, project_id, inventory_source_id } = job;
  const isFree = job.allow_simultaneous && ALONE_BY_TEMPLATE.includes(kind);
  return await rows(
    db,
    relatedSchema,
    `select ${LINE}, 'dependency' as relation from awx.unified_job j
       where j.id = any($2::text::bigint[])
     union all
     (select ${LINE}, 'dependent' from awx.unified_job j
       where j.depends_on @> array[$1::bigint] and j.depends_on <> '{}' order by j.id desc limit ${MOST})
     union all
     (select ${LINE}, 'blocker' from awx.unified_job j
       where $8::boolean and j.status in ('pending', 'waiting', 'running') and j.kind = $3::text
         and j.id <> $1::bigint and (j.status <> 'pending' or j.id < $1::bigint)
         and case j.kind
           when 'project_update' then j.project_id = $6::bigint
           when 'inventory_update' then j.inventory_source_id = $7::bigint
           when 'system_job' then true
           when 'ad_hoc_command' then false
           else not j.allow_simultaneous and j.template_kind = $4::text and j.template_id = $5::bigint end
       order by j.created, j.id limit ${MOST})`,
    [
      id,
      `{${depends_on.slice(0, MOST).join(",")}}`,
      kind,
      template_kind,
      template_id,
      project_id,
      inventory_source_id,
      status === "pending" && !isFree,
    ],
  );
}
