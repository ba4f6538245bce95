import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually, tempDir, test, type TestContext } from "../harness.ts";
import { rig, unstarted } from "./rig.ts";

const HOOKS = fileURLToPath(new URL("../fixtures/hooks.ts", import.meta.url));

async function hooked(t: TestContext, more: { idleSeconds?: number; maxTasks?: number } = {}) {
  const trace = join(tempDir(), "trace");
  const made = await rig(t, { hooks: HOOKS, environment: { HOOK_TRACE: trace }, ...more });
  return { ...made, lines: () => existsSync(trace) ? readFileSync(trace, "utf8").trim().split("\n") : [] };
}

test("Hooks run around each task, inside its worker", async (t) => {
  const { run, lines } = await hooked(t);
  await run("bound#plain", [1], { attempt: 2 });
  await run("../nowhere");
  assert.deepEqual(lines(), [
    "onStart",
    "preTask bound#plain 2",
    "postTask bound#plain true",
    "postTask ../nowhere false",
  ]);
});

test("Hook preTask that throws fails the attempt", async (t) => {
  const { run } = await hooked(t);
  const { outcome, error } = await run("context#counts", [1]);
  assert.deepEqual([outcome, error.message], ["failed", "not today"]);
});

test("Hook postTask that throws is said and changes nothing", async (t) => {
  const { run, said } = await hooked(t);
  const { outcome, result } = await run("notes#remembers");
  assert.deepEqual([outcome, result], ["completed", 1]);
  assert.deepEqual(said.map((one) => one.text), ["Hook postTask failed: Error: nothing to add"]);
});

test("Hook onIdle is called when a worker has nothing to do, and again", async (t) => {
  const { lines } = await hooked(t, { idleSeconds: 0.05 });
  await eventually(() => lines().filter((line) => line === "onIdle").length >= 2);
});

test("Hook onShutdown is called when a worker is retired, and onStart in its successor", async (t) => {
  const { run, lines } = await hooked(t, { maxTasks: 1 });
  await run("bound#plain", [1]);
  await eventually(() => lines().filter((line) => line === "onStart").length === 2);
  assert.ok(lines().includes("onShutdown"));
});

test("Hook onShutdown is called when the pool is closed", async (t) => {
  const { pool, lines } = await hooked(t);
  await pool.close(AbortSignal.abort());
  assert.deepEqual(lines(), ["onStart", "onShutdown"]);
});

test("Hooks module that does not load keeps the worker from starting, and says why", async (t) => {
  const hooks = join(tempDir(), "hooks.mjs");
  writeFileSync(hooks, "export const onStart = 7;");
  const made = await unstarted(t, { hooks });
  const stop = new AbortController();
  const started = made.pool.start(stop.signal);
  await eventually(() => made.notices.some(({ text }) => /Hook onStart of .* is not a function/.test(text)));
  stop.abort();
  await started;
});

test("Worker keeps nothing of a task but what its module keeps, and a new worker not even that", async (t) => {
  const { run } = await rig(t, { maxTasks: 2 });
  const first = await run("notes#remembers");
  const second = await run("notes#remembers");
  assert.deepEqual([first.result, second.result, first.worker], [1, 2, second.worker]);
  const third = await run("notes#remembers");
  assert.equal(third.result, 1);
  assert.notEqual(third.worker, second.worker);
});
