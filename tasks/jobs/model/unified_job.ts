/**
 * A unified job: one run of anything. Its row is the truth about it; who changes its status does it here.
 *
 * ```text
 *  pending ──► waiting ──► running ──► successful | failed | error | canceled
 *     │           └───────────┴── reaped ──► error
 *     └── canceled, or failed with the job that it depends on
 * ```
 *
 * @module
 */
import { z } from "zod";
import { type Db, json, notFound, row, rows } from "./rows.ts";

export const JOB_KINDS = [
  "job",
  "ad_hoc_command",
  "project_update",
  "inventory_update",
  "system_job",
  "workflow_job",
] as const;
export type JobKind = (typeof JOB_KINDS)[number];

export const STATUSES = [
  "pending",
  "waiting",
  "running",
  "successful",
  "failed",
  "error",
  "canceled",
] as const;
export type JobStatus = (typeof STATUSES)[number];
export const OPEN_STATUSES: readonly JobStatus[] = ["pending", "waiting", "running"];
export const FINAL_STATUSES = ["successful", "failed", "error", "canceled"] as const;
export type FinalStatus = (typeof FINAL_STATUSES)[number];

export const LAUNCH_TYPES = [
  "manual",
  "relaunch",
  "scheduled",
  "dependent",
  "workflow",
  "callback",
] as const;
export type LaunchType = (typeof LAUNCH_TYPES)[number];

export const TEMPLATE_KINDS = [
  "job_template",
  "project",
  "inventory_source",
  "workflow_template",
  "system",
] as const;
export type TemplateKind = (typeof TEMPLATE_KINDS)[number];

export const variables = z.record(z.string(), z.unknown());
export type Variables = z.infer<typeof variables>;

/** What the template said when it was launched. Which of them there are depends on the kind. */
export const specSchema = z.looseObject({
  /** kind job: how it runs. */
  kind: z.enum(["playbook", "command"]).optional(),
  playbook: z.string().optional(),
  command: z.array(z.string()).optional(),
  forks: z.int().min(0).default(0),
  host_limit: z.string().default(""),
  job_tags: z.string().default(""),
  skip_tags: z.string().default(""),
  verbosity: z.int().min(0).max(5).default(0),
  /** kind ad_hoc_command. */
  module: z.string().optional(),
  module_args: z.string().optional(),
  /** kind system_job. */
  system: z.string().optional(),
});
export type Spec = z.infer<typeof specSchema>;

export const unifiedJobSchema = z.object({
  id: z.int(),
  kind: z.enum(JOB_KINDS),
  name: z.string(),
  status: z.enum(STATUSES),
  template_kind: z.enum(TEMPLATE_KINDS).nullable(),
  template_id: z.int().nullable(),
  project_id: z.int().nullable(),
  inventory_id: z.int().nullable(),
  inventory_source_id: z.int().nullable(),
  launch_type: z.enum(LAUNCH_TYPES),
  spec: specSchema,
  extra_vars: variables,
  credential_ids: z.array(z.int()),
  instance_group_ids: z.array(z.int()),
  allow_simultaneous: z.boolean(),
  priority: z.int(),
  preemptible: z.boolean(),
  resources: z.record(z.string(), z.number()),
  timeout: z.int(),
  task_impact: z.int(),
  dependencies_processed: z.boolean(),
  depends_on: z.array(z.int()),
  created: z.string(),
  started: z.string().nullable(),
  finished: z.string().nullable(),
  elapsed: z.number(),
  task_uuid: z.string().nullable(),
  execution_node: z.string(),
  instance_group_id: z.int().nullable(),
  workflow_job_id: z.int().nullable(),
  cancel_flag: z.boolean(),
  exit_code: z.int().nullable(),
  scm_revision: z.string(),
  job_explanation: z.string(),
  artifacts: variables,
  host_status_counts: z.record(z.string(), z.number()).nullable(),
  emitted_events: z.int(),
  events_closed_at: z.string().nullable(),
});
/** A row of awx.unified_job; times are ISO. */
export type UnifiedJob = z.infer<typeof unifiedJobSchema>;

/** Whether nothing changes it any more. */
export function isFinal(status: JobStatus): status is FinalStatus {
  return !OPEN_STATUSES.includes(status);
}

/** @throws {DispatcherError} `not_found`. */
export async function jobById(db: Db, id: number): Promise<UnifiedJob> {
  const found = await row(db, unifiedJobSchema, "select * from awx.unified_job where id = $1::bigint", [id]);
  if (!found) throw notFound("job", id);
  return found;
}

/** Which jobs; all that is given must hold. */
export interface JobFilter {
  status?: readonly JobStatus[];
  kind?: readonly JobKind[];
  /** Older than this one. */
  before?: number;
  workflowJobId?: number;
  template?: { kind: TemplateKind; id: number };
  limit?: number;
}

/** Jobs, the latest first. */
export async function listJobs(db: Db, filter: JobFilter = {}): Promise<UnifiedJob[]> {
  const { status, kind, before, workflowJobId, template, limit = 100 } = filter;
  return await rows(
    db,
    unifiedJobSchema,
    `select * from awx.unified_job
     where ($1::text is null or status = any(string_to_array($1::text, ',')))
       and ($2::text is null or kind = any(string_to_array($2::text, ',')))
       and ($3::bigint is null or id < $3::bigint)
       and ($4::bigint is null or workflow_job_id = $4::bigint)
       and ($5::text is null or (template_kind = $5::text and template_id = $6::bigint))
     order by id desc limit $7::int`,
    [
      status?.join(",") ?? null,
      kind?.join(",") ?? null,
      before ?? null,
      workflowJobId ?? null,
      template?.kind ?? null,
      template?.id ?? null,
      limit,
    ],
  );
}

/**
 * Take a waiting job into work: waiting becomes running, for the envelope that it was started with and for no other.
 * Undefined when somebody was quicker: it was canceled, reaped, or another attempt has it.
 */
export async function begin(
  db: Db,
  { jobId, taskUuid, node }: { jobId: number; taskUuid: string; node: string },
): Promise<UnifiedJob | undefined> {
  return await row(
    db,
    unifiedJobSchema,
    `update awx.unified_job set status = 'running', started = clock_timestamp(), execution_node = $3::text
     where id = $1::bigint and status = 'waiting' and task_uuid = $2::uuid and not cancel_flag
     returning *`,
    [jobId, taskUuid, node],
  );
}

/** How a job ended. */
export interface Ending {
  jobId: number;
  /** The envelope that ran it, null for what has none. A verdict for another one changes nothing. */
  taskUuid: string | null;
  status: FinalStatus;
  explanation?: string;
  exitCode?: number | null;
  scmRevision?: string;
  artifacts?: Variables;
  /** No event will follow, and nobody writes an EOF: of a job that was reaped, or has no events. */
  closesEvents?: boolean;
}

/**
 * Write a verdict. Only an open job takes one (pending ones too where there is no envelope), so one that was reaped
 * keeps what the reaper said. Undefined when nothing was changed. See `endings.ts` for what follows from it.
 */
export async function writeEnding(db: Db, ending: Ending): Promise<UnifiedJob | undefined> {
  return await row(
    db,
    unifiedJobSchema,
    `update awx.unified_job set
       status = $3::text,
       job_explanation = coalesce($4::text, job_explanation),
       exit_code = coalesce($5::int, exit_code),
       scm_revision = coalesce($6::text, scm_revision),
       artifacts = coalesce($7::text::jsonb, artifacts),
       finished = clock_timestamp(),
       elapsed = coalesce(extract(epoch from clock_timestamp() - started), 0)::float8,
       events_closed_at = case when $8::boolean then coalesce(events_closed_at, clock_timestamp())
                          else events_closed_at end
     where id = $1::bigint and task_uuid is not distinct from $2::uuid
       and status in ('waiting', 'running', 'pending')
     returning *`,
    [
      ending.jobId,
      ending.taskUuid,
      ending.status,
      ending.explanation ?? null,
      ending.exitCode ?? null,
      ending.scmRevision ?? null,
      ending.artifacts === undefined ? null : json(ending.artifacts),
      ending.closesEvents ?? false,
    ],
  );
}
