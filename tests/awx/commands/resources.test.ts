// @runtimes deno
/** Making, changing and deleting by the command line, and the exits when that cannot be. */
import assert from "node:assert/strict";
import { settings } from "../../../tasks/jobs/model/settings.ts";
import { test } from "../../harness.ts";
import { cli } from "./cli.ts";

type Line = [line: string, exit: number, says: RegExp];

async function play(awx: Awaited<ReturnType<typeof cli>>["awx"], lines: readonly Line[]): Promise<void> {
  for (const [line, exit, says] of lines) {
    const { code, out, err } = await awx(line);
    assert.equal(code, exit, `${line}: ${err}`);
    assert.match((exit === 0 ? out : err).join("\n"), says, line);
    assert.deepEqual(exit === 0 ? err : out, [], line);
  }
}

test("projects, inventories, hosts and templates are made, changed, shown and deleted", async (t) => {
  const { awx } = await cli(t);
  await play(awx, [
    ["project create site --url https://git.example.org/site.git --branch main", 0, /^site created$/],
    ["project create site --path /srv", 4, /^Cannot create project "site": there is one of this name$/],
    ["project create other", 2, /needs a local_path/],
    [
      "project modify site --clean yes --cache-timeout 60 --json",
      0,
      /"scm_clean":true.*"update_cache_timeout":60/,
    ],
    ["project modify site --clean maybe", 2, /^Flag --clean takes yes, no: given "maybe"$/],
    ["project modify site --timeout -1", 2, /^Cannot update project "site": timeout: .*: given -1$/],
    ["project modify site --rename place", 0, /^place changed$/],
    ["project show place", 0, /scm_clean +yes/],
    ["inventory create hosts -e a=1", 0, /^hosts created$/],
    ["host create hosts h1 --groups web,eu -e port=80", 0, /^h1 created$/],
    ["host create hosts h1", 4, /there is one of this name/],
    ["host disable hosts h1", 0, /^h1 disabled$/],
    ["inventory hosts hosts", 0, /^h1\tno\teu,web\t\{"port":80\}$/],
    ["inventory hosts hosts --group nope", 0, /^$/],
    ["host modify hosts h2 -e a=1", 3, /Cannot find host of inventory "hosts": "h2"/],
    ["source create hosts/cloud --kind file --path /etc/hosts.ini", 0, /^hosts\/cloud created$/],
    ["source create hosts --kind file", 2, /name it INVENTORY\/SOURCE/],
    ["source modify hosts/cloud --overwrite yes --json", 0, /"overwrite":true/],
    ["template create deploy --project place --playbook site.yml --inventory hosts", 0, /^deploy created$/],
    ["template create x --project nope --playbook site.yml", 3, /^Cannot find project "nope"$/],
    ["template create x", 2, /needs a project_id and a playbook/],
    ["template create x --playbook a.yml -- echo", 2, /a playbook and the command "echo" at once/],
    ["template update deploy --forks 20 --allow-simultaneous yes", 0, /^deploy changed$/],
    ["template modify deploy --inventory=", 0, /^deploy changed$/],
    ["template show deploy --json", 0, /"inventory_id":null,"forks":20/],
    ["template modify deploy -- echo hi", 0, /^deploy changed$/],
    ["template show deploy", 0, /kind +command[^]*command +echo,hi/],
    ["project delete place", 4, /^Cannot delete project "place": job template "deploy" uses it$/],
    ["template delete deploy", 0, /^deploy deleted$/],
    ["project delete place", 0, /^place deleted$/],
    ["project show place", 3, /^Cannot find project "place"$/],
    ["host delete hosts h1", 0, /^h1 deleted$/],
    ["source delete hosts/cloud", 0, /^hosts\/cloud deleted$/],
    ["inventory delete hosts", 0, /^hosts deleted$/],
    ["inventory list", 0, /^hosts\t0\tis being deleted$/],
    ["adhoc run hosts ping", 4, /^Cannot launch "ping": its inventory "hosts" is being deleted$/],
  ]);
});

test("schedules, instances, groups and settings are changed by their commands", async (t) => {
  const { awx, sql } = await cli(t);
  await sql.unsafe(
    `insert into awx.instance (hostname, cpu_capacity, mem_capacity, capacity, last_seen)
     values ('n1', 16, 60, 60, clock_timestamp())`,
  );
  const rule = "DTSTART:20260101T060000Z;RRULE:FREQ=DAILY".replace(";", "\n");
  assert.equal((await awx("template create hello -- echo hello")).code, 0);
  const words = ["schedule", "create", "daily", "--template", "hello", "--rrule", rule];
  assert.match((await awx(words)).out[0], /^daily created, next \d{4}-\d\d-\d\dT06:00:00Z$/);
  await play(awx, [
    ["schedule create x --template hello", 2, /^Cannot create a schedule without --rrule$/],
    ["schedule create x --template hello --rrule daily", 2, /"daily"/],
    ["schedule next daily --count 2", 0, /^\S+T06:00:00.000Z\n\S+T06:00:00.000Z$/],
    ["schedule next daily --count 0", 2, /--count is a whole number/],
    ["schedule disable daily", 0, /^daily disabled$/],
    ["schedule list", 0, /^daily\thello\tdisabled\t-\t-\t/],
    ["schedule enable daily", 0, /^daily enabled$/],
    ["schedule delete daily", 0, /^daily deleted$/],
    ["instance disable n1", 0, /^n1 disabled, capacity 0$/],
    ["instance enable n1", 0, /^n1 enabled, capacity 60$/],
    ["instance adjust n1 0.5", 0, /^n1 adjusted, capacity 38$/],
    ["instance adjust n1 half", 2, /^Cannot adjust n1 to "half": it is no number$/],
    ["instance adjust n1 2", 2, /capacity_adjustment: .*: given 2$/],
    ["instance show n9", 3, /^Cannot find instance "n9"$/],
    ["instance delete n1", 4, /it was heard of/],
    ["group create gpu --max-forks 10", 0, /^gpu created$/],
    ["group add gpu n1", 0, /^n1 added to gpu$/],
    ["group add gpu n9", 2, /there is no hostname "n9"/],
    ["group add gpu", 2, /name a group and instances/],
    ["group remove gpu n1 --json", 0, /^\{"group":"gpu","remove":\["n1"\]\}$/],
    ["group delete default", 4, /jobs that name no group run in it/],
    ["group delete gpu", 0, /^gpu deleted$/],
    ["setting set HEARTBEAT_GRACE 5", 0, /^HEARTBEAT_GRACE is 5$/],
    ["setting get HEARTBEAT_GRACE", 0, /^5$/],
    ["setting set CALLBACK_QUEUE pigeon", 2, /^Cannot set CALLBACK_QUEUE to "pigeon"/],
    ["setting get NOPE", 2, /^Unknown setting "NOPE"/],
    ["setting reset HEARTBEAT_GRACE", 0, /^HEARTBEAT_GRACE is its default again$/],
    ["setting list", 0, /^HEARTBEAT_GRACE\t60\tdefault\t/m],
  ]);
  assert.equal((await settings(sql)).HEARTBEAT_GRACE, 60);
  const [{ args }] = await sql.unsafe(
    "select args from dispatcher.broadcast where task = 'system/handle_setting_changes' limit 1",
  );
  assert.deepEqual(args, [["HEARTBEAT_GRACE"]]);
});
