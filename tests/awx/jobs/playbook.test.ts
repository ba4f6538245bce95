// @runtimes deno
/** Playbooks with real ansible: their events, their verdicts, their ends. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, needs, test } from "../../harness.ts";
import { isRunning } from "../../processes_below.ts";
import { cancelJob } from "../../../tasks/jobs/model/endings.ts";
import { launchAdHoc } from "../../../tasks/jobs/model/launch.ts";
import { inventory, type SeenEvent, site, template } from "./site.ts";

const options = { skip: needs("ansible-playbook"), timeout: 120_000 };
const LOCAL = { ansible_connection: "local", ansible_python_interpreter: "{{ ansible_playbook_python }}" };

/** Its password is "open sesame". */
const VAULT = `$ANSIBLE_VAULT;1.1;AES256
31313139666265366639346337386531303335363663353536373835653834323864346338636261
3462613334656333353563656337386663376462306135630a616330663031653063333930313761
38343633316235353133643339343531616636626533326463353065373336386638663766373734
6138313737666534300a323064656430303238643130343434663266323830643463326134326336
66326462303432653764316465373638373439653566616630376535343135363235
`;

const SITE = `
- name: everything
  hosts: all
  gather_facts: false
  vars_files: [secret.yml]
  tasks:
    - name: facts
      setup: {gather_subset: "!all"}
      ignore_unreachable: false
    - name: say
      debug: {msg: "{{ greeting }}, {{ ansible_facts.system }}, {{ vaulted }}, {{ lookup('env', 'API_TOKEN') }}"}
    - name: five hundred
      debug: {msg: "item {{ item }}"}
      loop: "{{ range(500) | list }}"
      when: inventory_hostname == 'alpha'
    - name: hushed
      debug: {msg: "quiet please"}
      no_log: true
    - name: fails on beta
      command: /bin/false
      when: inventory_hostname == 'beta'
    - name: figures
      set_stats: {data: {answer: 42}}
      run_once: true
`;

const SLEEP = `
- hosts: all
  gather_facts: false
  tasks:
    - name: sleeps
      shell: "trap '' TERM; echo $$ > {{ pid_file }}; sleep 300"
`;

test(
  "a playbook tells what happens on each host; artifacts, counts and secrets are kept as they should",
  options,
  async (t) => {
    const own = await site(t);
    const { ended, events, stdout } = own;
    const hosts = await inventory(own, {
      alpha: LOCAL,
      beta: LOCAL,
      gone: { ansible_connection: "ssh", ansible_host: "127.0.0.1", ansible_port: 1 },
      outside: LOCAL,
    });
    const project_id = await own.project({ "site.yml": SITE, "secret.yml": VAULT });
    const credential_ids = [
      await own.credential("vault", { vault_password: "open sesame" }),
      await own.credential("env", { API_TOKEN: "hunter2hunter2" }),
    ];
    const playbook = await template(own, {
      kind: "playbook",
      playbook: "site.yml",
      project_id,
      inventory_id: hosts,
      host_limit: "all:!outside",
      forks: 3,
      credential_ids,
      extra_vars: { greeting: "good day" },
    });
    const id = await own.run(playbook);
    const job = await ended(id, 90_000);
    const text = await stdout(id);
    assert.deepEqual([job.status, job.exit_code], ["failed", 4], job.job_explanation + text);
    assert.deepEqual(job.host_status_counts, { ok: 1, failures: 1, dark: 1 });
    assert.deepEqual(job.artifacts, { answer: 42 });

    const told = await events(id);
    assert.deepEqual(told.map(({ counter }) => counter), told.map((_, place) => place + 1));
    assert.equal(job.emitted_events, told.length);
    assert.equal(new Set(told.map(({ uuid }) => uuid)).size, told.length);
    const of = (name: string) => told.filter(({ event }) => event === name);
    const names = ["playbook_on_start", "playbook_on_play_start", "playbook_on_stats"];
    assert.deepEqual(names.map((name) => of(name).length), [1, 1, 1]);
    assert.deepEqual(of("runner_on_unreachable").map(({ host, failed }) => [host, failed]), [["gone", true]]);
    assert.deepEqual(of("runner_on_failed").map(({ host, task }) => [host, task]), [[
      "beta",
      "fails on beta",
    ]]);
    assert.equal(of("runner_item_on_ok").length, 500);
    assert.ok(of("runner_on_skipped").some(({ host, task }) => host === "alpha" && task === "fails on beta"));
    const parents = new Map(told.map((event) => [event.uuid, event]));
    const parent = ({ event_data }: SeenEvent) => parents.get(event_data.parent_uuid as string);
    assert.equal(parent(of("runner_item_on_ok")[0])?.task, "five hundred");
    assert.equal(parent(parent(of("runner_item_on_ok")[0])!)?.event, "playbook_on_play_start");
    assert.ok(!told.some(({ host }) => host === "outside"));

    // The output is that of the events, by line.
    assert.match(text, /good day, Linux, from the vault, \$encrypted\$/);
    assert.match(text, /PLAY RECAP \*+\nalpha +: ok=5/);
    let lines = 0;
    for (const { start_line, end_line, stdout } of told) {
      assert.deepEqual([start_line, end_line], [lines, lines += stdout.split("\n").length - 1]);
    }
    const everything = JSON.stringify(told);
    for (const secret of ["hunter2hunter2", "open sesame", "quiet please"]) {
      assert.ok(
        !everything.includes(secret),
        secret,
      );
    }
    assert.deepEqual(own.privateDirs(), []);
  },
);

test(
  "a playbook is canceled or late in the middle and leaves no process; a syntax error is told",
  options,
  async (t) => {
    const own = await site(t);
    const { client, ended, events, stdout } = own;
    const project_id = await own.project({ "sleep.yml": SLEEP, "wrong.yml": "- hosts: all\n  tusks: []\n" });
    const inventory_id = await inventory(own, { alpha: LOCAL });
    const file = (name: string) => join(own.dir, name);
    const sleeper = (name: string, more = {}) =>
      template(own, {
        kind: "playbook",
        playbook: "sleep.yml",
        project_id,
        inventory_id,
        extra_vars: { pid_file: file(name) },
        ...more,
      });
    const pidIn = (name: string) =>
      eventually(() => Number(readFileSync(file(name), "utf8")), { within: 60_000 }) as Promise<number>;

    const late = await own.run(await sleeper("late", { timeout: 6 }));
    const canceled = await own.run(await sleeper("canceled"));
    const pid = await pidIn("canceled");
    const { task_uuid } = await own.job(canceled);
    await client.transaction((tx, publish) => cancelJob(tx, publish, canceled));
    await client.cancel([task_uuid!]);
    assert.equal((await ended(canceled)).status, "canceled");
    await eventually(() => !isRunning(pid), { within: 5_000 });
    // What happened until then is there.
    assert.ok(
      (await events(canceled)).some(({ event, task }) => event === "runner_on_start" && task === "sleeps"),
    );

    const overdue = await ended(late);
    assert.deepEqual([overdue.status, overdue.job_explanation], [
      "failed",
      "Ran longer than its timeout of 6 s",
    ]);
    assert.ok(!isRunning(await pidIn("late")));

    const wrong = await ended(
      await own.run(
        await template(own, { kind: "playbook", playbook: "wrong.yml", project_id, inventory_id }),
      ),
    );
    assert.deepEqual([wrong.status, wrong.exit_code], ["failed", 4], wrong.job_explanation);
    assert.match(await stdout(wrong.id), /'tusks' is not a valid attribute for a Play/);

    const outside = await ended(
      await own.run(
        await template(own, { kind: "playbook", playbook: "../x.yml", project_id, inventory_id }),
      ),
    );
    assert.equal(outside.status, "error");
    assert.match(
      outside.job_explanation,
      /Cannot run playbook "\.\.\/x\.yml": it is not inside of the project/,
    );

    const { id } = await launchAdHoc(own.sql, { inventoryId: inventory_id, module: "ping" });
    await own.startJob(id);
    const ping = await ended(id);
    assert.deepEqual([ping.status, ping.host_status_counts], ["successful", { ok: 1 }], await stdout(id));
    assert.match(await stdout(id), /alpha \| SUCCESS => \{[^]*"ping": "pong"/);
  },
);
