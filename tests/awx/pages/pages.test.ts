/** The pages of the control plane as a browser without scripts has them, on each runtime. */
import assert from "node:assert/strict";
import { jobById } from "../../../tasks/jobs/model/unified_job.ts";
import { test } from "../../harness.ts";
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
