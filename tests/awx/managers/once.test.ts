/** Publishing with a rule for duplicates, once. */
import assert from "node:assert/strict";
import { trigger } from "../../../tasks/jobs/model/trigger.ts";
import { once } from "../../../tasks/managers/once.ts";
import { test } from "../../harness.ts";

test("once() sends what is folded anyway one time only, and everything else each time", async () => {
  const sent: string[] = [];
  const send = once((task, args) => Promise.resolve(sent.push(`${task} ${args}`)));
  await trigger(send, ["task"]);
  await trigger(send);
  await send("jobs/RunJob", [1]);
  await send("jobs/RunJob", [1]);
  assert.deepEqual(sent, [
    "scheduler/run_task_manager ",
    "scheduler/run_dependency_manager ",
    "scheduler/run_workflow_manager ",
    "jobs/RunJob 1",
    "jobs/RunJob 1",
  ]);
});
