/** The managers as tasks of a real node. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { launch } from "../../../tasks/jobs/model/launch.ts";
import { trigger } from "../../../tasks/jobs/model/trigger.ts";
import { loadExtension } from "../../../runtime/extension.ts";
import { eventually, test } from "../../harness.ts";
import { nodeOf } from "./node.ts";
import { site } from "./site.ts";

const TASKS = fileURLToPath(new URL("../../../tasks", import.meta.url));

test("a job, its inventory's update and its project's update run one after the other on a node, and what is lost is ended", async (t) => {
  const made = await site(t);
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
    project_id: project,
    inventory_id: inventory,
  });
  await nodeOf(t, made);
  const { id } = await made.client.transaction(async (tx, publish) => {
    const job = await launch(tx, { kind: "job_template", id: template });
    await trigger(publish, ["dependency", "task"]);
    return job;
  });
  await eventually(async () => assert.equal((await made.job(id)).status, "successful"), { within: 30_000 });
  const order = await made.sql.unsafe("select kind from awx.unified_job order by started");
  assert.deepEqual(order.map(({ kind }) => kind), ["project_update", "inventory_update", "job"]);
  // As its triggers do: while one runs, which the end of the job has asked for, another would return at once.
  const managed = async () => {
    const options = { onDuplicate: "queue_one" } as const;
    await (await made.client.publish("scheduler/run_task_manager", [], options)).result();
  };
  // Nothing runs system jobs here, so the envelope of one is discarded.
  const lost = await made.pending({ kind: "system_job" });
  await managed();
  const { task_uuid } = await made.job(lost);
  assert.equal((await made.client.wait(task_uuid!)).state, "discarded");
  await made.set(lost, { cancel_flag: true });
  await eventually(async () => {
    await managed();
    // With an error where a run came before the wish.
    assert.match((await made.job(lost)).status, /^(canceled|error)$/);
  }, { within: 20_000 });
});

test("the managers run each 20 s, folded with their triggers", async () => {
  const { schedules } = (await loadExtension({ tasks: TASKS, extension: "on" }))!;
  for (const name of ["task", "dependency"]) {
    const found = schedules[`awx: ${name} manager`];
    assert.deepEqual([found.task, found.every, found.scope, found.on_duplicate], [
      `scheduler/run_${name}_manager`,
      20,
      "cluster",
      "queue_one",
    ]);
  }
});
