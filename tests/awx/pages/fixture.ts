/**
 * A control plane with something of everything, written by SQL: nothing is run.
 *
 * @module
 */
import type { Database } from "../../../mod.ts";

/** Ids of what a test looks at. */
export interface Plant {
  template: number;
  /** "nightly deploy", which is on. */
  schedule: number;
  workflowTemplate: number;
  project: number;
  source: number;
  running: number;
  failed: number;
  successful: number;
  pending: number;
  update: number;
  workflow: number;
}

const RUN_UUID = "0199a2b4-0000-7000-8000-0000000000aa";
const HOSTS = ["web1", "web2", "web3", "db1", "cache1"];

async function one(sql: Database, text: string, params: unknown[] = []): Promise<number> {
  const [{ id }] = await sql.unsafe(text, params as never[]);
  return Number(id);
}

/** Fill the tables. */
export async function plant(sql: Database): Promise<Plant> {
  const project = await one(
    sql,
    `insert into awx.project (name, scm_type, scm_url, scm_branch, scm_revision, update_on_launch)
     values ('site', 'git', 'https://ada:hunter2@git.example/site.git', 'main', '4f9c1f2a77e0b1d2', true) returning id`,
  );
  const inventory = await one(sql, "insert into awx.inventory (name) values ('production') returning id");
  await sql.unsafe(
    "insert into awx.host (inventory_id, name) select $1::bigint, unnest($2::text::text[])",
    [inventory, `{${HOSTS.join(",")}}`] as never[],
  );
  const source = await one(
    sql,
    `insert into awx.inventory_source (inventory_id, name, kind, project_id)
     values ($1::bigint, 'from the project', 'project', $2::bigint) returning id`,
    [inventory, project],
  );
  const template = await one(
    sql,
    `insert into awx.job_template (name, kind, project_id, playbook, inventory_id, forks, extra_vars)
     values ('deploy site', 'playbook', $1::bigint, 'deploy.yml', $2::bigint, 10,
       '{"version": "1.2", "db_password": "hunter2"}') returning id`,
    [project, inventory],
  );
  await sql.unsafe(
    `insert into awx.job_template (name, kind, command) values ('rotate logs', 'command', '{logrotate,-f,/etc/logrotate.conf}')`,
  );
  await instances(sql);
  const schedule = await others(sql, template);
  const jobs = await planted(sql, { project, inventory, source, template });
  const { workflowTemplate, workflow } = await workflowOf(sql, template, project, source);
  return { template, schedule, workflowTemplate, project, source, workflow, ...jobs };
}

async function instances(sql: Database): Promise<void> {
  await sql.unsafe(
    `insert into awx.instance (hostname, cpu, memory_mb, cpu_capacity, mem_capacity, capacity, version, last_seen, errors)
     values ('alpha', 8, 16384, 32, 143, 143, '0.1.0', clock_timestamp(), ''),
       ('beta', 4, 8192, 16, 61, 61, '0.1.0', clock_timestamp(), ''),
       ('gamma', 4, 8192, 16, 61, 0, '0.1.0', clock_timestamp() - interval '20 minutes',
         'It has not been heard for 20 min')`,
  );
  await sql.unsafe(
    `insert into awx.instance_group (name, max_concurrent_jobs, max_forks) values ('edge', 4, 40);
     insert into awx.instance_group_member select id, 'beta' from awx.instance_group where name = 'edge'`,
  );
}

async function others(sql: Database, template: number): Promise<number> {
  const schedule = await one(
    sql,
    `insert into awx.schedule (name, rrule, template_kind, template_id, next_run, last_run)
     values ('nightly deploy', 'DTSTART:20260101T020000Z RRULE:FREQ=DAILY', 'job_template', $1::bigint,
       clock_timestamp() + interval '5 hours', clock_timestamp() - interval '19 hours'),
       ('weekly', 'DTSTART:20260101T020000Z RRULE:FREQ=WEEKLY', 'job_template', $1::bigint, null, null)
     returning id`,
    [template],
  );
  await sql.unsafe(
    `update awx.schedule set enabled = false where name = 'weekly';
     insert into awx.notification_template (name, kind, configuration)
     values ('operators', 'email', 'sealed-secret'), ('channel', 'slack', 'sealed-secret');
     insert into awx.notification_attachment select id, 'job_template', 1, 'error' from awx.notification_template`,
  );
  return schedule;
}

interface Made {
  project: number;
  inventory: number;
  source: number;
  template: number;
}

async function planted(sql: Database, { project, inventory, source, template }: Made) {
  const columns =
    `kind, name, template_kind, template_id, project_id, inventory_id, spec, extra_vars, task_impact,
    dependencies_processed`;
  const job = `'job', 'deploy site', 'job_template', ${template}, ${project}, ${inventory},
    '{"kind": "playbook", "playbook": "deploy.yml", "forks": 10, "host_limit": "web*"}',
    '{"version": "1.2", "db_password": "hunter2"}', 6, true`;
  const successful = await one(
    sql,
    `insert into awx.unified_job (${columns}, status, created, started, finished, elapsed, execution_node, exit_code,
       host_status_counts, artifacts, emitted_events, events_closed_at, launch_type)
     values (${job}, 'successful', clock_timestamp() - interval '2 hours', clock_timestamp() - interval '119 minutes',
       clock_timestamp() - interval '117 minutes', 121.4, 'alpha', 0, '{"ok": 4, "changed": 1}',
       '{"build": 77, "api_token": "hunter2"}', 40, clock_timestamp(), 'scheduled') returning id`,
  );
  const failed = await one(
    sql,
    `insert into awx.unified_job (${columns}, status, created, started, finished, elapsed, execution_node, exit_code,
       host_status_counts, job_explanation, emitted_events, events_closed_at)
     values (${job}, 'failed', clock_timestamp() - interval '14 minutes', clock_timestamp() - interval '13 minutes',
       clock_timestamp() - interval '12 minutes', 48.2, 'alpha', 2,
       '{"ok": 2, "changed": 1, "failures": 1, "dark": 1}', '', 24, clock_timestamp()) returning id`,
  );
  await sql.unsafe(
    `insert into awx.unified_job (${columns}, status, created, started, finished, elapsed, execution_node,
       job_explanation, events_closed_at)
     values (${job}, 'error', clock_timestamp() - interval '40 minutes', clock_timestamp() - interval '39 minutes',
       clock_timestamp() - interval '30 minutes', 540, 'gamma',
       'Node gamma has not been heard since 20 minutes: its jobs were reaped', clock_timestamp()),
      (${job}, 'canceled', clock_timestamp() - interval '3 hours', null, clock_timestamp() - interval '3 hours', 0, '',
       'Canceled by an operator', clock_timestamp())`,
  );
  const update = await one(
    sql,
    `insert into awx.unified_job (kind, name, template_kind, template_id, project_id, status, created, started,
       execution_node, task_impact, dependencies_processed, launch_type)
     values ('project_update', 'site', 'project', ${project}, ${project}, 'running',
       clock_timestamp() - interval '30 seconds', clock_timestamp() - interval '25 seconds', 'beta', 1, true, 'dependent')
     returning id`,
  );
  await sql.unsafe(
    `insert into awx.unified_job (kind, name, template_kind, template_id, inventory_id, inventory_source_id, status,
       created, started, finished, elapsed, execution_node, dependencies_processed, launch_type)
     values ('inventory_update', 'production: from the project', 'inventory_source', ${source}, ${inventory}, ${source},
       'successful', clock_timestamp() - interval '1 day', clock_timestamp() - interval '1 day',
       clock_timestamp() - interval '1 day', 3.2, 'beta', true, 'manual')`,
  );
  const running = await one(
    sql,
    `insert into awx.unified_job (${columns}, status, created, started, execution_node, task_uuid, instance_group_id)
     values (${job}, 'running', clock_timestamp() - interval '70 seconds', clock_timestamp() - interval '65 seconds',
       'alpha', '${RUN_UUID}', 1) returning id`,
  );
  const pending = await one(
    sql,
    `insert into awx.unified_job (${columns}, status, created, depends_on, job_explanation)
     values (${job}, 'pending', clock_timestamp() - interval '8 minutes', array[${update}::bigint],
       'Waits for project update ${update}') returning id`,
  );
  await playbook(sql, failed, true);
  await playbook(sql, running, false);
  return { successful, failed, running, pending, update };
}

interface Event {
  event: string;
  host?: string;
  task?: string;
  failed?: boolean;
  changed?: boolean;
  stdout?: string;
  data?: unknown;
}

/** Add events behind those that are there; as a run of ansible-playbook writes them. */
export async function addEvents(sql: Database, job: number, events: Event[]): Promise<void> {
  const [{ counter, line }] = await sql.unsafe(
    `select coalesce(max(counter), 0)::int as counter, coalesce(max(end_line), 0)::int as line
     from awx.job_event where job_id = $1::bigint`,
    [job] as never[],
  );
  let [at, end] = [Number(counter), Number(line)];
  const rows = events.map((event) => {
    const start_line = end;
    if (event.stdout) end += event.stdout.split("\n").length;
    return { counter: ++at, start_line, end_line: end, ...event };
  });
  await sql.unsafe(
    `insert into awx.job_event (job_id, uuid, counter, event, created, host, play, task, failed, changed, start_line,
       end_line, stdout, event_data)
     select $1::bigint, gen_random_uuid(), counter, event, clock_timestamp(), coalesce(host, ''), 'Deploy',
       coalesce(task, ''), coalesce(failed, false), coalesce(changed, false), start_line, end_line,
       coalesce(stdout, ''), coalesce(data, '{}')
     from jsonb_to_recordset($2::text::jsonb) e (counter int, event text, host text, task text, failed boolean,
       changed boolean, start_line int, end_line int, stdout text, data jsonb)`,
    [job, JSON.stringify(rows)] as never[],
  );
}

async function playbook(sql: Database, job: number, fails: boolean): Promise<void> {
  const stars = (text: string) => `\n${text} ${"*".repeat(Math.max(3, 79 - text.length))}`;
  const task = (name: string, outcome: (host: string) => Event): Event[] => [
    { event: "playbook_on_task_start", task: name, stdout: stars(`TASK [${name}]`) },
    ...HOSTS.map((host) => ({ task: name, host, ...outcome(host) })),
  ];
  const ok = (host: string): Event => ({ event: "runner_on_ok", stdout: `ok: [${host}]` });
  const changed = (host: string): Event =>
    host === "cache1"
      ? { event: "runner_on_skipped", stdout: `skipping: [${host}]` }
      : { event: "runner_on_ok", changed: true, stdout: `\x1b[0;33mchanged: [${host}]\x1b[0m` };
  await addEvents(sql, job, [
    { event: "playbook_on_play_start", stdout: stars("PLAY [Deploy]") },
    ...task("Gathering Facts", ok),
    ...task("site : Copy the release", changed),
  ]);
  if (!fails) return;
  const broken = (host: string): Event =>
    host === "web2"
      ? {
        event: "runner_on_failed",
        failed: true,
        stdout:
          `fatal: [web2]: FAILED! => {"changed": false, "msg": "Unable to restart service nginx: <b>configuration</b> is broken"}`,
      }
      : host === "db1"
      ? {
        event: "runner_on_unreachable",
        failed: true,
        stdout:
          `fatal: [db1]: UNREACHABLE! => {"msg": "Failed to connect to the host via ssh", "unreachable": true}`,
      }
      : ok(host);
  await addEvents(sql, job, [
    ...task("site : Restart the web server", broken),
    {
      event: "playbook_on_stats",
      stdout: `${
        stars("PLAY RECAP")
      }\nweb1   : ok=3 changed=1 unreachable=0 failed=0\nweb2   : ok=2 changed=1 unreachable=0 failed=1`,
      data: { ok: { web1: 3 }, failures: { web2: 1 }, dark: { db1: 1 } },
    },
    { event: "EOF" },
  ]);
}

const NODES: [name: string, template: string, status: string | null, doNotRun?: boolean, all?: boolean][] = [
  ["update project", "project", "successful"],
  ["update inventory", "inventory_source", "successful"],
  ["build", "job_template", "successful"],
  ["unit tests", "job_template", "failed"],
  ["deploy to staging", "job_template", "running"],
  ["roll back", "job_template", "canceled", false],
  ["deploy to production", "job_template", null, false, true],
  ["smoke test", "job_template", null],
  ["notify", "job_template", null],
  ["quarantine", "job_template", null, true],
];
const EDGES: [parent: number, child: number, kind: string][] = [
  [0, 2, "success"],
  [1, 2, "success"],
  [0, 3, "always"],
  [2, 4, "success"],
  [3, 5, "failure"],
  [2, 9, "failure"],
  [4, 6, "success"],
  [3, 6, "always"],
  [6, 7, "success"],
  [7, 8, "always"],
  [5, 8, "always"],
];

async function workflowOf(sql: Database, template: number, project: number, source: number) {
  const workflowTemplate = await one(
    sql,
    "insert into awx.workflow_template (name) values ('release train') returning id",
  );
  await sql.unsafe(
    `with n as (insert into awx.workflow_node (workflow_template_id, identifier, template_kind, template_id)
       values ($1::bigint, 'build', 'job_template', $2::bigint), ($1::bigint, 'deploy', 'job_template', $2::bigint)
       returning id)
     insert into awx.workflow_edge select min(id), max(id), 'success' from n`,
    [workflowTemplate, template] as never[],
  );
  const workflow = await one(
    sql,
    `insert into awx.unified_job (kind, name, template_kind, template_id, status, created, started, task_impact,
       dependencies_processed)
     values ('workflow_job', 'release train', 'workflow_template', $1::bigint, 'running',
       clock_timestamp() - interval '4 minutes', clock_timestamp() - interval '239 seconds', 0, true) returning id`,
    [workflowTemplate],
  );
  const ids: number[] = [];
  for (const [name, kind, status, doNotRun = false, all = false] of NODES) {
    const of = kind === "project" ? project : kind === "inventory_source" ? source : template;
    const job = status === null ? null : await one(
      sql,
      `insert into awx.unified_job (kind, name, template_kind, template_id, status, created, started, finished, elapsed,
         execution_node, workflow_job_id, launch_type, dependencies_processed)
       values ($1::text, $2::text, $3::text, $4::bigint, $5::text, clock_timestamp() - interval '3 minutes',
         clock_timestamp() - interval '2 minutes',
         case when $5::text = 'running' then null else clock_timestamp() - interval '90 seconds' end, 31.5, 'alpha',
         $6::bigint, 'workflow', true) returning id`,
      [
        kind === "project" ? "project_update" : kind === "inventory_source" ? "inventory_update" : "job",
        kind === "project" ? "site" : kind === "inventory_source" ? "production" : "deploy site",
        kind,
        of,
        status,
        workflow,
      ],
    );
    ids.push(
      await one(
        sql,
        `insert into awx.workflow_job_node (workflow_job_id, identifier, template_kind, template_id, job_id, do_not_run,
           all_parents_must_converge)
         values ($1::bigint, $2::text, $3::text, $4::bigint, $5::bigint, $6::boolean, $7::boolean) returning id`,
        [workflow, name, kind, of, job, doNotRun, all],
      ),
    );
  }
  for (const [parent, child, kind] of EDGES) {
    await sql.unsafe(
      "insert into awx.workflow_job_edge values ($1::bigint, $2::bigint, $3::text)",
      [ids[parent], ids[child], kind] as never[],
    );
  }
  return { workflowTemplate, workflow };
}
