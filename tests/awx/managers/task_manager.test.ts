// @runtimes deno
/** The task manager on its tables: what it reads and writes, and what a run that does not come to its end leaves. */
import assert from "node:assert/strict";
import { finish } from "../../../tasks/jobs/model/endings.ts";
import { launch } from "../../../tasks/jobs/model/launch.ts";
import { writeSetting } from "../../../tasks/jobs/model/settings.ts";
import { pendingByTurn } from "../../../tasks/managers/task_manager/load.ts";
import { byTurn } from "../../../tasks/managers/task_manager/order.ts";
import { runTaskManager } from "../../../tasks/managers/task_manager/run.ts";
import type { PendingJob } from "../../../tasks/managers/task_manager/world.ts";
import { eventually, test } from "../../harness.ts";
import { sharedSite, type Site } from "./site.ts";

const site = sharedSite();

const MANAGER = "scheduler/run_task_manager";

test("a job that fits waits on its node: its row and its envelope name each other", async () => {
  const made = await site();
  await made.instance("n1", 10);
  const id = await made.pending({ priority: -7, task_impact: 4, job_explanation: "Needs 4" });
  assert.deepEqual(await made.taskManager(), {
    started: 1,
    ended: 0,
    explained: 0,
    lost: 0,
    seen: 1,
    more: false,
  });
  const job = await made.job(id);
  assert.deepEqual([job.status, job.execution_node, job.instance_group_id, job.job_explanation], [
    "waiting",
    "n1",
    1,
    "",
  ]);
  assert.deepEqual(await made.sent("jobs/"), [
    { uuid: job.task_uuid, queue: "n1", args: [id], priority: -7 },
  ]);
});

test("what may have dependencies waits for a look at them, anything else does not", async () => {
  const made = await site();
  await made.instance("n1", 10);
  const ids = [];
  for (const kind of ["job", "inventory_update", "ad_hoc_command", "project_update"]) {
    ids.push(await made.pending({ kind, dependencies_processed: false }));
  }
  await made.taskManager();
  const statuses = (await Promise.all(ids.map(made.job))).map(({ status }) => status);
  assert.deepEqual(statuses, ["pending", "pending", "waiting", "waiting"]);
});

test("a priority that no envelope may have is brought into its range", async () => {
  const made = await site();
  await made.instance("n1", 10);
  await made.pending({ priority: 100_000 });
  await made.taskManager();
  assert.deepEqual((await made.sent("jobs/")).map(({ priority }) => priority), [32_767]);
});

test("members, limits and offers of groups and nodes are read, and what runs is counted", async () => {
  const made = await site();
  await made.instance("n1", 10, { gpu: 1 });
  await made.instance("n2", 50);
  await made.sql.unsafe("update awx.instance set cpu = 2, memory_mb = 512");
  const group = await made.insert("instance_group", {
    name: "small",
    max_concurrent_jobs: 2,
    max_forks: 9,
    all_instances: false,
  });
  await made.sql.unsafe("insert into awx.instance_group_member values ($1::bigint, 'n1')", [group]);
  const own = { instance_group_ids: [group], task_impact: 3 };
  await made.pending({ ...own, status: "running", execution_node: "n1", instance_group_id: group });
  const resources = { gpu: 1, cpu: 2, memoryMb: 512 };
  const fits = await made.pending({ ...own, resources });
  const [late, odd, anywhere] = [
    await made.pending(own),
    await made.pending({ resources: { memoryMb: 513 } }),
    await made.pending(),
  ];
  await made.taskManager();
  assert.equal((await made.job(fits)).execution_node, "n1");
  assert.equal((await made.job(late)).job_explanation, "Group small runs its 2 jobs");
  assert.equal((await made.job(odd)).job_explanation, "No instance of group default has memoryMb 513");
  assert.equal((await made.job(anywhere)).execution_node, "n2");
});

test("the turn of SQL is that of the function", async () => {
  const made = await site();
  await made.sql.unsafe(
    `insert into awx.unified_job (kind, name, dependencies_processed, priority, created)
     select 'ad_hoc_command', 'ping', true, n * 7 % 5 - 2, now() - n * 37 % 600 * interval '1 second'
     from generate_series(1, 600) n`,
  );
  const jobs = await made.client.transaction(async (tx) => {
    const found: PendingJob[] = [];
    for await (const portion of pendingByTurn(tx)) found.push(...portion);
    return found;
  });
  assert.equal(jobs.length, 600);
  assert.deepEqual(jobs.map(({ id }) => id), jobs.toSorted(byTurn).map(({ id }) => id));
});

test("why a job waits is written when it changes, and not again", async () => {
  const made = await site();
  await made.instance("n1", 3);
  const ids: number[] = [];
  for (let n = 0; n < 4; n++) ids.push(await made.pending({ task_impact: 2 }));
  const explained = async () => {
    const report = await made.taskManager();
    return "explained" in report && report.explained;
  };
  assert.deepEqual([await explained(), await explained()], [3, 0]);
  const texts = async () => (await Promise.all(ids.map(made.job))).map((job) => job.job_explanation);
  const behind = "Waits behind earlier jobs for capacity in group default";
  assert.deepEqual(await texts(), ["", "Needs 2: n1 has 1 of 3 left", behind, behind]);
  await made.set(ids[0], { status: "successful" });
  assert.equal(await explained(), 1);
});

test("when an update fails, all that wait for it fail, up the whole chain, and say of what", async () => {
  const made = await site();
  await made.instance("n1", 10);
  const project = await made.insert("project", { name: "site", scm_type: "git", update_on_launch: true });
  const inventory = await made.insert("inventory", { name: "hosts" });
  await made.insert("inventory_source", {
    name: "cloud",
    inventory_id: inventory,
    kind: "project",
    project_id: project,
    update_on_launch: true,
  });
  const template = await made.insert("job_template", {
    name: "deploy",
    kind: "playbook",
    inventory_id: inventory,
  });
  const { id } = await launch(made.sql, { kind: "job_template", id: template });
  await made.dependencyManager();
  await made.taskManager();
  const [update] = await made.sql.unsafe(
    "select id::int, task_uuid from awx.unified_job where kind = 'project_update' and status = 'waiting'",
  );
  await made.client.transaction((tx, publish) =>
    finish(tx, publish, { jobId: update.id, taskUuid: update.task_uuid, status: "failed" })
  );
  const imports = (await made.job(id)).depends_on[0];
  for (let run = 0; run < 2; run++) await made.taskManager();
  const ends = await Promise.all([imports, id].map(made.job));
  assert.deepEqual(ends.map((job) => [job.status, job.job_explanation]), [
    ["failed", `A previous task failed: project update ${update.id} (site)`],
    ["failed", `A previous task failed: inventory update ${imports} (hosts: cloud)`],
  ]);
  for (const job of ends) assert.ok(job.events_closed_at && job.finished, "nobody waits for its events");
  assert.equal((await made.sent("notifications/")).length, 2);
});

test("a run starts no more than START_TASK_LIMIT, and sends another for the rest", async () => {
  const made = await site();
  await made.instance("n1", 1_000);
  await writeSetting(made.sql, "START_TASK_LIMIT", 3);
  for (let n = 0; n < 4; n++) await made.pending();
  const report = await made.taskManager();
  assert.deepEqual([report, (await made.sent(MANAGER)).length], [
    { started: 3, ended: 0, explained: 0, lost: 0, seen: 3, more: true },
    1,
  ]);
});

test("what is pending for longer than TASK_MANAGER_PENDING_TIMEOUT fails", async () => {
  const made = await site();
  await writeSetting(made.sql, "TASK_MANAGER_PENDING_TIMEOUT", 60);
  const old = new Date(Date.now() - 90_000).toISOString();
  const ids = [await made.pending({ created: old }), await made.pending()];
  await made.taskManager();
  assert.deepEqual((await Promise.all(ids.map(made.job))).map(({ status }) => status), ["failed", "pending"]);
});

test("a second run beside the first returns at once", async () => {
  const made = await site();
  await made.instance("n1", 10);
  await made.pending();
  const [first, second] = await made.client.transaction(async (tx, publish) => {
    const report = await runTaskManager(tx, publish);
    return [report, await made.taskManager()];
  });
  assert.deepEqual(second, { skipped: true });
  assert.equal("started" in first && first.started, 1);
});

test("a run whose time is over commits what it has, and sends another one", async () => {
  const made = await site();
  await made.instance("n1", 1_000);
  for (let n = 0; n < 9; n++) await made.pending();
  await writeSetting(made.sql, "TASK_MANAGER_TIMEOUT", 5);
  // Each look at the clock is a second later.
  let seconds = 0;
  const report = await made.taskManager({ now: () => 1_000 * seconds++ });
  assert.deepEqual(report, { started: 4, ended: 0, explained: 0, lost: 0, seen: 4, more: true });
  assert.equal((await made.sent(MANAGER)).length, 1);
  // With no time at all nothing is done, and nothing would be done by another one at once.
  await made.taskManager({ now: () => Infinity });
  assert.equal((await made.sent(MANAGER)).length, 1);
});

/** Neither an envelope without its job nor a job without its envelope. */
async function wholes({ sql, sent }: Site): Promise<number> {
  const envelopes = (await sent("jobs/")).map(({ uuid, args }) => `${(args as number[])[0]} ${uuid}`);
  const jobs = await sql.unsafe("select id, task_uuid from awx.unified_job where status = 'waiting'");
  assert.deepEqual(envelopes.sort(), jobs.map(({ id, task_uuid }) => `${id} ${task_uuid}`).sort());
  return jobs.length;
}

test("a run that loses its connection in the middle leaves nothing behind", async () => {
  const made = await site();
  await made.instance("n1", 1_000);
  for (let n = 0; n < 40; n++) await made.pending();
  const killed = made.client.transaction(async (tx, publish) => {
    const [{ pid }] = await tx.unsafe("select pg_backend_pid() pid");
    let sent = 0;
    return await runTaskManager(tx, async (...call) => {
      if (++sent === 20) await made.sql.unsafe("select pg_terminate_backend($1::int)", [pid]);
      return await publish(...call as Parameters<typeof publish>);
    });
  });
  // Whoever writes first to a connection that is gone says it in his own words.
  await assert.rejects(killed);
  await eventually(async () => assert.equal(await wholes(made), 0));
  assert.deepEqual(await made.sent(MANAGER), []);
  await made.taskManager();
  assert.equal(await wholes(made), 40);
});

test("whom somebody else has locked is left to the next run, and gets no envelope", async () => {
  const made = await site();
  await made.instance("n1", 10);
  const ids = [await made.pending(), await made.pending()];
  await made.client.transaction(async (tx) => {
    await tx.unsafe("select from awx.unified_job where id = $1::bigint for update", [ids[0]]);
    await made.taskManager();
    assert.equal(await wholes(made), 1);
  });
  assert.deepEqual((await Promise.all(ids.map(made.job))).map(({ status }) => status), [
    "pending",
    "waiting",
  ]);
  await made.taskManager();
  assert.equal(await wholes(made), 2);
});

test("the database of these tests goes", () => site.end());
