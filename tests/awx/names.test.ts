// @runtimes deno, node
/** The names that AWX and its documentation give to tasks lead to ours. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Registry } from "../../runtime/registry.ts";
import { test } from "../harness.ts";

const NAMES = [
  "awx.main.scheduler.tasks.dependency_manager",
  "awx.main.scheduler.tasks.run_dependency_manager",
  "awx.main.scheduler.tasks.run_task_manager",
  "awx.main.scheduler.tasks.run_workflow_manager",
  "awx.main.scheduler.tasks.task_manager",
  "awx.main.scheduler.tasks.workflow_manager",
  "awx.main.tasks.jobs.RunAdHocCommand",
  "awx.main.tasks.jobs.RunInventoryUpdate",
  "awx.main.tasks.jobs.RunJob",
  "awx.main.tasks.jobs.RunProjectUpdate",
  "awx.main.tasks.jobs.RunSystemJob",
  "awx.main.tasks.system.awx_periodic_scheduler",
  "awx.main.tasks.system.awx_reaper",
  "awx.main.tasks.system.cluster_node_heartbeat",
  "awx.main.tasks.system.delete_inventory",
  "awx.main.tasks.system.delete_project_files",
  "awx.main.tasks.system.handle_setting_changes",
  "awx.main.tasks.system.purge_old_stdout_files",
  "awx.main.tasks.system.send_notifications",
  "notifications/send_notifications",
  "scheduler/run_dependency_manager",
  "scheduler/run_task_manager",
  "scheduler/run_workflow_manager",
];

test("every name that AWX's documentation gives a task stands for one", async () => {
  const registry = new Registry({ root: fileURLToPath(new URL("../../tasks", import.meta.url)) });
  for (const name of NAMES) {
    assert.equal(typeof (await registry.load(name)).definition.invoke, "function", name);
  }
});
