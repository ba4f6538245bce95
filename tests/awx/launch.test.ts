/** From a template to a pending job, its verdict, and who hears of it. */
import assert from "node:assert/strict";
import { test } from "../harness.ts";
import { cancelJob, closeEvents, finish } from "../../tasks/jobs/model/endings.ts";
import { launch, launchAdHoc, relaunch } from "../../tasks/jobs/model/launch.ts";
import { notificationUuid } from "../../tasks/jobs/model/notify.ts";
import { open, seal } from "../../tasks/jobs/model/secrets.ts";
import { checkSetting, settings, writeSetting } from "../../tasks/jobs/model/settings.ts";
import { trigger } from "../../tasks/jobs/model/trigger.ts";
import { begin, jobById, listJobs } from "../../tasks/jobs/model/unified_job.ts";
import { workflowGraph } from "../../tasks/jobs/model/workflows.ts";
import { type AwxDatabase, awxDatabase } from "./database.ts";

const TASK = "0199a2b4-0000-7000-8000-000000000001";

async function site(t: Parameters<typeof awxDatabase>[0]): Promise<AwxDatabase & { template: number }> {
  const site = await awxDatabase(t);
  const [{ id }] = await site.sql.unsafe(
    `with i as (insert into awx.inventory (name) values ('hosts') returning id),
          h as (insert into awx.host (inventory_id, name) select i.id, 'h' || n from i, generate_series(1, 3) n)
     insert into awx.job_template (name, kind, command, inventory_id, forks, extra_vars)
     select 'greet', 'command', '{echo,hello}', i.id, 10, '{"a": 1, "b": 1}' from i returning id::int`,
  );
  return { ...site, template: id };
}

async function waiting({ sql, template }: AwxDatabase & { template: number }): Promise<number> {
  const { id } = await launch(sql, { kind: "job_template", id: template });
  await sql.unsafe(
    "update awx.unified_job set status = 'waiting', task_uuid = $1::uuid where id = $2::bigint",
    [
      TASK,
      id,
    ],
  );
  return id;
}

test("launch() makes a pending job of what the template says now", async (t) => {
  const { sql, template } = await site(t);
  const job = await launch(sql, { kind: "job_template", id: template }, {
    extraVars: { b: 2 },
    hostLimit: "h1",
  });
  assert.equal(job.status, "pending");
  assert.deepEqual(job.spec.command, ["echo", "hello"]);
  assert.equal(job.spec.host_limit, "h1");
  assert.deepEqual(job.extra_vars, { a: 1, b: 2 });
  // Three hosts, ten forks.
  assert.equal(job.task_impact, 4);
  assert.equal(job.dependencies_processed, false);
  await sql.unsafe("update awx.job_template set command = '{false}'");
  assert.deepEqual((await jobById(sql, job.id)).spec.command, ["echo", "hello"]);
});

test("launch() of a workflow copies its graph; of what is not there it says so", async (t) => {
  const { sql, template } = await site(t);
  await sql.unsafe("insert into awx.workflow_template (name) values ('flow')");
  await sql.unsafe(
    `insert into awx.workflow_node (workflow_template_id, identifier, template_kind, template_id)
     values (1, 'a', 'job_template', $1::bigint), (1, 'b', 'job_template', $1::bigint)`,
    [template],
  );
  await sql.unsafe("insert into awx.workflow_edge values (1, 2, 'success')");
  const job = await launch(sql, { kind: "workflow_template", id: 1 });
  const { nodes, edges } = await workflowGraph(sql, job.id);
  assert.deepEqual(nodes.map(({ identifier }) => identifier), ["a", "b"]);
  assert.deepEqual(edges, [{ parent_id: nodes[0].id, child_id: nodes[1].id, kind: "success" }]);
  await assert.rejects(launch(sql, { kind: "job_template", id: 99 }), /Cannot find job template 99/);
  await assert.rejects(launch(sql, { kind: "system", id: 99 }), /Cannot find system job 99: there are 1/);
});

test("launchAdHoc() and relaunch() make jobs; one that runs is not launched again", async (t) => {
  const { sql } = await site(t);
  const job = await launchAdHoc(sql, { inventoryId: 1, module: "ping", forks: 2 });
  assert.equal(job.task_impact, 3);
  await assert.rejects(relaunch(sql, job.id), /Cannot relaunch job \d+: it is pending/);
  await sql.unsafe("update awx.unified_job set status = 'failed'");
  const again = await relaunch(sql, job.id, { hostLimit: "h2" });
  assert.deepEqual([again.launch_type, again.spec.module, again.spec.host_limit], ["relaunch", "ping", "h2"]);
  assert.deepEqual((await listJobs(sql, { status: ["pending"] })).map(({ id }) => id), [again.id]);
});

test("a late verdict changes nothing: the job is another envelope's, or final", async (t) => {
  const own = await site(t);
  const { sql, client } = own;
  const jobId = await waiting(own);
  const other = "0199a2b4-0000-7000-8000-000000000002";
  assert.equal(await begin(sql, { jobId, taskUuid: other, node: "n1" }), undefined);
  assert.equal((await begin(sql, { jobId, taskUuid: TASK, node: "n1" }))?.status, "running");
  assert.equal(await begin(sql, { jobId, taskUuid: TASK, node: "n1" }), undefined);
  const end = (taskUuid: string, status: "error" | "successful") =>
    client.transaction((tx, publish) => finish(tx, publish, { jobId, taskUuid, status, closesEvents: true }));
  assert.equal(await end(other, "successful"), undefined);
  assert.equal((await end(TASK, "error"))?.status, "error");
  assert.equal(await end(TASK, "successful"), undefined);
  assert.equal((await jobById(sql, jobId)).status, "error");
});

test("the second of verdict and end of events publishes the notification, once", async (t) => {
  const own = await site(t);
  const { sql, client } = own;
  for (const order of ["verdict first", "events first"]) {
    const jobId = await waiting(own);
    const uuid = notificationUuid(jobId, "success");
    const verdict = () =>
      client.transaction((tx, publish) =>
        finish(tx, publish, { jobId, taskUuid: TASK, status: "successful" })
      );
    const events = () => client.transaction((tx, publish) => closeEvents(tx, publish, jobId, 3));
    const [first, second] = order === "verdict first" ? [verdict, events] : [events, verdict];
    await first();
    assert.equal(
      (await client.list({ task: "notifications/send_notifications" })).some((row) => row.uuid === uuid),
      false,
    );
    await second();
    const [sent] = await client.find(uuid);
    assert.deepEqual(sent.args, [jobId, "success"]);
    await sql.unsafe("delete from awx.unified_job");
  }
});

test("cancelJob() ends what is pending, marks what was started, and leaves what is final", async (t) => {
  const own = await site(t);
  const { sql, client, template } = own;
  const { id } = await launch(sql, { kind: "job_template", id: template });
  const cancel = (id: number) => client.transaction((tx, publish) => cancelJob(tx, publish, id));
  assert.equal((await cancel(id)).did, "canceled");
  assert.equal((await cancel(id)).did, "final");
  const started = await waiting(own);
  assert.equal((await cancel(started)).did, "canceling");
  assert.equal(await begin(sql, { jobId: started, taskUuid: TASK, node: "n1" }), undefined);
});

test("trigger() makes each manager wait once, however often it is told", async (t) => {
  const { client } = await awxDatabase(t);
  for (let i = 0; i < 5; i++) await trigger((task, args, options) => client.publish(task, args, options));
  const waiting = await client.list({ state: ["available", "scheduled"] });
  assert.ok(waiting.length <= 6, `${waiting.length}`);
});

test("seal() and open() bind a secret to its place, and the error does not show it", () => {
  const sealed = seal({ password: "hunter2" }, "credential:1");
  assert.doesNotMatch(sealed, /hunter2/);
  assert.deepEqual(open(sealed, "credential:1"), { password: "hunter2" });
  for (
    const [text, place] of [[sealed, "credential:2"], [`${sealed.slice(0, -8)}AAAAAAA=`, "credential:1"], [
      "x",
      "credential:1",
    ]]
  ) {
    assert.throws(() => open(text, place), /^DispatcherError: Cannot open the secrets of credential:\d/);
  }
});

test("settings have defaults, are checked when they are written, and survive what another version wrote", async (t) => {
  const { sql } = await awxDatabase(t);
  assert.equal((await settings(sql)).HEARTBEAT_GRACE, 60);
  await writeSetting(sql, "HEARTBEAT_GRACE", 5);
  assert.equal((await settings(sql)).HEARTBEAT_GRACE, 5);
  await sql.unsafe(
    `insert into awx.setting (key, value) values ('LATER', '1'), ('CALLBACK_QUEUE', '"carrier pigeon"')`,
  );
  await writeSetting(sql, "START_TASK_LIMIT", 7);
  const read = await settings(sql);
  assert.deepEqual([read.CALLBACK_QUEUE, read.START_TASK_LIMIT], ["direct", 7]);
  assert.throws(() => checkSetting("HEARTBEAT_GRACE", -1), /Cannot set HEARTBEAT_GRACE to -1/);
  assert.throws(() => checkSetting("NOPE", 1), /Unknown setting "NOPE"/);
});
