import assert from "node:assert/strict";
import { Events } from "../../runtime/events.ts";
import { Rollup } from "../../runtime/service/rollup.ts";
import { bucketOf } from "../../runtime/sketch.ts";
import type { RollupRow } from "../../runtime/store/rollup.ts";
import { Tally } from "../../runtime/tally.ts";
import { FakeClock } from "../fake_clock.ts";
import { test } from "../harness.ts";

/** A rollup over a store that the test can take away. */
function rig({ busy = 0, leading = false } = {}) {
  const clock = new FakeClock();
  const tally = new Tally();
  const written: RollupRow[][] = [];
  const asked = { states: 0, down: false };
  const slots = { busy, total: 4 };
  const rollup = new Rollup({
    node: "n1",
    tally,
    clock,
    events: new Events(),
    slots: () => slots,
    leading: () => leading,
    rollups: {
      write(_node, rows) {
        if (asked.down) return Promise.reject(new Error("away"));
        written.push(rows);
        return Promise.resolve();
      },
      writeStates: () => Promise.resolve(void asked.states++),
      read: () => Promise.resolve([]),
      prune: () => Promise.resolve(),
    },
  });
  const work = rollup.work();
  return {
    tally,
    written,
    asked,
    slots,
    rollup,
    /** Let so many seconds pass, as its service does. */
    async pass(seconds: number) {
      for (let left = seconds * 1000; left > 0;) {
        const rest = Math.min(left, await work.once().catch(() => work.retryMs));
        await clock.advance(rest);
        left -= rest;
      }
    },
  };
}

test("Rollup writes one statement a minute of what was new, and none when there was nothing", async () => {
  const { tally, written, pass } = rig();
  await pass(300);
  assert.equal(written.length, 0);
  tally.published("shop", 3);
  await pass(70);
  assert.deepEqual(written.map((rows) => rows.map(({ queue, published }) => [queue, published])), [
    [["shop", 3], [null, 0]],
  ]);
  await pass(300);
  assert.equal(written.length, 1);
  tally.published("shop", 2);
  await pass(70);
  assert.deepEqual(written[1].map(({ published }) => published), [2, 0]);
});

test("Rollup measures how many slots were busy, and for how long", async () => {
  const { written, slots, pass } = rig({ busy: 2 });
  await pass(190);
  slots.busy = 0;
  await pass(130);
  const busy = written.flat().reduce((sum, row) => sum + row.busy_seconds!, 0);
  assert.ok(busy > 360 && busy < 400, `${busy} slot-seconds`);
  assert.ok(Math.abs(written[1][0].busy_seconds! - 120) < 1, "2 slots for a minute");
  assert.ok(Math.abs(written[1][0].slot_seconds! - 240) < 1, "of 4");
});

test("Rollup keeps the minutes of an outage, with their age, and writes them then", async () => {
  const { tally, written, asked, pass } = rig();
  asked.down = true;
  for (let i = 0; i < 3; i++) {
    tally.published("shop", i + 1);
    await pass(60);
  }
  asked.down = false;
  await pass(61);
  const rows = written.flat().filter(({ queue }) => queue === "shop");
  assert.deepEqual(rows.map(({ published }) => published), [1, 2, 3]);
  const ages = rows.map(({ age }) => age);
  for (let i = 1; i < ages.length; i++) assert.ok(ages[i - 1] - ages[i] > 25, `${ages}`);
});

test("Rollup writes the rest at a drain", async () => {
  const { tally, written, rollup, pass } = rig();
  await pass(5);
  tally.published("shop");
  await rollup.flush();
  assert.deepEqual(written.flat().map(({ queue }) => queue), ["shop", null]);
});

test("a drain does not fail for it", async () => {
  const { tally, asked, rollup } = rig();
  tally.published("shop");
  asked.down = true;
  await rollup.flush();
});

test("only the leader writes what stands in the queues, once a minute", async () => {
  const [leader, other] = [rig({ leading: true }), rig()];
  await Promise.all([leader.pass(300), other.pass(300)]);
  assert.deepEqual([leader.asked.states, other.asked.states], [5, 0]);
});

test("Rollup writes times by bucket, without the zeros at the end", async () => {
  const { tally, written, rollup } = rig();
  tally.published("shop");
  tally.queues.get("shop")!.wait.counts[bucketOf(0.002)] = 7;
  await rollup.flush();
  assert.deepEqual(written[0][0].wait, [0, 0, 7]);
  assert.equal(written[0][0].duration, null);
});
