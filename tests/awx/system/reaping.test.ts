// @runtimes bun
/** Which nodes are gone, and what becomes of their jobs. */
import assert from "node:assert/strict";
import { finish } from "../../../tasks/jobs/model/endings.ts";
import { notificationUuid } from "../../../tasks/jobs/model/notify.ts";
import { jobById } from "../../../tasks/jobs/model/unified_job.ts";
import { anySilent, writeBeat } from "../../../tasks/system/heartbeat/instances.ts";
import { fateOf, type Lease } from "../../../tasks/system/reaping/fate.ts";
import { reap, type Reaped } from "../../../tasks/system/reaping/reap.ts";
import { test } from "../../harness.ts";
import { type AwxDatabase, awxDatabase } from "../database.ts";
import { instance, instanceOf, jobOn } from "./site.ts";

const GRACE = 60;

function lease(name: string, state = "running", started_at = "2020-01-01T00:00:00Z"): Lease {
  return { name, state, alive: ["running", "draining"].includes(state), started_at };
}

function look({ client }: AwxDatabase, leases: Lease[]): Promise<Reaped> {
  return client.transaction((tx, publish) => reap(tx, publish, leases, GRACE));
}

test("fateOf() believes the lease that a node is there, and the heartbeat that it is gone", () => {
  const fates = [
    [5, "running", "up"],
    [61, "running", "late"],
    [null, "running", "late"],
    [5, "draining", "draining"],
    [61, "draining", "draining"],
    [5, "stopped", "silent"],
    [59, "lost", "silent"],
    [61, "lost", "gone"],
    [61, "stopped", "gone"],
    [null, "stopped", "gone"],
  ] as const;
  for (const [silence, state, fate] of fates) {
    assert.equal(fateOf(silence, lease("n", state), GRACE), fate, `${silence} ${state}`);
  }
  assert.equal(fateOf(5, undefined, GRACE), "silent");
  assert.equal(fateOf(61, undefined, GRACE), "gone");
});

test("the jobs of a node that is gone end as errors that name it and the time", async (t) => {
  const site = await awxDatabase(t);
  await instance(site, "dead", { silent: 61 });
  await instance(site, "well");
  const [running, waiting, other] = [
    await jobOn(site, "dead"),
    await jobOn(site, "dead", "waiting"),
    await jobOn(site, "well"),
  ];
  const done = await look(site, [lease("dead", "lost"), lease("well")]);
  assert.deepEqual(done.fates, { dead: "gone" });
  assert.deepEqual(done.reaped, [running.id, waiting.id]);
  assert.deepEqual(done.envelopes, [running.task_uuid, waiting.task_uuid]);
  const [{ at }] = await site.sql.unsafe(
    `select to_char(last_seen at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS') at from awx.instance
     where hostname = 'dead'`,
  );
  for (const { id, status } of [running, waiting]) {
    const job = await jobById(site.sql, id);
    assert.equal(job.status, "error");
    assert.match(
      job.job_explanation,
      new RegExp(`^Node "dead" is gone: it was last seen at ${at}\\.\\d+Z; the job was ${status} there$`),
    );
    assert.ok(job.finished !== null && job.events_closed_at !== null);
    assert.equal((await site.client.find(notificationUuid(id, "error"))).length, 1);
  }
  assert.equal((await jobById(site.sql, other.id)).status, "running");
  const dead = await instanceOf(site, "dead");
  assert.equal(dead?.capacity, 0);
  assert.match(dead!.errors, /^Node "dead" is gone/);
  assert.equal((await instanceOf(site, "well"))?.capacity, 8);
});

test("a late verdict does not overwrite the reaper's, nor does a second reaper", async (t) => {
  const site = await awxDatabase(t);
  await instance(site, "dead", { silent: 61 });
  const job = await jobOn(site, "dead");
  const twice = await Promise.all([look(site, [lease("dead", "lost")]), look(site, [])]);
  assert.deepEqual(twice.flatMap(({ reaped }) => reaped), [job.id]);
  const late = await site.client.transaction((tx, publish) =>
    finish(tx, publish, { jobId: job.id, taskUuid: job.task_uuid, status: "successful" })
  );
  assert.equal(late, undefined);
  assert.equal((await jobById(site.sql, job.id)).status, "error");
});

test("a node whose lease lives is busy, not gone: it keeps its capacity and its jobs", async (t) => {
  const site = await awxDatabase(t);
  await instance(site, "busy", { silent: 600 });
  const job = await jobOn(site, "busy");
  const done = await look(site, [lease("busy")]);
  assert.deepEqual([done.fates, done.reaped], [{ busy: "late" }, []]);
  assert.equal((await jobById(site.sql, job.id)).status, "running");
  const { capacity, errors } = (await instanceOf(site, "busy"))!;
  assert.equal(capacity, 8);
  assert.match(errors, /it may be busy/);
});

test("what a node ran before it was started anew is reaped; what waits there, or runs since, is not", async (t) => {
  const site = await awxDatabase(t);
  await instance(site, "again");
  const [before, waiting] = [await jobOn(site, "again"), await jobOn(site, "again", "waiting")];
  const [{ now }] = await site.sql.unsafe("select to_jsonb(clock_timestamp()) #>> '{}' now");
  const since = await jobOn(site, "again");
  const done = await look(site, [lease("again", "running", now)]);
  assert.deepEqual([done.fates, done.reaped], [{}, [before.id]]);
  const { status, job_explanation } = await jobById(site.sql, before.id);
  assert.equal(status, "error");
  assert.match(job_explanation, /^Node "again" was started anew at .*Z; the job was running there$/);
  assert.equal((await jobById(site.sql, waiting.id)).status, "waiting");
  assert.equal((await jobById(site.sql, since.id)).status, "running");
});

test("a node without a lease has no capacity at once, and its jobs have until the grace is over", async (t) => {
  const site = await awxDatabase(t);
  await instance(site, "away", { silent: 40 });
  await instance(site, "idle", { silent: 55 });
  const job = await jobOn(site, "away");
  const done = await look(site, [lease("away", "lost"), lease("idle", "stopped")]);
  assert.deepEqual([done.fates, done.reaped], [{ away: "silent", idle: "silent" }, []]);
  assert.ok(done.next! > 15 && done.next! <= 20, `${done.next}`);
  assert.equal((await jobById(site.sql, job.id)).status, "running");
  assert.deepEqual(await instanceOf(site, "idle"), { capacity: 0, errors: "It was stopped" });
  assert.deepEqual(await instanceOf(site, "away"), {
    capacity: 0,
    errors: "Its lease has ended: it does not answer",
  });
});

test("a draining node takes nothing: what waits there is pending again, what runs goes on", async (t) => {
  const site = await awxDatabase(t);
  await instance(site, "leaving");
  const [running, waiting] = [await jobOn(site, "leaving"), await jobOn(site, "leaving", "waiting")];
  const done = await look(site, [lease("leaving", "draining")]);
  assert.deepEqual([done.givenBack, done.envelopes], [[waiting.id], [waiting.task_uuid]]);
  const { status, task_uuid, execution_node } = await jobById(site.sql, waiting.id);
  assert.deepEqual([status, task_uuid, execution_node], ["pending", null, ""]);
  assert.equal((await jobById(site.sql, running.id)).status, "running");
  assert.equal((await instanceOf(site, "leaving"))?.capacity, 0);
  const managers = await site.client.list({ task: "scheduler/run_task_manager" });
  assert.equal(managers.length, 1);
});

test("a job that was to be canceled is canceled; one of a node that nobody knows is reaped", async (t) => {
  const site = await awxDatabase(t);
  await instance(site, "dead", { silent: 61 });
  const [canceled, stray] = [await jobOn(site, "dead"), await jobOn(site, "never")];
  await site.sql.unsafe("update awx.unified_job set cancel_flag = true where id = $1::bigint", [canceled.id]);
  await site.sql.unsafe(
    "insert into awx.unified_job (kind, name, status) values ('workflow_job', 'flow', 'running')",
  );
  await look(site, []);
  assert.equal((await jobById(site.sql, canceled.id)).status, "canceled");
  const job = await jobById(site.sql, stray.id);
  assert.equal(job.status, "error");
  assert.match(job.job_explanation, /^Node "never" is gone: it was never seen;/);
  const [flow] = await site.sql.unsafe("select status from awx.unified_job where kind = 'workflow_job'");
  assert.equal(flow.status, "running");
});

test("writeBeat() blends capacity, and leaves to operators what is theirs", async (t) => {
  const site = await awxDatabase(t);
  const { sql } = site;
  const beat = {
    hostname: "n1",
    cpu: 2,
    memoryMb: 4_096,
    cpuCapacity: 8,
    memCapacity: 21,
    resources: { cpu: 2, gpu: 1 },
    version: "1.2.3",
    draining: false,
    errors: "",
  };
  assert.equal(await writeBeat(sql, beat), 21);
  const blended = async (adjustment: number) => {
    await sql.unsafe("update awx.instance set capacity_adjustment = $1::numeric", [adjustment]);
    return await writeBeat(sql, beat);
  };
  assert.deepEqual([await blended(0), await blended(0.5), await blended(1)], [8, 14, 21]);
  assert.equal(await writeBeat(sql, { ...beat, draining: true }), 0);
  await sql.unsafe("update awx.instance set enabled = false");
  assert.equal(await writeBeat(sql, beat), 0);
  await sql.unsafe("update awx.instance set enabled = true, errors = 'It does not answer'");
  assert.equal(await writeBeat(sql, beat), 21);
  assert.deepEqual(await instanceOf(site, "n1"), { capacity: 21, errors: "" });
});

test("anySilent() tells of others that are not heard of, as long as something follows from it", async (t) => {
  const site = await awxDatabase(t);
  await instance(site, "me", { silent: 100 });
  await instance(site, "dead", { silent: 100, capacity: 0 });
  assert.equal(await anySilent(site.sql, "me", GRACE), false);
  await jobOn(site, "dead");
  assert.equal(await anySilent(site.sql, "me", GRACE), true);
  assert.equal(await anySilent(site.sql, "me", 200), false);
});
