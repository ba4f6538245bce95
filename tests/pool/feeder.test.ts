import assert from "node:assert/strict";
import { Endings } from "../../runtime/pool/endings.ts";
import { Feeder, type FeederParts } from "../../runtime/pool/feeder.ts";
import type { HostProcess } from "../../runtime/pool/host_process.ts";
import { Intake } from "../../runtime/pool/intake.ts";
import type { HostCommand } from "../../runtime/pool/protocol.ts";
import { Slot } from "../../runtime/pool/slot.ts";
import { claimed } from "../conformance/make.ts";
import { FakeClock } from "../fake_clock.ts";
import { test } from "../harness.ts";

/** A feeder with one slot or more, so many of them on a first host, whose tasks are short. */
function rig(options: Partial<FeederParts> = {}, slots = 1, onFirst = slots) {
  const sent: string[] = [];
  const send = ([what]: HostCommand) => void sent.push(what);
  const run = () => void sent.push("run");
  const hosts = [1, 2].map((pid) =>
    ({ solo: false, leaky: false, alive: true, pid, send, run }) as unknown as HostProcess
  );
  const clock = new FakeClock();
  const all = Array.from(
    { length: slots },
    (_, i) => new Slot(i + 1, hosts[i < onFirst ? 0 : 1], clock.monotonic()),
  );
  for (const slot of all) slot.state = "ready";
  const [slot] = all;
  const intake = new Intake();
  const unstarted: string[] = [];
  const aborted: string[] = [];
  const feeder = new Feeder({
    clock,
    intake,
    fleet: {
      slots: new Map(all.map((slot) => [slot.id, slot])),
      soloHosts: () => 0,
      hasFree: () => all.some((slot) => slot.free),
    } as unknown as FeederParts["fleet"],
    endings: {
      meanMs: 0.01,
      meanBytes: 0,
      unstarted: ({ uuid }: { uuid: string }, reason: string) => unstarted.push(`${uuid} ${reason}`),
    } as unknown as FeederParts["endings"],
    soloHosts: 4,
    maxTasks: 0,
    abort: (slot, reason) => void aborted.push(`${slot.running!.claimed.uuid} ${reason}`),
    ...options,
  });
  const put = (count: number) => {
    const batch = Array.from({ length: count }, () => claimed());
    for (const one of batch) intake.put(one, clock.monotonic());
    feeder.feed();
    return batch.map(({ uuid }) => uuid);
  };
  const ahead = () => slot.ahead.map(({ uuid }) => uuid);
  return { feeder, slot, slots: all, intake, clock, sent, unstarted, aborted, put, ahead };
}

test("Feeder gives a slot of short tasks one to run and the rest ahead, in order", () => {
  const { slot, put, ahead, sent } = rig();
  const [first, ...rest] = put(4);
  assert.equal(slot.running!.claimed.uuid, first);
  assert.deepEqual(ahead(), rest);
  assert.deepEqual(sent, ["run", "run", "run", "run"]);
});

test("Feeder gives more only when half of what was ahead is gone", () => {
  const { slot, put, ahead, feeder, intake } = rig();
  put(100);
  const full = ahead().length;
  assert.ok(full > 8 && intake.length > 0, `${full}`);
  feeder.next(slot);
  feeder.feed();
  assert.equal(ahead().length, full - 1);
  while (ahead().length > full / 2) feeder.next(slot);
  feeder.feed();
  assert.equal(ahead().length, full);
});

test("Feeder gives two or three tiny tasks to as many slots, and more to one slot after the other", () => {
  const few = rig({}, 4);
  few.put(3);
  assert.deepEqual(few.slots.map((slot) => slot.sent), [1, 1, 1, 0]);
  const many = rig({}, 4);
  many.put(100);
  assert.deepEqual(many.slots.map((slot) => slot.sent), [100, 0, 0, 0]);
  // Each takes 10 us: one that does not keep up has no more than a millisecond's worth, the next ones take the rest.
  many.put(900);
  const ahead = many.slots.map((slot) => slot.ahead.length);
  assert.deepEqual(ahead, [99, 100, 57, 0]);
  assert.equal(ahead.reduce((sum, n) => sum + n), 4 * 64);
});

test("Feeder leaves all tiny tasks to one slot while that keeps up with them", () => {
  const endings = { meanMs: 0.002, meanBytes: 0 } as unknown as FeederParts["endings"];
  const { slots, put, feeder } = rig({ endings }, 4);
  put(900);
  assert.deepEqual(slots.map(({ ahead }) => ahead.length), [256, 0, 0, 0]);
  assert.deepEqual(slots.map(({ running }) => running !== null), [true, false, false, false]);
  for (let i = 0; i < 60; i++) feeder.next(slots[0]);
  feeder.feed();
  assert.deepEqual(slots.map(({ ahead }) => ahead.length), [196, 0, 0, 0], "not a few at a time");
  for (let i = 0; i < 80; i++) feeder.next(slots[0]);
  feeder.feed();
  assert.deepEqual(slots.map(({ ahead }) => ahead.length), [256, 0, 0, 0]);
});

test("Feeder gives each host tiny tasks, and none more than evenly", () => {
  const endings = { meanMs: 0.002, meanBytes: 0 } as unknown as FeederParts["endings"];
  const { slots, put } = rig({ endings }, 4, 3);
  put(2_000);
  // Hosts of three slots and of one.
  assert.deepEqual(slots.map(({ ahead }) => ahead.length), [192, 0, 0, 64]);
});

test("Feeder takes back what one slot has too much of, when tasks take longer and another slot is free", () => {
  const endings = { meanMs: 0.002, meanBytes: 0 };
  const { slots, put, feeder, sent, intake } = rig({ endings: endings as FeederParts["endings"] }, 4);
  put(300);
  assert.deepEqual(slots.map(({ ahead }) => ahead.length), [256, 0, 0, 0]);
  intake.empty(false);
  feeder.feed();
  assert.ok(!sent.includes("recall"), "they are tiny");
  endings.meanMs = 1.5;
  feeder.feed();
  assert.deepEqual(sent.filter((what) => what === "recall"), ["recall"]);
  feeder.recalled(slots[0], 256);
  feeder.feed();
  assert.deepEqual(slots.map(({ ahead }) => ahead.length), [2, 2, 2, 2]);
});

test("Feeder gives to whoever is free what waits beside a tiny task that takes long after all", async () => {
  const endings = { meanMs: 0.002, meanBytes: 0 } as unknown as FeederParts["endings"];
  const { slots, put, feeder, clock } = rig({ endings }, 4);
  put(900);
  await clock.advance(60);
  feeder.feed();
  assert.deepEqual(slots.map(({ running }) => running !== null), [true, true, true, true]);
});

test("Feeder gives one to each that is free when tasks that were tiny are seen to take long", async () => {
  const endings = new Endings(new FakeClock(), { finished() {}, notice() {} });
  endings.meanMs = 0.002;
  const { slots, put, feeder, clock } = rig({ endings }, 4);
  put(8);
  assert.deepEqual(slots.map(({ sent }) => sent), [8, 0, 0, 0]);
  await clock.advance(25);
  for (let look = 0; look < 2; look++) endings.late(slots[0].running!, clock.monotonic());
  assert.ok(endings.meanMs > 2 && endings.meanMs < 3, `${endings.meanMs}: once`);
  feeder.recall(slots[0]);
  feeder.recalled(slots[0], 7);
  feeder.feed();
  assert.deepEqual(slots.map(({ running }) => running !== null), [true, true, true, true]);
});

test("Feeder passes over a slot whose task takes long, with whatever there is", async () => {
  const { slots, put, clock } = rig({}, 2);
  put(100);
  await clock.advance(60);
  put(100);
  assert.equal(slots[0].sent, 100);
  assert.ok(slots[1].sent > 1, `${slots[1].sent}`);
});

test("Feeder takes back the last ones, in front of what waits", () => {
  const { slot, put, ahead, feeder, intake } = rig();
  const uuids = put(4);
  feeder.recall(slot);
  feeder.recalled(slot, 2);
  assert.deepEqual(ahead(), uuids.slice(1, 2));
  assert.deepEqual(intake.all().map(({ uuid }) => uuid), uuids.slice(2));
  assert.equal(slot.sent, 2);
});

test("Feeder takes back what it took for running, when its thread had not come to begin it", () => {
  const { slot, put, feeder, intake } = rig();
  const uuids = put(3);
  feeder.recall(slot);
  feeder.recalled(slot, 3);
  assert.equal(slot.running, null);
  assert.deepEqual(intake.all().map(({ uuid }) => uuid), uuids);
  feeder.feed();
  assert.equal(slot.running!.claimed.uuid, uuids[0]);
});

test("Feeder ends what it takes back and what somebody asked to cancel meanwhile", () => {
  const { slot, put, feeder, intake, unstarted } = rig();
  const uuids = put(3);
  slot.running!.aborted = "CancelledError";
  assert.equal(feeder.abort(uuids[2], "CancelledError"), true);
  feeder.recalled(slot, 3);
  assert.deepEqual(unstarted, [`${uuids[0]} CancelledError`, `${uuids[2]} CancelledError`]);
  assert.deepEqual(intake.all().map(({ uuid }) => uuid), [uuids[1]]);
});

test("Feeder aborts what has begun before it could be taken back", () => {
  const { slot, put, feeder, aborted } = rig();
  const uuids = put(2);
  feeder.abort(uuids[1], "CancelledError");
  feeder.next(slot);
  assert.deepEqual(aborted, [`${uuids[1]} CancelledError`]);
  feeder.recalled(slot, 0);
  assert.equal(slot.running!.claimed.uuid, uuids[1]);
});
