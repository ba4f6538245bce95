/** What the executor does with an attempt that is to end before its task has begun, or has no arguments. */
import assert from "node:assert/strict";
import { Executor } from "../../runtime/pool/executor.ts";
import type { Job } from "../../runtime/pool/protocol.ts";
import type { Registry } from "../../runtime/registry.ts";
import type { TaskDefinition } from "../../runtime/task.ts";
import { test } from "../harness.ts";

const JOB: Job = {
  uuid: "01a20ee8-2459-7005-b500-3dcb620acbbc",
  origin: null,
  attempt: 1,
  task: "slow",
  worker: "1.1",
  args: [],
  kwargs: {},
  options: {},
  timed: true,
};
const silent = {
  timeout() {},
  preemptible() {},
  policy() {},
  progress() {},
  ask: () => Promise.resolve(null),
  log() {},
};

/** An executor whose modules come when they are given. */
function executor() {
  const modules: Record<string, PromiseWithResolvers<{ definition: TaskDefinition }>> = {};
  const of = (task: string) => modules[task] ??= Promise.withResolvers();
  const registry = { load: (task: string) => of(task).promise } as unknown as Registry;
  const give = (task: string, options: TaskDefinition["options"], invoke: TaskDefinition["invoke"]) =>
    of(task).resolve({ definition: { options, invoke } as TaskDefinition });
  return { made: new Executor(registry, {}, silent), give };
}

for (const bind of [true, false]) {
  test(`Executor.run() does not begin a task that was aborted while it was loaded: bind ${bind}`, async () => {
    const { made, give } = executor();
    let begun = 0;
    const running = made.run(JOB);
    made.abort(JOB.uuid, "TimeoutError");
    give("slow", { bind }, () => ++begun);
    const { done, text } = await running;
    assert.deepEqual([done.ok, JSON.parse(text).name, begun], [false, "TimeoutError", 0]);
  });
}

test("Executor.run() runs what follows an attempt that was aborted before it began", async () => {
  const { made, give } = executor();
  const told: unknown[] = [];
  const running = made.run({ ...JOB, options: { errbacks: [{ task: "tell", args: [7] }] } });
  made.abort(JOB.uuid, "CancelledError");
  give("slow", {}, () => "not this");
  give("tell", {}, (...args: unknown[]) => told.push(...args));
  assert.equal((await running).done.ok, false);
  assert.deepEqual(told, [7]);
});

for (
  const [args, what] of [
    [
      { content: "01a2", day: 20261129, secret: "s" },
      'gone: {"content":"01a2","day":20261129} refers to nothing',
    ],
    [{ secret: "s" }, "of type object, not an array"],
    [null, "null, not an array"],
    ["secret", "of type string, not an array"],
    [7, "of type number, not an array"],
  ]
) {
  test(`Executor.run() refuses arguments that are no array, and shows no secret: ${what}`, async () => {
    const { made, give } = executor();
    let begun = 0;
    give("slow", {}, () => ++begun);
    const { done, text } = await made.run({ ...JOB, args: args as unknown as unknown[] });
    assert.deepEqual([done.ok, done.hopeless, begun], [false, true, 0]);
    const { name, message } = JSON.parse(text);
    assert.deepEqual([name, message], ["ArgumentsError", `Arguments of "slow" are ${what}`]);
  });
}

test("Executor.run() tells how long an attempt took to less than a millisecond", async () => {
  const { made, give } = executor();
  give("slow", {}, () => {
    const begun = performance.now();
    while (performance.now() - begun < 0.3);
  });
  for (let i = 0; i < 10; i++) {
    const { done: { started, finished } } = await made.run(JOB);
    assert.ok(Number.isInteger(started) && finished - started >= 0.29, `${started} to ${finished}`);
  }
});
