import assert from "node:assert/strict";
import { jitter, systemClock } from "../runtime/clock.ts";
import { FakeClock } from "./fake_clock.ts";
import { test } from "./harness.ts";

/** A signal that tells how many listen to it. */
function countingSignal() {
  const signal = new AbortController().signal;
  let listeners = 0;
  const { addEventListener, removeEventListener } = EventTarget.prototype;
  return Object.assign(signal, {
    addEventListener(...args: Parameters<typeof addEventListener>) {
      listeners++;
      addEventListener.apply(signal, args);
    },
    removeEventListener(...args: Parameters<typeof removeEventListener>) {
      listeners--;
      removeEventListener.apply(signal, args);
    },
    listeners: () => listeners,
  });
}

test("jitter() moves by up to the given part in both directions", () => {
  assert.equal(jitter(1_000, 0.2, () => 0), 800);
  assert.equal(jitter(1_000, 0.2, () => 0.5), 1_000);
  assert.equal(jitter(1_000, 0.2, () => 1), 1_200);
  assert.equal(jitter(1_000, 0, () => 1), 1_000);
  for (let i = 0; i < 200; i++) assert.ok(Math.abs(jitter(1_000) - 1_000) <= 200);
});

test("systemClock.sleep() ends by itself and leaves no listener on the signal", async () => {
  const signal = countingSignal();
  await systemClock.sleep(1, signal);
  assert.equal(signal.listeners(), 0);
});

test("systemClock.sleep() returns at once when the signal has aborted", async () => {
  await systemClock.sleep(3_600_000, AbortSignal.abort());
});

test("systemClock.sleep() returns without an error when the signal aborts", async () => {
  const controller = new AbortController();
  const slept = systemClock.sleep(3_600_000, controller.signal);
  controller.abort(new Error("not to be thrown"));
  assert.equal(await slept, undefined);
});

test("systemClock.sleep() of more than a timer can hold does not end at once", async (t) => {
  const controller = new AbortController();
  t.after(() => controller.abort());
  const long = systemClock.sleep(1e11, controller.signal).then(() => "long");
  const endless = systemClock.sleep(Infinity, controller.signal).then(() => "endless");
  const short = systemClock.sleep(20).then(() => "short");
  assert.equal(await Promise.race([long, endless, short]), "short");
});

test("systemClock.monotonic() never steps back", () => {
  let last = systemClock.monotonic();
  for (let i = 0; i < 1_000; i++) {
    const next = systemClock.monotonic();
    assert.ok(next >= last);
    last = next;
  }
});

test("FakeClock wakes sleepers in the order of their times, each at its own", async () => {
  const clock = new FakeClock(1_000);
  const woke: string[] = [];
  const note = (name: string) => () => woke.push(`${name} at ${clock.now()} (${clock.monotonic()})`);
  void clock.sleep(200).then(note("b"));
  void clock.sleep(100).then(note("a"));
  void clock.sleep(301).then(note("never"));
  await clock.advance(300);
  assert.deepEqual(woke, ["a at 1100 (100)", "b at 1200 (200)"]);
  assert.equal(clock.now(), 1_300);
  assert.equal(clock.sleeping, 1);
});

test("FakeClock wakes in one advance whoever sleeps again and again", async () => {
  const clock = new FakeClock();
  let turns = 0;
  void (async () => {
    for (;;) {
      await clock.sleep(10);
      turns++;
    }
  })();
  await clock.advance(100);
  assert.equal(turns, 10);
});

test("FakeClock.sleep() ends when its signal aborts", async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const slept = clock.sleep(1, controller.signal);
  controller.abort();
  await slept;
  await clock.sleep(1, controller.signal);
  assert.equal(clock.sleeping, 0);
});
