// @runtimes deno
/** The dependency manager on its tables. */
import assert from "node:assert/strict";
import { launch } from "../../../tasks/jobs/model/launch.ts";
import { runDependencyManager } from "../../../tasks/managers/dependency_manager/run.ts";
import { writeSetting } from "../../../tasks/jobs/model/settings.ts";
import { test } from "../../harness.ts";
import { sharedSite, type Site } from "./site.ts";

const site = sharedSite();

interface Deployment extends Site {
  project: number;
  inventory: number;
  source: number;
  launch(): Promise<number>;
  updates(): Promise<{ id: number; kind: string; depends_on: number[]; launch_type: string }[]>;
}

/** A template with a project and an inventory that is filled from it, all of which update on launch. */
async function deployment(values: Record<string, unknown> = {}): Promise<Deployment> {
  const made = await site();
  const project = await made.insert("project", { name: "site", scm_type: "git", update_on_launch: true });
  const inventory = await made.insert("inventory", { name: "hosts" });
  const source = await made.insert("inventory_source", {
    name: "cloud",
    inventory_id: inventory,
    kind: "project",
    project_id: project,
    update_on_launch: true,
  });
  const template = await made.insert("job_template", {
    name: "deploy",
    kind: "playbook",
    project_id: project,
    inventory_id: inventory,
    allow_simultaneous: true,
    ...values,
  });
  return {
    ...made,
    project,
    inventory,
    source,
    launch: async () => (await launch(made.sql, { kind: "job_template", id: template })).id,
    updates: async () =>
      (await made.sql.unsafe(
        `select jsonb_build_object('id', id, 'kind', kind, 'depends_on', depends_on, 'launch_type', launch_type) one
         from awx.unified_job where kind in ('project_update', 'inventory_update') order by id`,
      )).map(({ one }) => one),
  };
}

test("a job gets the updates that it needs, the inventory's behind the project's", async () => {
  const made = await deployment({ priority: -4 });
  const id = await made.launch();
  assert.deepEqual(await made.dependencyManager(), { processed: 1, created: 2, more: false });
  const [project, inventory] = await made.updates();
  assert.deepEqual([project.kind, project.depends_on, project.launch_type], [
    "project_update",
    [],
    "dependent",
  ]);
  assert.deepEqual([inventory.kind, inventory.depends_on], ["inventory_update", [project.id]]);
  const job = await made.job(id);
  assert.deepEqual([job.depends_on, job.dependencies_processed], [[project.id, inventory.id], true]);
  for (const one of [project, inventory]) {
    const update = await made.job(one.id);
    assert.deepEqual([update.priority, update.created, update.dependencies_processed], [
      -4,
      job.created,
      true,
    ]);
  }
  assert.equal((await made.sent("scheduler/run_task_manager")).length, 1);
  assert.deepEqual(await made.dependencyManager(), { processed: 0, created: 0, more: false });
});

test("jobs of one run and of later ones wait for the same updates while those are under way", async () => {
  const made = await deployment();
  const ids = [await made.launch(), await made.launch()];
  await made.dependencyManager();
  await made.sql.unsafe("update awx.unified_job set status = 'running' where kind = 'project_update'");
  ids.push(await made.launch());
  assert.deepEqual(await made.dependencyManager(), { processed: 1, created: 0, more: false });
  const [first, ...others] = await Promise.all(ids.map(made.job));
  assert.equal(first.depends_on.length, 2);
  for (const { depends_on } of others) assert.deepEqual(depends_on, first.depends_on);
});

test("an update that waits becomes as urgent as the most urgent job that waits for it, with what it needs", async () => {
  const made = await deployment();
  await made.launch();
  await made.dependencyManager();
  const urgent = await made.launch();
  await made.set(urgent, { priority: -9 });
  await made.dependencyManager();
  for (const { id } of await made.updates()) assert.equal((await made.job(id)).priority, -9);
});

test("a success inside of update_cache_timeout serves, one that is older or failed does not", async () => {
  const made = await deployment({ inventory_id: null });
  await made.sql.unsafe("update awx.project set update_cache_timeout = 60");
  const ago = (seconds: number) => new Date(Date.now() - seconds * 1_000).toISOString();
  const update = (values: Record<string, unknown>) =>
    made.pending({ kind: "project_update", project_id: made.project, ...values });
  const created = async () => {
    const before = (await made.updates()).length;
    await made.launch();
    await made.dependencyManager();
    const made_ = (await made.updates()).length - before;
    await made.sql.unsafe("delete from awx.unified_job where status = 'pending'");
    return made_;
  };
  await update({ status: "successful", finished: ago(90) });
  await update({ status: "failed", finished: ago(5) });
  assert.equal(await created(), 1);
  await update({ status: "successful", finished: ago(30) });
  assert.equal(await created(), 0);
  await made.sql.unsafe("update awx.project set update_cache_timeout = 0");
  assert.equal(await created(), 1);
});

test("nothing is updated that is no git project, or does not update on launch", async () => {
  const made = await deployment();
  await made.sql.unsafe("update awx.project set scm_type = ''");
  await made.sql.unsafe("update awx.inventory_source set update_on_launch = false");
  const id = await made.launch();
  await made.dependencyManager();
  assert.deepEqual([await made.updates(), (await made.job(id)).depends_on], [[], []]);
});

test("an inventory update of an operator's waits for its project's update", async () => {
  const made = await deployment();
  const { id } = await launch(made.sql, { kind: "inventory_source", id: made.source });
  await made.dependencyManager();
  const [imports, project] = await made.updates();
  assert.deepEqual([imports.id, imports.depends_on, project.kind], [id, [project.id], "project_update"]);
});

test("the dependency manager runs once at a time, and its time is bounded", async () => {
  const made = await deployment();
  for (let n = 0; n < 3; n++) await made.launch();
  const second = await made.client.transaction(async (tx, publish) => {
    await runDependencyManager(tx, publish, () => 0);
    return await made.dependencyManager();
  });
  assert.deepEqual(second, { skipped: true });
  for (let n = 0; n < 3; n++) await made.launch();
  await writeSetting(made.sql, "TASK_MANAGER_TIMEOUT", 3);
  let seconds = 0;
  const report = await made.dependencyManager(() => 1_000 * seconds++);
  assert.deepEqual(report, { processed: 2, created: 0, more: true });
  assert.equal((await made.sent("scheduler/run_dependency_manager")).length, 1);
});

test("the database of these tests goes", () => site.end());
