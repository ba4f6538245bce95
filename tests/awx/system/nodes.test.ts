// @runtimes bun
/** Heartbeats, reaping and draining with real nodes. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeSetting } from "../../../tasks/jobs/model/settings.ts";
import { jobById } from "../../../tasks/jobs/model/unified_job.ts";
import { eventually, tempDir, test } from "../../harness.ts";
import { type AwxCluster, awxCluster, GRACE } from "./nodes.ts";
import { instanceOf, jobOn } from "./site.ts";

const PATIENCE = { within: 30_000, every: 50 };

/** Start a job on a node for real. */
async function runJob(site: AwxCluster, node: string, gate: string): Promise<number> {
  const { id, task_uuid } = await jobOn(site, node, "waiting");
  await site.client.publish("works", [id, gate], { queue: node, uuid: task_uuid! });
  await eventually(async () => (await jobById(site.sql, id)).status === "running", PATIENCE);
  return id;
}

/** Wait for an instance to be so. */
async function until(
  site: AwxCluster,
  name: string,
  is: (found: { capacity: number; errors: string }) => unknown,
) {
  await eventually(async () => {
    const found = await instanceOf(site, name);
    return found && is(found);
  }, PATIENCE);
}

test("a killed node has no capacity and its job is reaped; a frozen one's late verdict does not count", {
  timeout: 120_000,
}, async (t) => {
  const site = await awxCluster(t);
  await site.sql.unsafe("create table public.verdict (job_id bigint, counted boolean)");
  const [, killed, frozen] = await Promise.all(["one", "two", "three"].map((name) => site.start(name)));
  for (const name of ["one", "two", "three"]) await until(site, name, ({ capacity }) => capacity > 0);
  const gate = join(tempDir(), "gate");
  const [ofOne, ofTwo, ofThree] = [
    await runJob(site, "one", gate),
    await runJob(site, "two", gate),
    await runJob(site, "three", gate),
  ];
  killed.kill("SIGKILL");
  // Its workers go on, and have connections of their own.
  frozen.kill("SIGSTOP");
  for (const [id, name] of [[ofTwo, "two"], [ofThree, "three"]] as const) {
    await eventually(async () => (await jobById(site.sql, id)).status === "error", PATIENCE);
    const { job_explanation } = await jobById(site.sql, id);
    assert.match(job_explanation, new RegExp(`^Node "${name}" is gone: it was last seen at \\d{4}-.*Z; `));
    const [{ silence }] = await site.sql.unsafe(
      `select extract(epoch from finished - last_seen)::float8 silence
       from awx.unified_job join awx.instance on hostname = execution_node where id = $1::bigint`,
      [id],
    );
    assert.ok(silence > GRACE, `${silence}`);
    assert.equal((await instanceOf(site, name))?.capacity, 0);
  }
  assert.equal((await jobById(site.sql, ofOne)).status, "running");
  writeFileSync(gate, "");
  const verdicts = await eventually(async () => {
    const found = await site.sql.unsafe("select job_id::int id, counted from public.verdict order by 1");
    return found.length === 2 ? found.map(({ id, counted }) => [id, counted]) : undefined;
  }, PATIENCE);
  assert.deepEqual(verdicts, [[ofOne, true], [ofThree, false]]);
  assert.equal((await jobById(site.sql, ofThree)).status, "error");
  assert.equal((await jobById(site.sql, ofOne)).status, "successful");
  frozen.kill("SIGCONT");
  const second = await site.start("two");
  for (const name of ["two", "three"]) {
    await until(site, name, ({ capacity, errors }) => capacity > 0 && errors === "");
  }
  // Nobody runs again what was reaped: its envelope is over.
  const [{ task_uuid }] = await site.sql.unsafe(
    "select task_uuid::text from awx.unified_job where id = $1::bigint",
    [ofTwo],
  );
  assert.equal((await site.row(task_uuid)).state, "cancelled");
  // Killed and back before anybody misses it, it has lost its jobs all the same.
  const left = await runJob(site, "two", join(tempDir(), "never"));
  second.kill("SIGKILL");
  await second.exited;
  await site.start("two");
  await eventually(async () => (await jobById(site.sql, left)).status === "error", PATIENCE);
  assert.match((await jobById(site.sql, left)).job_explanation, /^Node "two" was started anew at \d{4}-/);
});

test("a draining node has no capacity and gives back what waits; a busy one keeps its jobs", {
  timeout: 120_000,
}, async (t) => {
  const site = await awxCluster(t);
  await Promise.all([site.start("one"), site.start("leaving"), site.start("busy", { workers: 1 })]);
  for (const name of ["one", "leaving", "busy"]) await until(site, name, ({ capacity }) => capacity > 0);
  const gate = join(tempDir(), "gate");
  await site.sql.unsafe("create table public.verdict (job_id bigint, counted boolean)");
  const ofBusy = await runJob(site, "busy", gate);
  await site.client.control("drain", {}, { channel: "leaving", expected: 1, timeout: 5 });
  const waits = await jobOn(site, "leaving", "waiting");
  await site.client.publish("works", [waits.id, gate], { queue: "leaving", uuid: waits.task_uuid! });
  await until(site, "leaving", ({ capacity, errors }) => capacity === 0 && /draining/.test(errors));
  await eventually(async () => (await jobById(site.sql, waits.id)).status === "pending", PATIENCE);
  await site.until(waits.task_uuid!, ({ state }) => state === "cancelled");
  // Its only slot is taken, so that its heartbeat waits; its lease says that it lives.
  await until(site, "busy", ({ capacity, errors }) => capacity > 0 && /it may be busy/.test(errors));
  await site.client.control("resume", {}, { channel: "leaving", expected: 1, timeout: 5 });
  await until(site, "leaving", ({ capacity, errors }) => capacity > 0 && errors === "");
  assert.equal((await jobById(site.sql, ofBusy)).status, "running");
  writeFileSync(gate, "");
  await eventually(async () => (await jobById(site.sql, ofBusy)).status === "successful", PATIENCE);
  await until(site, "busy", ({ capacity, errors }) => capacity > 0 && errors === "");
});

test(
  "clean-up tasks run on every node that they are for, and wait for what is in use",
  { timeout: 120_000 },
  async (t) => {
    const site = await awxCluster(t);
    const { sql, client } = site;
    const [projects, jobs] = [tempDir(), tempDir()];
    await writeSetting(sql, "PROJECTS_ROOT", projects);
    await writeSetting(sql, "JOB_ROOT", jobs);
    mkdirSync(join(projects, "_1_web"));
    await Promise.all(["one", "two"].map((name) => site.start(name)));
    const deleted = await client.publish("system/delete_project_files", ["_1_web"], { queue: "broadcast" });
    const byNode = Object.values(await deleted.result() as Record<string, { deleted: boolean }>);
    // On one disk both may have deleted it.
    assert.equal(byNode.length, 2);
    assert.ok(byNode.some(({ deleted }) => deleted));
    assert.ok(!existsSync(join(projects, "_1_web")));
    await sql.unsafe("insert into awx.project (name, local_path) values ('own', '/srv/own')");
    await sql.unsafe(
      "insert into awx.project (name, scm_type, local_path) values ('git', 'git', '_2_git')",
    );
    mkdirSync(join(projects, "_2_git"));
    const files = (project: unknown) =>
      client.publish("system/delete_project_files", [project], { queue: "one" });
    await assert.rejects((await files(1)).result(), /"own": it has no repository/);
    await assert.rejects((await files("/etc")).result(), /Cannot delete "\/etc"/);
    assert.deepEqual(await (await files(2)).result(), { path: "_2_git", deleted: true });
    const purged = await client.publish("awx.main.tasks.system.purge_old_stdout_files");
    assert.deepEqual(await purged.result(), { dropped: [], inUse: [], deleted: 0, directories: 0 });

    await sql.unsafe("insert into awx.inventory (name) values ('hosts')");
    const job = await jobOn(site, "one");
    await sql.unsafe("update awx.unified_job set inventory_id = 1");
    const going = await client.publish("system/delete_inventory", [1]);
    await site.until(going.uuid, ({ state }) => state === "retryable");
    await sql.unsafe("update awx.unified_job set status = 'failed' where id = $1::bigint", [job.id]);
    await client.retry([going.uuid]);
    assert.deepEqual(await going.result(), { deleted: true });
    assert.deepEqual(await (await client.publish("system/delete_inventory", [1])).result(), {
      deleted: false,
    });
  },
);
