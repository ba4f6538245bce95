// @runtimes deno
/** The same as property.test.ts on the tables: both managers, with jobs that end by chance. */
import assert from "node:assert/strict";
import process from "node:process";
import fc from "fast-check";
import { cancelJob, finish } from "../../../tasks/jobs/model/endings.ts";
import { launch, type TemplateRef } from "../../../tasks/jobs/model/launch.ts";
import type { Db } from "../../../tasks/jobs/model/rows.ts";
import type { Publish } from "../../../tasks/jobs/model/trigger.ts";
import { isFinal, listJobs, type UnifiedJob } from "../../../tasks/jobs/model/unified_job.ts";
import { runDependencyManager } from "../../../tasks/managers/dependency_manager/run.ts";
import { loadWorld } from "../../../tasks/managers/task_manager/load.ts";
import { runTaskManager } from "../../../tasks/managers/task_manager/run.ts";
import { test, type TestContext } from "../../harness.ts";
import { checkUnderway } from "./laws.ts";
import { type Site, site } from "./site.ts";

/** RUNS=100 for a longer proof. */
const RUNS = Number(process.env.RUNS ?? 4);

/** Over the connections of the client's pool, which are open; what is published is of no matter here. */
async function inTransaction(
  { sql }: Site,
  work: (tx: Db, publish: Publish) => Promise<unknown>,
): Promise<void> {
  await sql.begin((tx) => work(tx, () => Promise.resolve({ uuid: crypto.randomUUID() })));
}

interface Launch {
  template: TemplateRef;
  priority: number;
}

/** Two projects, an inventory with two sources, three templates, three nodes in two groups. */
async function populated(t: TestContext): Promise<Site> {
  const made = await site(t);
  for (const [host, capacity] of [["n1", 3], ["n2", 5], ["n3", 2]] as const) {
    await made.instance(host, capacity, { gpu: 1 });
  }
  await made.insert("instance_group", {
    name: "two",
    max_concurrent_jobs: 2,
    max_forks: 0,
    all_instances: false,
  });
  await made.sql.unsafe("insert into awx.instance_group_member values (2, 'n1'), (2, 'n2')");
  const git = { scm_type: "git", update_cache_timeout: 0 };
  await made.insert("project", { ...git, name: "p1", update_on_launch: true });
  await made.insert("project", { ...git, name: "p2", update_on_launch: false });
  await made.insert("inventory", { name: "hosts" });
  const source = { inventory_id: 1, kind: "project", update_on_launch: true };
  await made.insert("inventory_source", { ...source, name: "s1", project_id: 1 });
  await made.insert("inventory_source", { ...source, name: "s2", project_id: 2, update_on_launch: false });
  const template = { kind: "command", inventory_id: 1, instance_group_ids: [] as number[] };
  await made.insert("job_template", { ...template, name: "t1", project_id: 1 });
  await made.insert("job_template", {
    ...template,
    name: "t2",
    project_id: 2,
    allow_simultaneous: true,
    instance_group_ids: [2, 1],
  });
  await made.insert("job_template", {
    ...template,
    name: "t3",
    inventory_id: null,
    allow_simultaneous: true,
    resources: { gpu: 1 },
  });
  return made;
}

const template: fc.Arbitrary<TemplateRef> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("job_template" as const), id: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("project" as const), id: fc.integer({ min: 1, max: 2 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("inventory_source" as const),
      id: fc.integer({ min: 1, max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "system" as const, id: 1 }) },
);
const script = fc.record({
  launches: fc.array(fc.record({ template, priority: fc.integer({ min: -2, max: 2 }) }), {
    minLength: 4,
    maxLength: 14,
  }),
  pace: fc.integer({ min: 1, max: 6 }),
  /** Of the jobs under way, every so many-th ends in a step; of those, every so many-th fails. */
  ends: fc.integer({ min: 1, max: 3 }),
  failures: fc.integer({ min: 2, max: 6 }),
});

async function end(made: Site, job: UnifiedJob, fails: boolean): Promise<void> {
  await inTransaction(
    made,
    (tx, publish) =>
      finish(tx, publish, {
        jobId: job.id,
        taskUuid: job.task_uuid,
        status: fails ? "failed" : "successful",
      }),
  );
}

async function play(
  made: Site,
  launches: Launch[],
  { pace, ends, failures }: { pace: number; ends: number; failures: number },
): Promise<void> {
  const nodes = await loadWorld(made.sql);
  let ended = 0;
  for (let step = 0;; step++) {
    assert.ok(step < 200, "it does not come to an end");
    for (const { template, priority } of launches.splice(0, pace)) {
      await launch(made.sql, template, { priority });
    }
    await inTransaction(made, runDependencyManager);
    await inTransaction(made, runTaskManager);
    const jobs = await listJobs(made.sql, { limit: 1_000 });
    checkUnderway(jobs, nodes);
    const open = jobs.filter(({ status }) => !isFinal(status));
    if (open.length === 0 && launches.length === 0) return;
    const underway = open.filter(({ status }) => status !== "pending");
    // What failed lets what waits for it fail in the next run.
    const broken = open.some(({ depends_on }) =>
      jobs.some(({ id, status }) => depends_on.includes(id) && isFinal(status))
    );
    assert.ok(underway.length > 0 || broken || launches.length > 0, "it is stuck");
    for (const [n, job] of underway.entries()) {
      if (n % ends === 0) await end(made, job, ++ended % failures === 0);
    }
    const pending = open.filter(({ status }) => status === "pending");
    if (step % 7 === 6 && pending.length > 0) {
      await inTransaction(made, (tx, publish) => cancelJob(tx, publish, pending[0].id));
    }
  }
}

test("random launches from real tables never break a rule, and all of them come to an end", {
  timeout: 60_000 + RUNS * 3_000,
}, async (t) => {
  const made = await populated(t);
  await fc.assert(
    fc.asyncProperty(script, async ({ launches, ...chance }) => {
      await made.sql.unsafe("truncate awx.unified_job cascade");
      await play(made, [...launches], chance);
    }),
    { numRuns: RUNS },
  );
});
