import assert from "node:assert/strict";
import { restartReason } from "../../runtime/pool/restarts.ts";
import type { Slot } from "../../runtime/pool/slot.ts";
import { eventually, test } from "../harness.ts";
import { rig } from "./rig.ts";

const LIMITS = { maxTasks: 10, maxHeapMb: 100 };
const LIVING = { alive: true, leaky: false, condemned: undefined };
const killed = (name: string) => ({ ...LIVING, alive: false, condemned: { name, message: "" } });

/** A slot as it was when its end was noticed. */
const slot = (fields: Record<string, unknown>) =>
  ({ state: "ready", host: LIVING, finished: 1, heap: 0, killed: false, ...fields }) as unknown as Slot;

const CASES: [why: string, fields: Record<string, unknown>, reason: string | undefined][] = [
  ["it was one too many", { state: "stopping" }, undefined],
  ["its node ends", { host: killed("ShutdownError") }, undefined],
  ["it has run long enough", { state: "retired" }, "age"],
  ["it has run enough tasks", { state: "retired", finished: 10 }, "tasks"],
  ["its heap is too large", { state: "retired", heap: 101 * 1024 * 1024 }, "memory"],
  ["what ran in it did not end", { killed: true }, "killed"],
  ["its thread ended by itself", {}, "exit"],
  ["its task called exit", { state: "error" }, "exit"],
  ["its host died", { host: { ...LIVING, alive: false } }, "crash"],
  ["its thread cannot be stopped", { state: "error", host: { ...LIVING, leaky: true } }, "stuck"],
  ["its host did not answer", { host: killed("HostStuck") }, "stuck"],
  ["it did not come up", { state: "starting" }, "start"],
];

for (const [why, fields, reason] of CASES) {
  test(`restartReason() is ${reason ?? "none"} where ${why}`, () => {
    assert.equal(restartReason(slot(fields), LIMITS), reason);
  });
}

test("a pool counts why it replaced its workers", async (t) => {
  const { pool, run } = await rig(t, { maxTasks: 1 });
  const { counts } = pool.fleet.restarts;
  await run("echo", [1]).catch(() => {});
  await eventually(() => assert.equal(counts.tasks, 1));
  await run("shipped#crash");
  await eventually(() => assert.equal(counts.crash, 1));
  assert.deepEqual([counts.age, counts.memory, counts.start], [0, 0, 0]);
});
