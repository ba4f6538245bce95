/** The pages of the control plane as a browser without scripts has them, on each runtime. */
import assert from "node:assert/strict";
import { jobById } from "../../../tasks/jobs/model/unified_job.ts";
import { test } from "../../harness.ts";
import { basic, bearer } from "../../http/site.ts";
import { open, pagesOf, plain } from "./open.ts";

test("every page is whole without a script, shows no secret, and turns nothing typed into markup", async (t) => {
  const opened = await open(t);
  const { get, sql, failed } = opened;
  await sql.unsafe("update awx.unified_job set job_explanation = '<img src=x>' where id = $1::bigint", [
    failed,
  ] as never[]);
  for (const path of pagesOf(opened)) {
    const { status, text } = await get(path);
    assert.equal(status, 200, `${path}: ${text}`);
    assert.match(text, /<main[\s\S]*<h1/, path);
    assert.doesNotMatch(text, /hunter2|sealed-secret/, path);
    assert.doesNotMatch(text, /\sstyle="|<script>|\son\w+="|<img/, path);
    assert.doesNotMatch(text, /(?:src|href|action)="(?:https?:)?\/\//, path);
  }
  assert.match((await get(`/jobs/${failed}`)).text, /&lt;b&gt;configuration&lt;\/b&gt; is broken/);
  for (const path of ["/jobs/999999", "/jobs/nonsense", "/workflows/99999999999999999999"]) {
    assert.equal((await get(path)).status, 404, path);
  }
});

test("a job is launched by a form, which leads to it; what is wrong is said", async (t) => {
  const { send, act, sql, client, template } = await open(t);
  const { text, location } = await send("/act/job/launch", {
    template: `job_template:${template}`,
    extra_vars: '{"version": "2.0", "api_token": "s3cret"}',
    limit: "web1",
  });
  const [, id] = /^Launched job (\d+) "deploy site"$/.exec(text)!;
  assert.equal(location, `/jobs/${id}`);
  const job = await jobById(sql, Number(id));
  assert.deepEqual(job.extra_vars, { version: "2.0", db_password: "hunter2", api_token: "s3cret" });
  assert.deepEqual([job.status, job.spec.host_limit], ["pending", "web1"]);
  assert.ok((await client.list({ task: "scheduler/run_task_manager" })).length > 0, "the managers were told");
  const launch = (extra_vars: string, of = `job_template:${template}`) =>
    act("/act/job/launch", { template: of, extra_vars });
  assert.match(await launch("{s3cret"), /^Cannot read the extra variables: they are no JSON, such as/);
  assert.match(await launch("[1]"), /they are no object/);
  assert.match(await launch("", "job_template:99"), /Cannot find job template 99/);
  assert.match(await launch("", "nonsense"), /Cannot launch "nonsense": it is no KIND:ID/);
  const audits = await client.audits();
  assert.deepEqual(audits.map(({ action, ok }) => `${action} ${ok}`).toSorted(), [
    ...Array.from({ length: 4 }, () => "awx.job.launch false"),
    "awx.job.launch true",
  ]);
  assert.doesNotMatch(JSON.stringify(audits), /s3cret/);
});

test("a job is cancelled after a question: a pending one at once, a running one by its envelope", async (t) => {
  const { get, act, sql, client, pending, running, successful } = await open(t);
  assert.match(
    (await get(`/ask/job/cancel?job=${pending}`)).text,
    /It has not been started, and will not be/,
  );
  assert.equal(await act("/act/job/cancel", { job: `${pending}` }), `Canceled job ${pending} "deploy site"`);
  assert.equal((await jobById(sql, pending)).status, "canceled");
  const { uuid } = await client.publish("jobs/RunJob", [running], { queue: "alpha" });
  await sql.unsafe("update awx.unified_job set task_uuid = $2::uuid where id = $1::bigint", [
    running,
    uuid,
  ] as never[]);
  assert.equal(
    await act("/act/job/cancel", { job: `${running}` }),
    `Told job ${running} "deploy site" to end`,
  );
  assert.equal((await jobById(sql, running)).cancel_flag, true);
  assert.equal((await client.find(uuid))[0].state, "cancelled");
  assert.match(plain((await get(`/jobs/${running}`)).text), /running canceling/);
  assert.match(
    await act("/act/job/cancel", { job: `${successful}` }),
    /Nothing was canceled: .* successful already/,
  );
  assert.match(await act("/act/job/cancel", { job: "x" }), /Cannot find job "x": it is no id/);
});

test("a workflow is drawn: a box a node with its word, edges with theirs, each node leads to its job", async (t) => {
  const { get, send, sql, workflow, workflowTemplate } = await open(t);
  const { text } = await get(`/workflows/${workflow}`);
  assert.equal(text.match(/data-key="l-\d+-\d+" class="edge (success|failure|always)"\s+d="M/g)?.length, 11);
  const jobs = text.match(/<a data-key="n-\d+" class="node-box \w+" href="\/jobs\/\d+"/g);
  assert.equal(jobs?.length, 6);
  assert.match(text, /unit tests: failed\. job: deploy site/);
  assert.match(text, /quarantine: not run\./);
  assert.match(
    plain(text),
    /all of: success of deploy to staging, the end of unit tests|all of: the end of unit tests, success of deploy to staging/,
  );
  const { location } = await send("/act/job/launch", { template: `workflow_template:${workflowTemplate}` });
  assert.match(location, /^\/workflows\/\d+$/);
  const launched = await get(location);
  assert.match(launched.text, /deploy: not started\./);
  assert.match((await get(`/ask/job/cancel?job=${workflow}`)).text, /Cancels the workflow/);
  await send("/act/job/cancel", { job: `${workflow}` });
  assert.equal((await jobById(sql, workflow)).cancel_flag, true);
});

test("a schedule is turned off and on, and deleted after a question; each is recorded", async (t) => {
  const { get, send, act, sql, client, schedule } = await open(t);
  const row = async () =>
    (await sql.unsafe(
      "select enabled, next_run > clock_timestamp() soon, next_run from awx.schedule where id = $1::bigint",
      [schedule] as never[],
    ))[0];
  const id = `${schedule}`;
  assert.match(
    (await get("/resources")).text,
    new RegExp(`/ask/plan/delete\\?schedule=${id}&amp;back=%2Fresources`),
  );
  const off = await send("/act/plan/disable", { schedule: id, back: "/resources" });
  assert.equal(off.text, 'Schedule "nightly deploy" is off: it launches nothing; what runs goes on');
  assert.deepEqual({ ...await row() }, { enabled: false, soon: null, next_run: null });
  assert.match(plain((await get("/resources")).text), /nightly deploy off/);
  assert.match(
    await act("/act/plan/enable", { schedule: id }),
    /^Schedule "nightly deploy" is on, next 2\d{3}-/,
  );
  const { enabled, soon, next_run } = await row();
  assert.deepEqual([enabled, soon], [true, true]);

  // What is due and was not launched yet stays due when one clicks again.
  await sql.unsafe(
    "update awx.schedule set next_run = clock_timestamp() - interval '1 minute' where id = $1::bigint",
    [
      schedule,
    ] as never[],
  );
  const due = (await row()).next_run;
  assert.notDeepEqual(due, next_run);
  assert.match(await act("/act/plan/enable", { schedule: id }), /is on already, next/);
  assert.deepEqual((await row()).next_run, due);

  await act("/act/plan/disable", { schedule: id });
  await sql.unsafe("update awx.schedule set rrule = $2::text where id = $1::bigint", [
    schedule,
    "DTSTART:20200101T000000Z RRULE:FREQ=DAILY;COUNT=1",
  ] as never[]);
  assert.match(await act("/act/plan/enable", { schedule: id }), /never comes again$/);
  assert.equal((await row()).enabled, false);

  const asked = plain((await get(`/ask/plan/delete?schedule=${id}`)).text);
  assert.match(asked, /Delete schedule "nightly deploy"/);
  assert.match(
    asked,
    /It launches deploy site by DTSTART:20200101T000000Z RRULE:FREQ=DAILY;COUNT=1 , and is off/,
  );
  assert.ok(await row(), "nothing is deleted by the question");
  assert.equal(await act("/act/plan/delete", { schedule: id }), 'Deleted schedule "nightly deploy"');
  assert.equal(await row(), undefined);
  assert.match(await act("/act/plan/delete", { schedule: id }), new RegExp(`^Cannot find schedule ${id}`));
  assert.match(await act("/act/plan/enable", { schedule: "x" }), /^Cannot find schedule "x": it is no id/);
  const audits = (await client.audits()).map(({ action, target, ok }) => `${action} ${target} ${ok}`);
  assert.deepEqual(audits.toSorted(), [
    `awx.schedule.delete schedule ${id} false`,
    `awx.schedule.delete schedule ${id} true`,
    ...Array.from({ length: 2 }, () => `awx.schedule.disable schedule ${id} true`),
    `awx.schedule.enable schedule ${id} false`,
    ...Array.from({ length: 2 }, () => `awx.schedule.enable schedule ${id} true`),
    "awx.schedule.enable schedule x false",
  ]);
});

test("schedules are left alone by viewers and by forms without a token", async (t) => {
  const { ask, sql, client, schedule } = await open(t, {
    http_auth: [
      { kind: "bearer", role: "viewer", name: "screen", token: "viewer-token" },
      { kind: "basic", role: "operator", user: "ann", password: "password" },
    ],
  });
  const state = async () =>
    (await sql.unsafe("select enabled from awx.schedule where id = $1::bigint", [schedule] as never[]))[0]
      ?.enabled;
  const body = new URLSearchParams({ schedule: `${schedule}` });
  const post = async (verb: string, headers: Record<string, string>) =>
    (await ask(`/act/plan/${verb}`, { method: "POST", body, headers })).status;
  for (const verb of ["disable", "enable", "delete"]) {
    assert.equal(await post(verb, bearer("viewer-token")), 403, verb);
    // A browser that has the password, sent by a page of another's.
    assert.equal(await post(verb, basic("ann", "password")), 403, verb);
  }
  assert.equal(await state(), true);
  const refused = (await client.audits()).filter(({ ok }) => !ok).map(({ action }) => action);
  assert.ok(refused.includes("awx.schedule.delete"), refused.join());
});
