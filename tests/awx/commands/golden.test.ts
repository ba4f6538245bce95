/**
 * The commands that read, as they look at 80 columns: for people, in a pipe, and as JSON. What is meant stands in `golden/`;
 * after a change that is wanted: UPDATE_GOLDEN=1 deno test -A tests/awx/commands/golden.test.ts
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { test } from "../../harness.ts";
import { type Cli, cli } from "./cli.ts";

const CASES = [
  "template list",
  "template show deploy",
  "project list",
  "inventory list",
  "inventory show production",
  "inventory hosts production",
  "source list",
  "workflow list",
  "workflow show release",
  "schedule list",
  "instance list",
  "instance show n1",
  "group list",
  "credential list",
  "credential show login",
  "notification list",
  "setting get HEARTBEAT_GRACE",
  "job list",
  "job list --status failed",
  "job show 1",
  "job show 3",
  "job stdout 1",
  "job events 1",
];
/** The forms for programs of these: rows as they are. */
const AS_JSON = [
  "inventory hosts",
  "workflow show",
  "credential",
  "notification",
  "setting",
  "group",
  "job events",
];

const SITE = fileURLToPath(new URL("site.yaml", import.meta.url));
const FILE = fileURLToPath(new URL("golden/commands.txt", import.meta.url));

/** What commands do not make. */
const RUNS = [
  `insert into awx.instance (hostname, cpu, memory_mb, cpu_capacity, mem_capacity, capacity, last_seen, version)
   values ('n1', 4, 8000, 16, 59, 59, '2026-03-01T12:00:00Z', '0.1.0'), ('n2', 4, 8000, 16, 59, 0, '2026-03-01', '')`,
  "update awx.setting set modified = '2026-03-01T12:00:00Z'",
  "update awx.credential set modified = '2026-03-01T12:00:00Z'",
  `insert into awx.unified_job (kind, name, status, template_kind, template_id, spec, extra_vars, created, started,
     finished, elapsed, execution_node, exit_code, job_explanation, host_status_counts, events_closed_at, task_uuid)
   select 'job', name, 'failed', 'job_template', id, '{"kind": "playbook", "playbook": "deploy.yml"}', extra_vars,
     '2026-03-01T12:00:00Z', '2026-03-01T12:00:01Z', '2026-03-01T12:00:03.5Z', 2.5, 'n1', 2, 'A task failed',
     '{"ok": 1, "failed": 1}', '2026-03-01T12:00:04Z', '0199a2b4-0000-7000-8000-000000000001'
   from awx.job_template where name = 'deploy'`,
  `insert into awx.unified_job (kind, name, status, launch_type, created)
   values ('project_update', 'site', 'pending', 'dependent', '2026-03-01T12:00:05Z'),
     ('workflow_job', 'release', 'running', 'scheduled', '2026-03-01T12:00:06Z')`,
  "update awx.unified_job set workflow_job_id = 3 where id = 2",
  `insert into awx.job_event (job_id, uuid, counter, event, created, host, play, task, failed, changed, stdout)
   select 1, ('0199a2b4-0000-7000-8000-00000000010' || n)::uuid, n, event, '2026-03-01T12:00:02Z', host, 'all', task, event = 'runner_on_failed',
     event = 'runner_on_ok', stdout || E'\\n'
   from (values (1, 'playbook_on_play_start', '', '', 'PLAY [all]'), (2, 'runner_on_ok', 'web1', 'ping', 'ok: [web1]'),
     (3, 'runner_on_failed', 'web2', 'ping', E'fatal: [web2]\\n  no route')) e (n, event, host, task, stdout)`,
];

async function site(t: Parameters<typeof cli>[0]): Promise<Cli> {
  const made = await cli(t);
  await made.ok(["apply", "-f", SITE]);
  await made.ok(
    "credential create login --kind machine --username deploy --from -",
    `{"password": "hunter2"}`,
  );
  const mail =
    `{"host": "mail", "sender": "awx@example.org", "recipients": ["ops@example.org"], "password": "hunter2"}`;
  await made.ok("notification create ops --kind email --from -", mail);
  await made.ok("notification attach ops --template deploy --on success,error");
  for (const statement of RUNS) await made.sql.unsafe(statement);
  await made.ok("group add gpu n2");
  return made;
}

test("what the commands print is what is meant, and no secret is in it", async (t) => {
  const { awx } = await site(t);
  const parts: string[] = [];
  for (const line of CASES) {
    const forms: [how: string, words: string, tty: boolean][] = [["terminal", line, true], [
      "pipe",
      line,
      false,
    ]];
    if (AS_JSON.some((name) => line.startsWith(name))) forms.push(["JSON", `${line} --json`, true]);
    for (const [how, words, tty] of forms) {
      const { code, out, err } = await awx(words, { tty });
      assert.deepEqual(err, [], line);
      parts.push(`$ awx ${line} (${how})`, ...out, `exit ${code}`, "");
    }
  }
  const text = parts.join("\n");
  assert.doesNotMatch(text, /hunter2/);
  if (process.env.UPDATE_GOLDEN) writeFileSync(FILE, text);
  assert.equal(text, readFileSync(FILE, "utf8"));
});
