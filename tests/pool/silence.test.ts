/** A host that hangs is noticed, killed, and what ran in it ends. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { systemClock } from "../../runtime/clock.ts";
import { Silence } from "../../runtime/pool/silence.ts";
import { eventually, tempDir, test } from "../harness.ts";
import { rig, unstarted } from "./rig.ts";

/** Look every so many milliseconds, for so long; what was told, and when. */
function looks(silence: Silence, every: number, until: number, from = 0): [number, string][] {
  const told: [number, string][] = [];
  for (let now = from; now <= until; now += every) {
    const step = silence.look(now);
    if (step) told.push([now, step]);
  }
  return told;
}

test("a silent host is asked, killed, and counted as gone, each once", () => {
  assert.deepEqual(looks(new Silence(), 100, 200_000), [[5_000, "ask"], [35_000, "kill"], [40_000, "gone"]]);
});

test("any sign ends its silence", () => {
  const silence = new Silence();
  assert.deepEqual(looks(silence, 100, 34_900), [[5_000, "ask"]]);
  silence.heard();
  assert.deepEqual(looks(silence, 100, 74_900, 35_000), [[40_000, "ask"], [70_000, "kill"]]);
});

test("time in which nobody looked counts as a second", () => {
  const silence = new Silence();
  assert.deepEqual(looks(silence, 100, 3_000), []);
  assert.equal(silence.look(3_600_000), undefined);
  assert.deepEqual(looks(silence, 100, 3_602_000, 3_600_100), [[3_601_000, "ask"]]);
});

test("Pool kills a host that hangs, charges what ran alone in it, and goes on", async (t) => {
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() * 20 };
  const { pool, run, progress, notices } = await rig(t, { maxSlots: 1 }, clock);
  const running = run("waits#gate", [join(tempDir(), "never")]);
  await eventually(() => progress.length === 1);
  const [host] = pool.fleet.hosts;
  process.kill(host.pid, "SIGSTOP");
  const { outcome, error } = await running;
  assert.deepEqual([outcome, error.name], ["failed", "HostDied"]);
  assert.equal(error.message, `Worker host ${host.pid} gave no sign of life and was killed`);
  assert.ok(notices.some(({ text }) => text === error.message));
  assert.equal((await run("context")).outcome, "completed");
});

test("Pool replaces a host that does not come up", async (t) => {
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() * 20 };
  const { pool, run, notices } = await unstarted(t, { maxSlots: 1 }, clock);
  const started = pool.start(t.signal);
  const [{ pid }] = pool.fleet.hosts;
  process.kill(pid, "SIGSTOP");
  await started;
  assert.ok(notices.some(({ text }) => text === `Worker host ${pid} gave no sign of life and was killed`));
  assert.equal((await run("context")).outcome, "completed");
});

test("Pool leaves a host alone that works for long and says nothing of its own", async (t) => {
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() * 200 };
  const { pool, run } = await rig(t, { maxSlots: 1 }, clock);
  const { pid } = [...pool.fleet.hosts][0];
  const { outcome } = await run("shipped#sleep", [5]);
  assert.deepEqual([outcome, [...pool.fleet.hosts][0].pid], ["completed", pid]);
});
