// @runtimes deno
/** The workflow manager over a database: what it launches, marks and ends. */
import assert from "node:assert/strict";
import { test } from "../../harness.ts";
import { cancelJob } from "../../../tasks/jobs/model/endings.ts";
import { notificationUuid } from "../../../tasks/jobs/model/notify.ts";
import { jobById } from "../../../tasks/jobs/model/unified_job.ts";
import { MAX_DEPTH } from "../../../tasks/managers/workflow_manager/nesting.ts";
import { sharedSite } from "./site.ts";

const site = sharedSite();

test("a workflow runs its nodes by their outcomes, and is successful when failures are handled", async () => {
  const { flow, launch, manage, end, look, sql, client } = await site();
  const job = await launch(
    await flow({
      nodes: { build: {}, test: {}, ship: { all: true }, mend: {}, report: {} },
      edges: [
        "build-success>test",
        "build-success>ship",
        "test-success>ship",
        "test-failure>mend",
        "mend-always>report",
      ],
    }),
  );
  const summary = await manage();
  assert.deepEqual([summary?.begun, summary?.launched, summary?.ended], [1, 1, 0]);
  assert.equal((await jobById(sql, job.id)).status, "running");
  assert.deepEqual(await look(job), { build: "pending", test: "", ship: "", mend: "", report: "" });
  await end(job, "build", "successful");
  assert.deepEqual(await look(job), { build: "successful", test: "pending", ship: "", mend: "", report: "" });
  // Nothing new: nothing is launched twice.
  assert.equal((await manage())?.launched, 0);
  await end(job, "test", "failed");
  assert.deepEqual(await look(job), {
    build: "successful",
    test: "failed",
    ship: "skipped",
    mend: "pending",
    report: "",
  });
  await end(job, "mend", "successful");
  await end(job, "report", "successful");
  const ended = await jobById(sql, job.id);
  assert.deepEqual([ended.status, ended.job_explanation], ["successful", ""]);
  assert.ok(ended.started !== null && ended.finished !== null && ended.events_closed_at !== null);
  for (const event of ["started", "success"] as const) {
    assert.deepEqual((await client.find(notificationUuid(job.id, event)))[0]?.args, [job.id, event]);
  }
});

test("a failure that nothing handles fails the workflow, which names the node", async () => {
  const { flow, launch, manage, end, job, sql } = await site();
  const workflow = await launch(await flow({ nodes: { a: {}, b: {} }, edges: ["a-success>b"] }));
  await manage();
  const { id } = await job(workflow, "a");
  await end(workflow, "a", "failed");
  const ended = await jobById(sql, workflow.id);
  assert.equal(ended.status, "failed");
  assert.equal(
    ended.job_explanation,
    `No failure or always edge follows what failed: node "a" (job ${id} failed)`,
  );
});

test("a job that was reaped follows the failure edge", async () => {
  const { flow, launch, manage, end, look } = await site();
  const workflow = await launch(
    await flow({ nodes: { a: {}, b: {}, c: {} }, edges: ["a-success>b", "a-failure>c"] }),
  );
  await manage();
  await end(workflow, "a", "error");
  assert.deepEqual(await look(workflow), { a: "error", b: "skipped", c: "pending" });
});

test("a template that is gone counts as failed; what follows a failure runs in the same run", async () => {
  const { flow, launch, manage, end, look, sql } = await site();
  const gone = { kind: "job_template", id: 999 } as const;
  const handled = await launch(await flow({ nodes: { a: gone, b: {} }, edges: ["a-failure>b"] }));
  const failed = await launch(await flow({ nodes: { a: gone, b: {} }, edges: ["a-success>b"] }));
  await manage();
  assert.deepEqual(await look(handled), { a: "Cannot find job template 999", b: "pending" });
  await end(handled, "b", "successful");
  assert.equal((await jobById(sql, handled.id)).status, "successful");
  const { status, job_explanation } = await jobById(sql, failed.id);
  assert.equal(status, "failed");
  assert.match(job_explanation, /node "a" \(Cannot find job template 999\)$/);
  assert.deepEqual(await look(failed), { a: "Cannot find job template 999", b: "skipped" });
});

test("a launch that the database refuses is one node's failure, and the others are launched", async (t) => {
  const { flow, launch, manage, look, template, sql } = await site();
  await sql.unsafe(
    "alter table awx.unified_job add constraint tried check (not extra_vars ? 'poison')",
  );
  t.after(() => sql.unsafe("alter table awx.unified_job drop constraint tried"));
  const poison = await launch(await flow({ nodes: { a: { vars: { poison: 1 } }, b: {} } }));
  const sound = await launch(await flow({ nodes: { a: { id: template } } }));
  await manage();
  const looked = await look(poison);
  assert.match(looked.a, /violates check constraint "tried"/);
  assert.equal(looked.b, "pending");
  assert.deepEqual(await look(sound), { a: "pending" });
});

test("a job is told what its ancestors left, and a nested workflow leaves what its jobs left", async () => {
  const { flow, launch, manage, end, job } = await site();
  const inner = await flow({ nodes: { i: {} }, vars: { who: "inner" } });
  const outer = await launch(
    await flow({
      nodes: {
        a: { vars: { own: 1 }, limit: "web" },
        n: { kind: "workflow_template", id: inner },
        z: {},
      },
      edges: ["a-success>n", "n-success>z"],
      vars: { who: "outer" },
    }),
  );
  await manage();
  const a = await job(outer, "a");
  assert.deepEqual([a.extra_vars, a.spec.host_limit, a.launch_type, a.workflow_job_id], [
    { t: 1, own: 1, who: "outer" },
    "web",
    "workflow",
    outer.id,
  ]);
  await end(outer, "a", "successful", { version: "1.2", who: "artifact" });
  // The nested one was launched, begun, and its own node launched in one run.
  const nested = await job(outer, "n");
  assert.equal(nested.status, "running");
  assert.deepEqual((await job(nested, "i")).extra_vars, { t: 1, version: "1.2", who: "outer" });
  await end(nested, "i", "successful", { built: true });
  assert.equal((await job(outer, "n")).status, "successful");
  assert.deepEqual((await job(outer, "z")).extra_vars, { t: 1, version: "1.2", built: true, who: "outer" });
});

test("a nested workflow that fails is a failed node", async () => {
  const { flow, launch, manage, end, look, job } = await site();
  const inner = await flow({ nodes: { i: {} } });
  const outer = await launch(
    await flow({ nodes: { n: { kind: "workflow_template", id: inner }, z: {} }, edges: ["n-failure>z"] }),
  );
  await manage();
  await end(await job(outer, "n"), "i", "failed");
  assert.deepEqual(await look(outer), { n: "failed", z: "pending" });
});

test("a workflow that would nest itself is not launched, and the node says why", async () => {
  const { flow, launch, manage, look, sql } = await site();
  const one = await flow({ name: "one", nodes: {} });
  const two = await flow({ name: "two", nodes: { back: { kind: "workflow_template", id: one } } });
  await sql.unsafe(
    `insert into awx.workflow_node (workflow_template_id, identifier, template_kind, template_id)
     values ($1::bigint, 'there', 'workflow_template', $2::bigint), ($1::bigint, 'self', 'workflow_template', $1::bigint)`,
    [one, two],
  );
  const job = await launch(one);
  await manage();
  const { there, self } = await look(job);
  assert.match(there, /^Cannot nest workflow template \d+ in "one" \(job \d+\): it leads back to "one"/);
  assert.match(self, /: it is "one", which would nest itself$/);
  assert.equal((await jobById(sql, job.id)).status, "failed");
});

test("workflows are nested so deep and no deeper", async () => {
  const { flow, launch, manage, sql } = await site();
  let inner = await flow({ name: "level 0", nodes: { leaf: {} } });
  for (let level = 1; level <= MAX_DEPTH; level++) {
    inner = await flow({ name: `level ${level}`, nodes: { n: { kind: "workflow_template", id: inner } } });
  }
  const job = await launch(inner);
  // All of it in one run, down to where it ends and up again.
  await manage();
  assert.equal((await jobById(sql, job.id)).status, "failed");
  const [{ count }] = await sql.unsafe("select count(*)::int from awx.unified_job");
  assert.equal(count, MAX_DEPTH);
  const [{ error }] = await sql.unsafe("select error from awx.workflow_job_node where error <> ''");
  assert.match(error, new RegExp(`: ${MAX_DEPTH} workflows are around it`));
});

test("nodes in a circle fail the workflow at once instead of waiting for ever", async () => {
  const { flow, launch, manage, sql } = await site();
  const job = await launch(
    await flow({ nodes: { a: {}, b: {}, c: {} }, edges: ["a-success>b", "b-success>c", "c-success>b"] }),
  );
  await manage();
  const { status, job_explanation } = await jobById(sql, job.id);
  assert.deepEqual([status, job_explanation], [
    "failed",
    'Cannot run this workflow: its nodes wait for each other in a circle: "b", "c"',
  ]);
});

test("a workflow without nodes is successful", async () => {
  const { flow, launch, manage, sql } = await site();
  const job = await launch(await flow({ nodes: {} }));
  await manage();
  assert.equal((await jobById(sql, job.id)).status, "successful");
});

test("jobs of a template run one after another, first launched first, unless they may run at once", async () => {
  const { flow, launch, manage, end, sql } = await site();
  const single = await flow({ nodes: { a: {} } });
  const many = await flow({ nodes: { a: {} }, simultaneous: true });
  const [first, second, third] = [await launch(single), await launch(single), await launch(single)];
  const [other, another] = [await launch(many), await launch(many)];
  await manage();
  const statuses = async () =>
    await Promise.all(
      [first, second, third, other, another].map(async ({ id }) => (await jobById(sql, id)).status),
    );
  assert.deepEqual(await statuses(), ["running", "pending", "pending", "running", "running"]);
  // The next one begins in the run in which the one before ends.
  await end(first, "a", "successful");
  assert.deepEqual(await statuses(), ["successful", "running", "pending", "running", "running"]);
});

test("a job whose row is gone is not launched again: its node failed", async () => {
  const { flow, launch, manage, job, sql } = await site();
  const workflow = await launch(await flow({ nodes: { a: {}, b: {} }, edges: ["a-success>b"] }));
  await manage();
  const { id } = await job(workflow, "a");
  await sql.unsafe("delete from awx.unified_job where id = $1::bigint", [id]);
  await manage();
  const ended = await jobById(sql, workflow.id);
  assert.equal(ended.status, "failed");
  assert.match(ended.job_explanation, /node "a" \(its job is gone\)$/);
});

test("a canceled workflow has its jobs end, nested ones too, and ends when they have", async () => {
  const { flow, launch, manage, end, look, job, sql, client } = await site();
  const inner = await flow({ nodes: { runs: {}, later: {} }, edges: ["runs-always>later"] });
  const outer = await launch(
    await flow({
      nodes: { n: { kind: "workflow_template", id: inner }, waits: {}, z: {} },
      edges: ["n-always>z"],
    }),
  );
  await manage();
  const nested = await job(outer, "n");
  const uuid = "0199a2b4-0000-7000-8000-000000000001";
  await sql.unsafe(
    "update awx.unified_job set status = 'running', task_uuid = $1::uuid where id = $2::bigint",
    [uuid, (await job(nested, "runs")).id],
  );
  const asked = await client.transaction((tx, publish) => cancelJob(tx, publish, outer.id));
  assert.equal(asked.did, "canceling");
  const summary = await manage();
  assert.deepEqual([...summary!.cancel], [uuid]);
  assert.deepEqual(await look(outer), { n: "running", waits: "canceled", z: "skipped" });
  assert.deepEqual(await look(nested), { runs: "running", later: "skipped" });
  // Asked again as long as it runs, since the first time may have been lost.
  assert.deepEqual([...(await manage())!.cancel], [uuid]);
  await sql.unsafe("update awx.unified_job set task_uuid = null where task_uuid is not null");
  await end(nested, "runs", "canceled");
  const [ended, endedInner] = [await jobById(sql, outer.id), await jobById(sql, nested.id)];
  assert.deepEqual([ended.status, ended.job_explanation], ["canceled", "Canceled by an operator"]);
  assert.deepEqual([endedInner.status, endedInner.job_explanation], [
    "canceled",
    `Canceled with workflow job ${outer.id}`,
  ]);
});

test("a second run returns at once while the first one is under way", async () => {
  const { flow, launch, manage, client, look } = await site();
  const job = await launch(await flow({ nodes: { a: {} } }));
  await client.transaction(async (tx) => {
    await tx.unsafe("select pg_advisory_xact_lock(hashtextextended('awx.workflow_manager', 0))");
    assert.equal(await manage(), undefined);
  });
  assert.deepEqual(await look(job), { a: "" });
  assert.equal((await manage())?.launched, 1);
});

test("a run whose time is over commits what it has and publishes the next", async () => {
  const { flow, launch, manage, client, look } = await site();
  const job = await launch(await flow({ nodes: { a: {}, b: {}, c: {} } }));
  let asked = 0;
  const summary = await manage({ late: () => ++asked > 1 });
  assert.deepEqual([summary?.launched, summary?.late], [2, true]);
  assert.deepEqual(await look(job), { a: "pending", b: "pending", c: "" });
  assert.equal((await client.list({ task: "scheduler/run_workflow_manager" })).length, 1);
  assert.deepEqual([(await manage())?.launched, (await look(job)).c], [1, "pending"]);
});

test("a run that is late from the start launches something all the same", async () => {
  const { flow, launch, manage, look } = await site();
  const jobs = [
    await launch(await flow({ nodes: { a: {} } })),
    await launch(await flow({ nodes: { a: {} } })),
  ];
  const looked = async () => (await Promise.all(jobs.map(look))).map(({ a }) => a);
  await manage({ late: () => true });
  assert.deepEqual(await looked(), ["pending", ""]);
  await manage({ late: () => true });
  assert.deepEqual(await looked(), ["pending", "pending"]);
});

test("a run that fails in the middle leaves nothing, and the next one does all", async () => {
  const { flow, launch, manage, client, look, sql } = await site();
  const job = await launch(await flow({ nodes: { a: {}, b: {} } }));
  const late = () => {
    throw new Error("killed");
  };
  await assert.rejects(manage({ late }), /^Error: killed$/);
  assert.equal((await jobById(sql, job.id)).status, "pending");
  assert.deepEqual(await look(job), { a: "", b: "" });
  assert.equal((await client.list()).length, 0);
  assert.equal((await manage())?.launched, 2);
});

test("a run tells the task and the dependency manager of what it launched, once each", async () => {
  const { flow, launch, manage, client } = await site();
  await launch(await flow({ nodes: { a: {}, b: {}, c: {} } }));
  await manage();
  const told = (await client.list()).map(({ task }) => task).sort();
  assert.deepEqual(told, [
    "notifications/send_notifications",
    "scheduler/run_dependency_manager",
    "scheduler/run_task_manager",
  ]);
});

test("nothing of it stays behind", () => site.end());
