/**
 * A database with the control plane's tables, a node, and jobs started on it as the task manager would: what the tests
 * of real runs begin with.
 *
 * @module
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, type Runtime, tempDir, type TestContext } from "../../harness.ts";
import { type NodeProcess, startNode } from "../../processes.ts";
import { launch, type LaunchOptions, type TemplateRef } from "../../../tasks/jobs/model/launch.ts";
import { seal } from "../../../tasks/jobs/model/secrets.ts";
import { writeSetting } from "../../../tasks/jobs/model/settings.ts";
import { isFinal, jobById, type JobKind, type UnifiedJob } from "../../../tasks/jobs/model/unified_job.ts";
import { type AwxDatabase, awxDatabase } from "../database.ts";

const TASKS: Record<Exclude<JobKind, "workflow_job">, string> = {
  job: "jobs/RunJob",
  ad_hoc_command: "jobs/RunAdHocCommand",
  project_update: "jobs/RunProjectUpdate",
  inventory_update: "jobs/RunInventoryUpdate",
  system_job: "jobs/RunSystemJob",
};
const NODE = "n1";

/** An event as the tests look at it. */
export interface SeenEvent {
  counter: number;
  event: string;
  uuid: string;
  host: string;
  task: string;
  failed: boolean;
  stdout: string;
  start_line: number;
  end_line: number;
  event_data: Record<string, unknown>;
}

export interface Site extends AwxDatabase {
  readonly dir: string;
  readonly node: NodeProcess;
  /** Start another node of that name, or the first once more. */
  start(name?: string): Promise<NodeProcess>;
  /** Insert a row into a table of awx; gives its id. */
  insert(table: string, values: Record<string, unknown>): Promise<number>;
  credential(kind: string, inputs: Record<string, string>): Promise<number>;
  /** A directory of this machine with a playbook in it, as a project; gives its id. */
  project(files: Record<string, string>): Promise<number>;
  /** Launch a template and start its job. */
  run(template: TemplateRef, options?: LaunchOptions): Promise<number>;
  /** Do what the task manager does with a pending job. */
  startJob(jobId: number, node?: string): Promise<string>;
  job(id: number): Promise<UnifiedJob>;
  /** Wait for its end, and that its envelope has ended too. */
  ended(id: number, within?: number): Promise<UnifiedJob>;
  events(id: number): Promise<SeenEvent[]>;
  /** What it has printed. */
  stdout(id: number): Promise<string>;
  /** Private directories that are left. */
  privateDirs(): string[];
}

/** Make one. */
export async function site(
  t: TestContext,
  { runtime, config = {} }: { runtime?: Runtime; config?: Record<string, unknown> } = {},
): Promise<Site> {
  const own = await awxDatabase(t);
  const { url, client, sql } = own;
  const dir = tempDir();
  const jobs = join(dir, "jobs");
  await writeSetting(sql, "JOB_ROOT", jobs);
  await writeSetting(sql, "PROJECTS_ROOT", join(dir, "projects"));
  const configFile = join(dir, "config.json");
  writeFileSync(configFile, JSON.stringify(config));
  const start = async (name = NODE) => {
    const node = await startNode({
      url,
      runtime,
      args: ["--node", name, "--workers", "2", "--config", configFile],
    });
    t.after(async () => {
      node.kill("SIGTERM");
      node.kill("SIGKILL");
      await node.exited;
    });
    return node;
  };
  const node = await start();
  const insert: Site["insert"] = async (table, values) => {
    const names = Object.keys(values);
    const text = `insert into awx.${table} (${names}) select ${names}
      from jsonb_populate_record(null::awx.${table}, $1::text::jsonb) returning id::int`;
    const [{ id }] = await sql.unsafe(text, [JSON.stringify(values)]);
    return id;
  };
  const startJob: Site["startJob"] = async (jobId, name = NODE) => {
    const taskUuid = randomUUID();
    await client.transaction(async (tx, publish) => {
      const [{ kind }] = await tx.unsafe(
        `update awx.unified_job set status = 'waiting', execution_node = $2::text, task_uuid = $3::uuid
         where id = $1::bigint and status = 'pending' returning kind`,
        [jobId, name, taskUuid],
      );
      await publish(TASKS[kind as keyof typeof TASKS], [jobId], { uuid: taskUuid, queue: name });
    });
    return taskUuid;
  };
  const events = async (id: number) =>
    [
      ...await sql.unsafe(
        `select counter, event, uuid, host, task, failed, stdout, start_line, end_line, event_data
       from awx.job_event where job_id = $1::bigint order by counter`,
        [id],
      ),
    ] as unknown as SeenEvent[];
  const site: Site = {
    ...own,
    dir,
    node,
    start,
    insert,
    startJob,
    events,
    async credential(kind, inputs) {
      const id = await insert("credential", {
        name: `${kind} ${randomUUID()}`,
        kind,
        inputs: "",
        modified: new Date(),
      });
      await sql.unsafe("update awx.credential set inputs = $2::text where id = $1::bigint", [
        id,
        seal(inputs, `credential:${id}`),
      ]);
      return id;
    },
    async project(files) {
      const name = `project ${randomUUID()}`;
      const local = join(dir, name.replace(" ", "_"));
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(join(local, path, ".."), { recursive: true });
        writeFileSync(join(local, path), text);
      }
      return await projectRow(site, { name, local_path: local });
    },
    async run(template, options) {
      const { id } = await launch(sql, template, options);
      await startJob(id);
      return id;
    },
    job: (id) => jobById(sql, id),
    async ended(id, within = 60_000) {
      return await eventually(async () => {
        const job = await jobById(sql, id);
        const [envelope] = await client.find(job.task_uuid!);
        const state =
          `job ${id} is ${job.status}, its envelope ${envelope?.state}: ${envelope?.error?.message}`;
        assert.ok(isFinal(job.status) && /completed|cancelled|discarded/.test(envelope?.state ?? ""), state);
        return job;
      }, { within, every: 30 }) as UnifiedJob;
    },
    stdout: async (id) => (await events(id)).map(({ stdout }) => stdout).join(""),
    privateDirs: () => {
      try {
        return readdirSync(jobs);
      } catch {
        return [];
      }
    },
  };
  return site;
}

/** A project's row; what is not given is as the table has it. */
export async function projectRow(
  { insert }: Pick<Site, "insert">,
  values: Record<string, unknown>,
): Promise<number> {
  return await insert("project", {
    scm_type: "",
    scm_url: "",
    scm_branch: "",
    scm_clean: false,
    scm_revision: "",
    local_path: "",
    update_on_launch: false,
    update_cache_timeout: 0,
    timeout: 0,
    created: new Date(),
    ...values,
  });
}

let templates = 0;

/** A job template; what is not given is as the table has it. */
export async function template(
  { insert }: Pick<Site, "insert">,
  values: Record<string, unknown>,
): Promise<TemplateRef> {
  const id = await insert("job_template", {
    name: `template ${++templates}`,
    kind: "command",
    playbook: "",
    command: [],
    forks: 0,
    host_limit: "",
    job_tags: "",
    skip_tags: "",
    verbosity: 0,
    extra_vars: {},
    timeout: 0,
    allow_simultaneous: false,
    priority: 0,
    preemptible: false,
    resources: {},
    credential_ids: [],
    instance_group_ids: [],
    ...values,
  });
  return { kind: "job_template", id };
}

/** An inventory with these hosts, each reached without a network; gives its id. */
export async function inventory(
  { insert, sql }: Site,
  hosts: Record<string, Record<string, unknown>>,
): Promise<number> {
  const id = await insert("inventory", {
    name: `inventory ${randomUUID()}`,
    variables: {},
    pending_deletion: false,
  });
  await sql.unsafe(
    `insert into awx.host (inventory_id, name, variables)
     select $1::bigint, key, value from jsonb_each($2::text::jsonb)`,
    [id, JSON.stringify(hosts)],
  );
  return id;
}
