import assert from "node:assert/strict";
import { Feeder, type FeederParts } from "../../runtime/pool/feeder.ts";
import type { HostProcess } from "../../runtime/pool/host_process.ts";
import { Intake } from "../../runtime/pool/intake.ts";
import type { HostCommand } from "../../runtime/pool/protocol.ts";
import { Slot } from "../../runtime/pool/slot.ts";
import { claimed } from "../conformance/make.ts";
import { FakeClock } from "../fake_clock.ts";
import { test } from "../harness.ts";

/** A feeder with one slot, whose tasks are short. */
function rig(options: Partial<FeederParts> = {}) {
  const sent: string[] = [];
  const send = ([what]: HostCommand) => void sent.push(what);
  const run = () => void sent.push("run");
  const host = { solo: false, leaky: false, alive: true, pid: 1, send, run } as unknown as HostProcess;
  const clock = new FakeClock();
  const slot = new Slot(1, host, clock.monotonic());
  slot.state = "ready";
  const intake = new Intake();
  const unstarted: string[] = [];
  const aborted: string[] = [];
  const feeder = new Feeder({
    clock,
    intake,
    fleet: { slots: new Map([[1, slot]]), soloHosts: () => 0 } as unknown as FeederParts["fleet"],
    endings: {
      meanMs: 0.01,
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
  return { feeder, slot, intake, clock, sent, unstarted, aborted, put, ahead };
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
