// @runtimes deno
/** Everybody at once: managers beside one another, launches, ends and cancels. */
import assert from "node:assert/strict";
import { cancelJob, finish } from "../../../tasks/jobs/model/endings.ts";
import { launch } from "../../../tasks/jobs/model/launch.ts";
import { trigger } from "../../../tasks/jobs/model/trigger.ts";
import { begin, isFinal, listJobs } from "../../../tasks/jobs/model/unified_job.ts";
import { loadWorld } from "../../../tasks/managers/task_manager/load.ts";
import { test } from "../../harness.ts";
import { checkUnderway } from "./laws.ts";
import { site } from "./site.ts";

const JOBS = 30;

test("a crowd that launches, runs, ends and cancels while managers run beside one another waits for nobody in a circle", async (t) => {
  const made = await site(t);
  for (const [host, capacity] of [["n1", 6], ["n2", 9]] as const) await made.instance(host, capacity);
  const project = await made.insert("project", { name: "p", scm_type: "git", update_on_launch: true });
  const inventory = await made.insert("inventory", { name: "i" });
  const source = { inventory_id: inventory, name: "s", kind: "project", project_id: project };
  await made.insert("inventory_source", { ...source, update_on_launch: true });
  const template = await made.insert("job_template", {
    name: "t",
    kind: "command",
    project_id: project,
    inventory_id: inventory,
    allow_simultaneous: true,
  });
  const { client, sql } = made;
  const nodes = await loadWorld(sql);
  let launched = 0;
  let over = false;
  let skipped = 0;

  /** Again and again, until all is over. A deadlock, or any other error, fails the test. */
  const loop = async (work: () => Promise<unknown>) => {
    while (!over) await work();
  };
  const launches = async () => {
    while (launched < JOBS) {
      launched++;
      await client.transaction(async (tx, publish) => {
        await launch(tx, { kind: "job_template", id: template });
        await trigger(publish);
      });
    }
  };
  const runs = async (part: number) => {
    for (const job of await listJobs(sql, { status: ["waiting", "running"] })) {
      if (job.id % 2 !== part) continue;
      const taskUuid = job.task_uuid!;
      await begin(sql, { jobId: job.id, taskUuid, node: job.execution_node });
      const status = job.cancel_flag ? "canceled" : job.id % 9 === 8 ? "failed" : "successful";
      await client.transaction((tx, publish) =>
        finish(tx, publish, { jobId: job.id, taskUuid, status, closesEvents: true })
      );
    }
  };
  const cancels = async () => {
    const [some] = await listJobs(sql, { status: ["pending", "waiting"], limit: 1 });
    if (some && some.id % 5 === 0) await client.transaction((tx, publish) => cancelJob(tx, publish, some.id));
  };
  const watches = async () => {
    const jobs = await listJobs(sql, { limit: 1_000 });
    checkUnderway(jobs, nodes);
    over = launched >= JOBS && jobs.length >= JOBS && jobs.every(({ status }) => isFinal(status));
  };
  const manages = async () => {
    if ("skipped" in await made.taskManager()) skipped++;
  };
  try {
    await Promise.all([
      launches(),
      launches(),
      loop(manages),
      loop(manages),
      loop(() => made.dependencyManager()),
      loop(() => runs(0)),
      loop(() => runs(1)),
      loop(cancels),
      loop(watches),
    ]);
  } finally {
    over = true;
  }
  assert.ok(skipped > 0, "no two runs were beside each other");
  const ends = await sql.unsafe("select status, count(*)::int n from awx.unified_job group by 1");
  assert.ok(ends.some(({ status }) => status === "successful"));
});
