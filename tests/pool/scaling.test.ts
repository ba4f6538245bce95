import assert from "node:assert/strict";
import {
  aheadOfSlot,
  burstOfSlot,
  claimAhead,
  hostMemory,
  type Load,
  roomOfHost,
  slotsToAdd,
} from "../../runtime/pool/scaling.ts";
import { test } from "../harness.ts";

/** All slots busy and much waiting, for long. */
function load(fields: Partial<Load> = {}): Load {
  const busy = {
    min: 4,
    max: 60,
    slots: 4,
    starting: 0,
    free: 0,
    waiting: 1_000,
    waitedMs: 1_000,
    utilization: 1,
  };
  return { ...busy, ...fields };
}

test("roomOfHost() begins with 4 slots and grows with the pool, as far as the runtime bears", () => {
  const rooms = (most: number) => {
    const all: number[] = [];
    for (let slots = 0; slots < 60; slots += all.at(-1)!) all.push(roomOfHost(slots, most));
    return all;
  };
  assert.deepEqual(rooms(24), [4, 8, 24, 24]);
  assert.deepEqual(rooms(8), [4, 8, 8, 8, 8, 8, 8, 8]);
});

test("hostMemory() is what the workers of a host may use, of many no more than half of the machine", () => {
  assert.equal(hostMemory(1, 1_024, 64_000), 1_024 + 256);
  assert.equal(hostMemory(4, 1_024, 64_000), 4_096 + 256);
  assert.equal(hostMemory(24, 1_024, 64_000), 24_576 + 256);
  assert.equal(hostMemory(24, 1_024, 16_000), 8_000 + 256);
  assert.equal(hostMemory(24, 1_024, 4_000), 4_096 + 256);
});

test("slotsToAdd() fills up to the minimum, whatever the load", () => {
  const idle = { free: 0, waiting: 0, waitedMs: 0, utilization: 0 };
  assert.equal(slotsToAdd(load({ ...idle, slots: 0 })), 4);
  assert.equal(slotsToAdd(load({ ...idle, slots: 3, starting: 2 })), 1);
  assert.equal(slotsToAdd(load({ ...idle, slots: 4 })), 0);
});

test("slotsToAdd() doubles up to the maximum: from 4 to 60 in four steps", () => {
  const sizes = [4];
  for (let more = slotsToAdd(load()); more > 0; more = slotsToAdd(load({ slots: sizes.at(-1)! }))) {
    sizes.push(sizes.at(-1)! + more);
  }
  assert.deepEqual(sizes, [4, 8, 16, 32, 60]);
});

test("slotsToAdd() adds no more than what waits", () => {
  assert.equal(slotsToAdd(load({ slots: 16, waiting: 3 })), 3);
});

test("slotsToAdd() adds one to a pool whose minimum is none", () => {
  assert.equal(slotsToAdd(load({ min: 0, slots: 0 })), 1);
});

test("slotsToAdd() adds nothing while a slot is free or starting, or nothing waits", () => {
  assert.equal(slotsToAdd(load({ free: 1 })), 0);
  assert.equal(slotsToAdd(load({ starting: 1 })), 0);
  assert.equal(slotsToAdd(load({ waiting: 0 })), 0);
  assert.equal(slotsToAdd(load({ slots: 60 })), 0);
  assert.equal(slotsToAdd(load({ slots: 61 })), 0);
});

test("slotsToAdd() adds nothing for a burst of tiny tasks, which keep their slots busy for a moment only", () => {
  assert.equal(slotsToAdd(load({ waitedMs: 20, utilization: 0.3 })), 0);
  assert.equal(slotsToAdd(load({ waitedMs: 20, utilization: 0.9 })), 4, "the slots are busy");
  assert.equal(slotsToAdd(load({ waitedMs: 150, utilization: 0.3 })), 4, "the work waits for long");
});

test("claimAhead() claims nothing ahead for a pool without slots", () => {
  for (const mean of [null, 0.01, 1, 1_000]) assert.equal(claimAhead(0, 60, mean), 0);
});

test("claimAhead() forgets how short tasks were while every slot runs a long one", () => {
  assert.equal(claimAhead(4, 4, 0.1, 0, 0), 0);
  assert.equal(claimAhead(4, 60, 0.1, 0, 0), 4);
  assert.ok(claimAhead(4, 4, 1, 0, 2) < claimAhead(4, 4, 1));
});

test("claimAhead() claims short tasks ahead, as many as 50 ms take, at most 3,000", () => {
  assert.equal(claimAhead(4, 60, 10), 20);
  assert.equal(claimAhead(4, 60, 49), 5);
  assert.equal(claimAhead(4, 60, 1), 200);
  assert.equal(claimAhead(60, 60, 1), 3_000);
  assert.equal(claimAhead(4, 60, 0), 3_000);
});

test("claimAhead() claims long tasks for new slots only, another node may be idle", () => {
  assert.equal(claimAhead(4, 60, 1_000), 4);
  assert.equal(claimAhead(40, 60, 50), 20);
  assert.equal(claimAhead(60, 60, 1_000), 0);
  assert.equal(claimAhead(4, 60, null), 4, "nothing is known of the tasks yet");
  assert.equal(claimAhead(5, 4, 1_000), 0, "a pool over its maximum");
});

test("claimAhead() and aheadOfSlot() hold less of what is large", () => {
  assert.deepEqual([1_000, 100_000, 2 ** 20, 2 ** 26].map((bytes) => claimAhead(4, 60, 0, bytes)), [
    3_000,
    335,
    32,
    0,
  ]);
  assert.deepEqual([1_000, 100_000, 2 ** 20, 2 ** 26].map((bytes) => aheadOfSlot(0, bytes)), [64, 10, 1, 0]);
});

test("burstOfSlot() gives one slot about a millisecond of tiny tasks, bounded by number and size", () => {
  assert.deepEqual([0, 0.002, 0.005, 0.01, 0.04].map((mean) => burstOfSlot(64, mean)), [
    256,
    256,
    200,
    100,
    64,
  ]);
  assert.equal(burstOfSlot(64, null), 64, "nothing is known of the tasks yet");
  assert.equal(burstOfSlot(64, 0.002, 2 ** 11), 128);
  assert.equal(burstOfSlot(64, 0.002, 2 ** 14), 64);
});
