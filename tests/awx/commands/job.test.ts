// @runtimes deno
/** Jobs on the command line; who runs them is played by statements. */
import assert from "node:assert/strict";
import { jobById, type JobStatus } from "../../../tasks/jobs/model/unified_job.ts";
import { stdParser } from "../../../cli/args.ts";
import { eventually, test } from "../../harness.ts";
import { spawnCli } from "../../processes.ts";
import { type Cli, cli } from "./cli.ts";

const UUID = "0199a2b4-0000-7000-8000-000000000001";

async function site(t: Parameters<typeof cli>[0]): Promise<Cli> {
  const made = await cli(t, await stdParser());
  await made.ok("inventory create hosts");
  await made.ok("inventory create others");
  await made.ok("host create hosts h1 --groups web");
  await made.ok("template create hello --inventory hosts -e a=1 -- echo hello");
  return made;
}

/** What runs a job does to its row. */
async function become(site: Cli, id: number, status: JobStatus, more = ""): Promise<void> {
  await site.sql.unsafe(
    `update awx.unified_job set status = $2::text, execution_node = 'n1', started = clock_timestamp(),
       task_uuid = coalesce(task_uuid, $3::uuid), job_explanation = $4::text,
       events_closed_at = case when $2::text in ('successful', 'failed') then clock_timestamp() end
     where id = $1::bigint`,
    [id, status, UUID, more],
  );
}

async function say(site: Cli, id: number, counter: number, stdout: string, host = ""): Promise<void> {
  await site.sql.unsafe(
    `insert into awx.job_event (job_id, uuid, counter, event, created, stdout, host, failed)
     values ($1::bigint, gen_random_uuid(), $2::int, $5::text, clock_timestamp(), $3::text, $4::text, $4::text <> '')`,
    [id, counter, stdout, host, host === "" ? "verbose" : "runner_on_failed"],
  );
}

test("awx job launch prints the number alone, and the job has what was given", async (t) => {
  const { awx, ok, sql, client } = await site(t);
  const [id] = await ok([
    "job",
    "launch",
    "hello",
    "-e",
    "b=two",
    "-e",
    '{"c": [3]}',
    "--limit",
    "h1",
    "--tags",
    "x",
  ]);
  const job = await jobById(sql, Number(id));
  assert.deepEqual(job.extra_vars, { a: 1, b: "two", c: [3] });
  assert.deepEqual([job.spec.host_limit, job.spec.job_tags, job.spec.command], ["h1", "x", [
    "echo",
    "hello",
  ]]);
  const [other] = await ok("job launch hello --inventory others --priority -5 --json");
  assert.equal(JSON.parse(other).priority, -5);
  assert.notEqual(JSON.parse(other).inventory_id, job.inventory_id);
  const [system] = await ok("job launch cleanup_jobs --kind system");
  assert.equal((await jobById(sql, Number(system))).kind, "system_job");
  const waiting = (await client.list()).filter(({ task }) => task.startsWith("scheduler/run_"));
  assert.ok(waiting.length >= 3, "the managers are told");
  const wrong: [string[], number, RegExp][] = [
    [["job", "launch"], 2, /^Cannot launch a template: name one$/],
    [["job", "launch", "a", "b"], 2, /name one, not 2: "a", "b"$/],
    [["job", "launch", "nope"], 3, /^Cannot find job template "nope"$/],
    [["job", "launch", "hello", "-e", "{"], 2, /^Cannot read --extra-vars "\{" as JSON/],
    [["job", "launch", "hello", "-e", "[1]"], 2, /^Cannot use --extra-vars as variables: it is no object$/],
    [["job", "launch", "hello", "--inventory", "nope"], 3, /^Cannot find inventory "nope"$/],
    [["job", "launch", "hello", "--kind", "jobs"], 2, /^Flag --kind takes job_template, .*: given "jobs"$/],
    [["job", "launch", "x", "--kind", "project", "--limit", "a"], 2, /^Flag --limit is for job templates/],
    [["job", "launch", "hello", "--within", "-1"], 2, /^Flag --within needs seconds from 0/],
    [["job", "show", "x"], 2, /^Cannot find job "x": a job has a number$/],
    [["job", "show", "999"], 3, /^Cannot find job 999$/],
    [["job", "list", "--status", "failed,lost"], 2, /^Flag --status takes pending, .*: given "lost"$/],
    [["job", "list", "--max", "0"], 2, /^Flag --max needs a whole number/],
  ];
  for (const [words, exit, message] of wrong) {
    const { code, out, err } = await awx(words);
    assert.deepEqual([code, out], [exit, []], words.join(" "));
    assert.match(err.join("\n"), message);
  }
  assert.equal((await ok("job list --template hello")).length, 2);
  assert.equal((await ok("job list --kind system_job --status pending")).length, 1);
});

test("awx job launch --wait tells of changes on stderr, follows the output, and ends as the job did", async (t) => {
  const own = await site(t);
  const played = async (status: JobStatus) => {
    const id = await eventually(async () => {
      const [job] = await own.sql.unsafe("select id::int from awx.unified_job where status = 'pending'");
      return job.id as number;
    });
    await become(own, id, "running");
    // Out of order, and cut within a line.
    await say(own, id, 2, "rld\nbye\n");
    await say(own, id, 1, "hello wo");
    await become(own, id, status, "because");
    return id;
  };
  const [terminal, one] = await Promise.all([
    own.awx("job launch hello --wait", { tty: true }),
    played("successful"),
  ]);
  assert.deepEqual([terminal.code, terminal.out], [0, ["hello world", "bye"]]);
  assert.equal(terminal.err.at(-1), `job ${one} "hello" successful`);
  const [pipe, two] = await Promise.all([own.awx("job launch hello --wait"), played("failed")]);
  assert.deepEqual([pipe.code, pipe.out], [1, [`${two}`]]);
  assert.equal(pipe.err.at(-1), `Job ${two} failed: because`);
  const [json] = await Promise.all([own.awx("job launch hello --wait --json"), played("failed")]);
  assert.equal(JSON.parse(json.out[0]).status, "failed");
  const late = await own.awx("job launch hello --wait --within 0");
  assert.equal(late.code, 69);
  assert.match(late.err.at(-1)!, /^Job \d+ is pending after 0 s: it goes on$/);
});

test("awx job stdout -f and events -f show what is written until the stream is closed", async (t) => {
  const own = await site(t);
  const id = Number((await own.ok("job launch hello"))[0]);
  await become(own, id, "running");
  const stdout = own.awx(`job stdout ${id} -f`);
  const events = own.awx(`job events ${id} -f --failed`);
  await say(own, id, 1, "one\n");
  await say(own, id, 3, "three", "h1");
  await own.sql.unsafe("update awx.unified_job set status = 'failed' where id = $1::bigint", [id]);
  await say(own, id, 2, "two\n");
  await own.sql.unsafe("update awx.unified_job set events_closed_at = now() where id = $1::bigint", [id]);
  assert.deepEqual(await stdout, { code: 0, out: ["one", "two", "three"], err: [`Job ${id} failed`] });
  const lines = (await events).out.map((line) => line.split("\t"));
  assert.deepEqual(lines.map(([counter, , event, host]) => [counter, event, host]), [[
    "3",
    "runner_on_failed",
    "h1",
  ]]);
  assert.deepEqual(await own.ok(`job stdout ${id}`), ["one", "two", "three"]);
  assert.deepEqual(
    await own.ok(`job events ${id} --after 1 --max 1 --json`).then(([line]) => JSON.parse(line).counter),
    2,
  );
});

test("awx job cancel says what became of each; relaunch makes a new one, also on failed hosts alone", async (t) => {
  const own = await site(t);
  const { awx, ok, sql } = own;
  const launch = async () => Number((await ok("job launch hello"))[0]);
  const [pending, running, over] = [await launch(), await launch(), await launch()];
  await become(own, running, "running");
  await become(own, over, "failed");
  assert.deepEqual(await awx(["job", "cancel", `${pending}`, `${running}`, `${over}`]), {
    code: 0,
    out: [`${pending} canceled`, `${running} canceling`, `${over} already failed`],
    err: [],
  });
  assert.equal((await jobById(sql, running)).cancel_flag, true);
  assert.equal((await awx(`job cancel ${over}`)).code, 4);
  assert.equal((await awx(`job relaunch ${running}`)).code, 4);
  const none = await awx(`job relaunch ${over} --failed-hosts`);
  assert.deepEqual([none.code, none.err], [4, [`Cannot relaunch job ${over} on failed hosts: it has none`]]);
  await say(own, over, 1, "", "h2");
  await say(own, over, 2, "", "h1");
  const again = await jobById(sql, Number((await ok(`job relaunch ${over} --failed-hosts`))[0]));
  assert.deepEqual([again.spec.host_limit, again.launch_type], ["h1,h2", "relaunch"]);
});

test("awx adhoc run, project update, inventory import and workflow launch make jobs of their kinds", async (t) => {
  const { awx, ok, sql } = await site(t);
  await ok("project create site --url https://git.example.org/site.git");
  await ok(["workflow", "create", "-"], "name: flow\nnodes: [{id: a, job_template: hello}]");
  const kinds: [string[], string, string?][] = [
    [["adhoc", "run", "hosts", "ansible.builtin.shell", "echo a b", "--limit", "h1"], "ad_hoc_command"],
    [["project", "update", "site"], "project_update"],
    [["inventory", "import", "hosts", "-", "--name", "ini"], "inventory_update", "[web]\nh1\n"],
    [["inventory", "import", "hosts"], "inventory_update"],
    [["source", "update", "hosts/ini"], "inventory_update"],
    [["workflow", "launch", "flow", "-e", "x=1"], "workflow_job"],
  ];
  for (const [words, kind, stdin] of kinds) {
    const [id] = await ok(words, stdin);
    assert.equal((await jobById(sql, Number(id))).kind, kind, words.join(" "));
  }
  const wrong: [string[], number, RegExp][] = [
    [["adhoc", "run", "hosts", "shell;id"], 2, /it is no name of a module/],
    [["adhoc", "run", "hosts", "shell", "a", "b"], 2, /its arguments are one word, in quotes/],
    [["adhoc", "run", "hosts", "ping", "--forks", "1.5"], 2, /Flag --forks needs a whole number/],
    [["inventory", "import", "others"], 4, /Cannot import inventory "others": it has no source/],
    [["inventory", "import", "hosts", "--overwrite", "yes"], 2, /Flag --overwrite is for a file/],
    [["workflow", "create", "-"], 2, /Cannot read the workflow of "-": /],
  ];
  for (const [words, exit, message] of wrong) {
    const { code, err } = await awx(words, { stdin: "nodes: []" });
    assert.equal(code, exit, words.join(" "));
    assert.match(err.join("\n"), message);
  }
});

test("Ctrl-C leaves a job that is waited for, and it goes on", async (t) => {
  const own = await site(t);
  const leave = new AbortController();
  const { code, stdout, stderr } = await spawnCli([
    "awx",
    "job",
    "launch",
    "hello",
    "--wait",
    "--database-url",
    own.url,
  ], {
    env: { DISPATCHER_EXTENSION: "on" },
    printed: () => leave.abort(),
    signal: leave.signal,
  });
  assert.equal(code, 130, stderr);
  assert.match(stderr, /^Job \d+ goes on: follow it with awx job stdout \d+ -f$/m);
  assert.equal((await jobById(own.sql, Number(stdout))).status, "pending");
});
