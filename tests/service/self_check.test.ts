import assert from "node:assert/strict";
import type { Broker } from "../../runtime/broker/broker.ts";
import { Events } from "../../runtime/events.ts";
import { SelfCheck } from "../../runtime/service/self_check.ts";
import { FakeClock } from "../fake_clock.ts";
import { eventually, test, type TestContext } from "../harness.ts";

const CHANNEL = "dispatcher_check_me";
const EVERY = 30;
const TIMEOUT = 2;
const ROUND = EVERY * 1_000;

let rest = new AbortController();

/** What Service does, without its jitter. */
async function run(check: SelfCheck, clock: FakeClock, signal: AbortSignal): Promise<void> {
  const work = check.work();
  while (!signal.aborted) {
    const ms = await work.once();
    rest = new AbortController();
    await clock.sleep(ms, AbortSignal.any([signal, rest.signal]));
  }
}

type Wire = "echoes" | "swallows" | "fails" | "hangs";

/** A check of 30 and 2 seconds that runs, and a broker that does as it is told. */
function site(t: TestContext) {
  const clock = new FakeClock();
  const events = new Events();
  const lines: string[] = [];
  events.on(({ level, name }) => void lines.push(`${level} ${name}`));
  const state = {
    wire: "echoes" as Wire,
    notified: 0,
    resets: 0,
    refuses: false,
    opens: false,
    changes: [] as string[],
    proved: [] as boolean[],
  };
  const broker = {
    notify(channel: string) {
      assert.equal(channel, CHANNEL);
      state.notified++;
      if (state.wire === "fails") return Promise.reject(new Error("the database is away"));
      if (state.wire === "hangs") return new Promise(() => {});
      if (state.wire === "echoes") queueMicrotask(() => check.heard());
      return Promise.resolve();
    },
    reset() {
      state.resets++;
      if (state.opens) check.opened();
      return state.refuses ? Promise.reject(new Error("no connection")) : Promise.resolve();
    },
  } as unknown as Broker;
  const changed = () => void state.changes.push(check.hearing);
  const check = new SelfCheck({
    broker,
    clock,
    events,
    channel: CHANNEL,
    every: EVERY,
    timeout: TIMEOUT,
    changed,
    proved: () => void state.proved.push(check.hears),
    kick: () => rest.abort(),
  });
  const stop = new AbortController();
  t.after(() => stop.abort());
  void run(check, clock, stop.signal);
  /** Go on in small steps, so that each rest begins when it should. */
  const pass = async (ms: number) => {
    // Its first rest begins now, not after the first step.
    await clock.advance(0);
    for (let at = 0; at < ms; at += 500) await clock.advance(Math.min(500, ms - at));
  };
  return { clock, check, lines, state, pass };
}

test("SelfCheck says when a new connection was heard on, once", async (t) => {
  const { check, state, pass } = site(t);
  await pass(0);
  assert.equal(check.hears, true);
  check.opened();
  assert.deepEqual([check.hears, check.hearing, state.proved], [false, "connected", []]);
  check.heard();
  check.heard();
  assert.deepEqual([check.hears, state.proved], [true, [true]]);
});

test("SelfCheck asks after a silence, hears itself, and stays connected without a word", async (t) => {
  const { check, lines, state, pass } = site(t);
  await pass(EVERY * 900);
  assert.equal(state.notified, 0);
  await pass(EVERY * 200);
  assert.equal(state.notified, 1);
  await pass(3 * ROUND);
  assert.ok(state.notified >= 3, `${state.notified}`);
  assert.deepEqual([check.hearing, state.resets, lines], ["connected", 0, []]);
});

test("SelfCheck asks nothing while messages come", async (t) => {
  const { check, state, clock } = site(t);
  for (let i = 0; i < 20; i++) {
    await clock.advance(10_000);
    check.heard();
  }
  assert.equal(state.notified, 0);
});

test("SelfCheck finds a lost echo, says isolated once, and listens anew until it hears", async (t) => {
  const { check, lines, state, pass } = site(t);
  state.wire = "swallows";
  await pass(ROUND + TIMEOUT * 1_000);
  assert.deepEqual([check.hearing, state.resets], ["isolated", 1]);
  await pass(3 * ROUND);
  assert.ok(state.resets >= 2, "it does not give up");
  assert.deepEqual(lines, ["warning listen.lost"]);
  check.heard();
  assert.equal(check.hearing, "connected");
  check.heard();
  assert.deepEqual(lines, ["warning listen.lost", "info listen.up"]);
  assert.deepEqual(state.changes, ["isolated", "connected"]);
});

test("SelfCheck is found and over within twice the time of the check", async (t) => {
  const { check, state, pass } = site(t);
  state.wire = "swallows";
  await pass(ROUND);
  state.wire = "echoes";
  await pass(ROUND);
  assert.equal(check.hearing, "connected");
});

test("SelfCheck tries again soon when listening anew fails, whatever its own pace", async (t) => {
  const { check, lines, state, pass } = site(t);
  [state.wire, state.refuses] = ["swallows", true];
  await pass(ROUND + TIMEOUT * 1_000);
  const before = state.resets;
  await pass(5 * (TIMEOUT * 1_000 + 1_000));
  assert.ok(state.resets >= before + 4, `${state.resets - before} more`);
  assert.deepEqual([check.hearing, lines], ["isolated", ["warning listen.lost"]]);
});

for (const wire of ["fails", "hangs"] as const) {
  test(`SelfCheck says down when its notify ${wire}, and connected when it hears again`, async (t) => {
    const { check, lines, state, pass } = site(t);
    state.wire = wire;
    await pass(ROUND + TIMEOUT * 1_000 + 500);
    assert.equal(check.hearing, "down");
    assert.ok(state.resets >= 1);
    state.wire = "echoes";
    await pass(2 * ROUND);
    await eventually(() => assert.equal(check.hearing, "connected"));
    assert.deepEqual(lines, ["warning listen.down", "info listen.up"]);
  });
}

test("SelfCheck goes from down to isolated when the database answers and the echo is lost", async (t) => {
  const { check, lines, state, pass } = site(t);
  state.wire = "fails";
  await pass(ROUND);
  state.wire = "swallows";
  await pass(2 * ROUND);
  assert.equal(check.hearing, "isolated");
  assert.deepEqual(lines, ["warning listen.down", "warning listen.lost"]);
});

test("SelfCheck asks at once on a new connection, not after a silence", async (t) => {
  const { check, state, pass } = site(t);
  await pass(500);
  check.opened();
  await pass(500);
  assert.equal(state.notified, 1);
  await pass(EVERY * 900);
  assert.equal(state.notified, 1, "it is proven");
});

test("SelfCheck says once that an address passes nothing on, and listens anew more and more rarely", async (t) => {
  const { check, lines, state, pass } = site(t);
  state.wire = "swallows";
  state.opens = true;
  await pass(500);
  check.opened();
  await pass(4 * TIMEOUT * 1_000);
  assert.deepEqual([check.hearing, state.resets], ["isolated", 2]);
  assert.deepEqual(lines, ["warning listen.lost", "warning listen.deaf"]);
  await pass(20 * ROUND);
  assert.ok(state.resets >= 4 && state.resets <= 7, `${state.resets} in twenty rounds`);
  check.heard(false);
  assert.equal(check.hearing, "isolated", "what comes by chance proves nothing");
  assert.equal(lines.length, 2);
  state.wire = "echoes";
  await pass(40 * ROUND);
  assert.equal(check.hearing, "connected");
  assert.deepEqual(lines.slice(2), ["info listen.up"]);
});

test("SelfCheck does not take a connection that was never made for a deaf one", async (t) => {
  const { check, lines, state, pass } = site(t);
  state.wire = "swallows";
  await pass(5 * ROUND);
  assert.deepEqual([check.hearing, lines], ["isolated", ["warning listen.lost"]]);
  assert.ok(state.resets >= 20, `${state.resets}: it goes on trying at the usual rate`);
});
