/**
 * Launching: from a template to a pending job, with all that the template says now. The managers do the rest; whoever
 * launches tells them (`trigger`) in the same transaction.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { hostCount, type Inventory, inventoryById, inventorySourceById } from "./inventories.ts";
import { projectById } from "./projects.ts";
import { type Db, json, list, row } from "./rows.ts";
import { SYSTEM_JOBS } from "./system_jobs.ts";
import { jobTemplateById } from "./templates.ts";
import {
  isFinal,
  jobById,
  type JobKind,
  type LaunchType,
  type Spec,
  type TemplateKind,
  type UnifiedJob,
  unifiedJobSchema,
  type Variables,
} from "./unified_job.ts";
import { copyGraph, workflowTemplateById } from "./workflows.ts";

/** A template, whatever its kind. */
export interface TemplateRef {
  kind: TemplateKind;
  id: number;
}

/** What a launch may say besides the template. */
export interface LaunchOptions {
  launchType?: LaunchType;
  /** Over those of the template, name by name. */
  extraVars?: Variables;
  /** These three: instead of a job template's. */
  hostLimit?: string;
  jobTags?: string;
  inventoryId?: number;
  workflowJobId?: number;
  priority?: number;
  /** Of the dependency manager: already looked at. */
  dependenciesProcessed?: boolean;
}

interface Draft extends Partial<Pick<UnifiedJob, "project_id" | "inventory_id" | "inventory_source_id">> {
  kind: JobKind;
  name: string;
  template?: TemplateRef;
  spec?: Partial<Spec>;
  extra_vars?: Variables;
  credential_ids?: number[];
  instance_group_ids?: number[];
  allow_simultaneous?: boolean;
  priority?: number;
  preemptible?: boolean;
  resources?: Record<string, number>;
  timeout?: number;
  impact: number;
}

/** Ansible's own number of forks. */
const DEFAULT_FORKS = 5;
/** What has no dependencies needs no look at them. */
const MAY_DEPEND: readonly JobKind[] = ["job", "inventory_update"];

/**
 * Launch a template: a pending job, a copy of the workflow's graph with it.
 *
 * @throws {DispatcherError} `not_found`, `refused`.
 *
 * @example
 * ```ts ignore
 * const job = await client.transaction(async (tx, publish) => {
 *   const job = await launch(tx, { kind: "job_template", id: 7 }, { extraVars: { version: "1.2" } });
 *   await trigger(publish);
 *   return job;
 * });
 * ```
 */
export async function launch(
  db: Db,
  template: TemplateRef,
  options: LaunchOptions = {},
): Promise<UnifiedJob> {
  const draft = await DRAFTS[template.kind](db, template.id, options);
  const job = await insert(db, { template, ...draft }, options);
  if (template.kind === "workflow_template") await copyGraph(db, template.id, job.id);
  return job;
}

const DRAFTS: Readonly<Record<TemplateKind, (db: Db, id: number, options: LaunchOptions) => Promise<Draft>>> =
  {
    async job_template(db, id, { hostLimit, jobTags, inventoryId }) {
      const own = await jobTemplateById(db, id);
      const template = { ...own, inventory_id: inventoryId ?? own.inventory_id };
      if (template.inventory_id !== null) await usableInventory(db, template.inventory_id, template.name);
      const { kind, playbook, command, forks, skip_tags, verbosity } = template;
      const host_limit = hostLimit ?? template.host_limit;
      const job_tags = jobTags ?? template.job_tags;
      return {
        ...template,
        kind: "job",
        spec: { kind, playbook, command, forks, host_limit, job_tags, skip_tags, verbosity },
        impact: await forkImpact(db, template.inventory_id, forks),
      };
    },
    async project(db, id) {
      const { name, timeout, credential_id } = await projectById(db, id);
      return {
        kind: "project_update",
        name,
        project_id: id,
        timeout,
        credential_ids: one(credential_id),
        impact: 1,
      };
    },
    async inventory_source(db, id) {
      const source = await inventorySourceById(db, id);
      const inventory = await usableInventory(db, source.inventory_id, source.name);
      return {
        kind: "inventory_update",
        name: `${inventory.name}: ${source.name}`,
        project_id: source.kind === "project" ? source.project_id : null,
        inventory_id: inventory.id,
        inventory_source_id: id,
        timeout: source.timeout,
        credential_ids: one(source.credential_id),
        impact: 1,
      };
    },
    async workflow_template(db, id) {
      const { name, extra_vars, allow_simultaneous } = await workflowTemplateById(db, id);
      return { kind: "workflow_job", name, extra_vars, allow_simultaneous, impact: 0 };
    },
    system(_db, id) {
      const system = SYSTEM_JOBS.find((job) => job.id === id);
      if (!system) {
        throw new DispatcherError(
          "not_found",
          `Cannot find system job ${id}: there are ${
            SYSTEM_JOBS.map((job) => `${job.id} (${job.name})`).join(", ")
          }`,
        );
      }
      return Promise.resolve({
        kind: "system_job",
        name: system.name,
        spec: { system: system.name },
        impact: 5,
      });
    },
  };

/** A command of ansible's on the hosts of an inventory, without a template. */
export interface AdHocCommand {
  inventoryId: number;
  /** Such as `ping` or `shell`. */
  module: string;
  args?: string;
  hostLimit?: string;
  forks?: number;
  credentialIds?: number[];
  verbosity?: number;
}

/** Launch an ad hoc command. */
export async function launchAdHoc(
  db: Db,
  command: AdHocCommand,
  options: LaunchOptions = {},
): Promise<UnifiedJob> {
  const { inventoryId, module, args = "", hostLimit = "", forks = 0, verbosity = 0 } = command;
  const inventory = await usableInventory(db, inventoryId, module);
  return await insert(db, {
    kind: "ad_hoc_command",
    name: `${module}${args === "" ? "" : `: ${args.slice(0, 80)}`}`,
    inventory_id: inventory.id,
    spec: { module, module_args: args, host_limit: hostLimit, forks, verbosity },
    credential_ids: command.credentialIds,
    impact: await forkImpact(db, inventoryId, forks),
  }, options);
}

/**
 * Launch again what ran, as it was launched then.
 *
 * @param options.hostLimit Such as the failed hosts.
 * @throws {DispatcherError} `refused` while it is not final; `not_found`.
 */
export async function relaunch(db: Db, jobId: number, options: LaunchOptions = {}): Promise<UnifiedJob> {
  const job = await jobById(db, jobId);
  if (!isFinal(job.status)) {
    throw new DispatcherError("refused", `Cannot relaunch job ${jobId}: it is ${job.status}`);
  }
  const { hostLimit, ...rest } = options;
  const template = job.template_kind === null || job.template_id === null
    ? undefined
    : { kind: job.template_kind, id: job.template_id };
  const again = await insert(db, {
    ...job,
    template,
    spec: hostLimit === undefined ? job.spec : { ...job.spec, host_limit: hostLimit },
    impact: job.task_impact,
  }, { launchType: "relaunch", ...rest });
  if (template?.kind === "workflow_template") await copyGraph(db, template.id, again.id);
  return again;
}

async function insert(db: Db, draft: Draft, options: LaunchOptions): Promise<UnifiedJob> {
  const job = await row(
    db,
    unifiedJobSchema,
    `insert into awx.unified_job (kind, name, template_kind, template_id, project_id, inventory_id,
       inventory_source_id, launch_type, spec, extra_vars, credential_ids, instance_group_ids, allow_simultaneous,
       priority, preemptible, resources, timeout, task_impact, dependencies_processed, workflow_job_id)
     values ($1::text, $2::text, $3::text, $4::bigint, $5::bigint, $6::bigint, $7::bigint, $8::text,
       $9::text::jsonb, $10::text::jsonb, $11::text::bigint[], $12::text::bigint[], $13::boolean, $14::int,
       $15::boolean, $16::text::jsonb, $17::int, $18::int, $19::boolean, $20::bigint)
     returning *`,
    [
      draft.kind,
      draft.name,
      draft.template?.kind ?? null,
      draft.template?.id ?? null,
      draft.project_id ?? null,
      draft.inventory_id ?? null,
      draft.inventory_source_id ?? null,
      options.launchType ?? "manual",
      json(draft.spec ?? {}),
      json({ ...draft.extra_vars, ...options.extraVars }),
      list(draft.credential_ids ?? []),
      list(draft.instance_group_ids ?? []),
      draft.allow_simultaneous ?? false,
      options.priority ?? draft.priority ?? 0,
      draft.preemptible ?? false,
      json(draft.resources ?? {}),
      draft.timeout ?? 0,
      draft.impact,
      options.dependenciesProcessed ?? !MAY_DEPEND.includes(draft.kind),
      options.workflowJobId ?? null,
    ],
  );
  return job!;
}

/** An inventory that is not about to go. */
async function usableInventory(db: Db, id: number, name: string): Promise<Inventory> {
  const inventory = await inventoryById(db, id);
  if (!inventory.pending_deletion) return inventory;
  throw new DispatcherError(
    "refused",
    `Cannot launch "${name}": its inventory "${inventory.name}" is being deleted`,
  );
}

/** Forks of capacity that a run takes. */
async function forkImpact(db: Db, inventoryId: number | null, forks: number): Promise<number> {
  const hosts = inventoryId === null ? 0 : await hostCount(db, inventoryId);
  return Math.min(forks || DEFAULT_FORKS, Math.max(hosts, 1)) + 1;
}

function one(id: number | null): number[] {
  return id === null ? [] : [id];
}
