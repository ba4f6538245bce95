/** When a node is on call, and what it makes of what it hears. */
import assert from "node:assert/strict";
import { OnCall } from "../../runtime/dispatch/on_call.ts";
import { type DispatcherEvent, Events } from "../../runtime/events.ts";
import type { Called, Idler } from "../../runtime/store/on_call.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { FakeClock } from "../fake_clock.ts";
import { test } from "../harness.ts";
import { gate, idle } from "./rig.ts";

const INSTANCE = "instance-1";
const YES: Called = { can: true, handed: 0 };

function open() {
  const calls: string[] = [];
  const said: DispatcherEvent[] = [];
  const state = { hears: true, again: 0, doubts: 0 };
  const answers = {
    onCall: (): Promise<Called> => Promise.resolve(YES),
    offCall: (): Promise<void> => Promise.resolve(),
  };
  const store = {
    onCall: ({ instance }: Idler) => {
      calls.push(`on ${instance}`);
      return answers.onCall();
    },
    offCall: (instance: string) => {
      calls.push(`off ${instance}`);
      return answers.offCall();
    },
  };
  const clock = new FakeClock();
  const events = new Events();
  events.on((event) => said.push(event));
  const parts = { store, clock, events, node: "n", queues: ["q"], channel: "c", hears: () => state.hears };
  const own = new OnCall(parts);
  own.bind({ again: () => state.again++, doubt: () => state.doubts++ });
  own.listening();
  const goOn = async () => {
    own.goOn(INSTANCE);
    await idle();
  };
  let number = 0;
  /** It is handed the next one. */
  const hand = (uuid = uuid7()) => own.hear(told(++number, uuid), INSTANCE);
  return { own, calls, said, answers, clock, state, goOn, hand };
}

/** As dispatcher.hand() tells it. */
function told(number: number, uuid: string = uuid7(), { instance = INSTANCE, timeout = "", most = "" } = {}) {
  return [instance, number, uuid, "q", "examples/add", "[1]", "{}", "{}", "-3", most, timeout].join("\x1f");
}

test("a node that has nothing to do is on call, once", async () => {
  const { own, calls, goOn } = open();
  assert.equal(own.isOn, false);
  await goOn();
  await goOn();
  assert.deepEqual([own.isOn, calls], [true, ["on instance-1"]]);
});

test("it hears what it is handed, and is on call again a moment later", async () => {
  const { own, calls, clock, goOn, state, answers } = open();
  await goOn();
  const uuid = uuid7();
  const heard = own.hear(told(1, uuid, { timeout: "2.5" }), INSTANCE)!;
  assert.deepEqual(
    [heard.uuid, heard.queue, heard.priority, heard.maxAttempts, heard.timeout, heard.fence, heard.attempt],
    [uuid, "q", -3, null, 2.5, 1, 1],
  );
  assert.equal(own.isOn, false);
  await goOn();
  await goOn();
  assert.equal(calls.length, 1, "the start of what it was handed comes first");
  await clock.advance(2);
  assert.equal(state.again, 1);
  answers.onCall = () => Promise.resolve({ can: true, handed: 1 });
  await goOn();
  assert.equal(calls.length, 2);
  assert.equal(own.hear(told(2, uuid7(), { most: "4" }), INSTANCE)!.maxAttempts, 4);
  assert.equal(state.doubts, 0);
});

test("it hears before it is told that it is on call", async () => {
  const { own, calls, clock, answers, goOn, hand } = open();
  const { open: answer, opened } = gate();
  answers.onCall = () => opened.then(() => YES);
  await goOn();
  assert.ok(hand());
  answer();
  await idle();
  assert.equal(own.isOn, false, "that answer is of before");
  await clock.advance(2);
  await goOn();
  assert.deepEqual(calls, ["on instance-1", "on instance-1"]);
});

test("while it claims it is not on call", async () => {
  const { own, calls, clock, goOn, state } = open();
  own.busy();
  await goOn();
  await clock.advance(20);
  own.busy();
  await clock.advance(5);
  assert.equal(state.again, 1, "who asks finds that it is too early once more");
  await goOn();
  assert.deepEqual(calls, []);
  await clock.advance(20);
  await goOn();
  assert.deepEqual(calls, ["on instance-1"]);
});

test("after a slow claim it goes on call when that time is over, without another event", async () => {
  const { own, calls, clock, state } = open();
  own.goOn(INSTANCE, 600);
  await clock.advance(599);
  assert.deepEqual([state.again, calls], [0, []]);
  await clock.advance(1);
  assert.equal(state.again, 1);
});

test("while it does not hear, or is not sure to, it is not on call", async () => {
  const { own, calls, goOn, state } = open();
  state.hears = false;
  await goOn();
  assert.deepEqual(calls, []);
  state.hears = true;
  own.hearing();
  assert.equal(state.again, 1, "somebody must look whether there is nothing to do");
  await goOn();
  state.hears = false;
  own.hearing();
  await idle();
  assert.deepEqual([own.isOn, calls], [false, ["on instance-1", "off instance-1"]]);
});

test("it goes off call behind what it asked for, and only then on again", async () => {
  const { own, calls, answers, goOn, state } = open();
  const { open: answer, opened } = gate();
  const { open: leave, opened: left } = gate();
  answers.onCall = () => opened.then(() => YES);
  answers.offCall = () => left;
  await goOn();
  const gone = own.goOff();
  assert.equal(own.goOff(), gone);
  await idle();
  assert.deepEqual(calls, ["on instance-1"], "two statements on two connections would not keep their order");
  answer();
  await idle();
  assert.deepEqual(calls, ["on instance-1", "off instance-1"]);
  await goOn();
  assert.deepEqual([calls.length, state.again], [2, 0]);
  leave();
  await gone;
  assert.equal(state.again, 1, "what it had to do may have ended meanwhile");
  await goOn();
  assert.deepEqual(calls.slice(2), ["on instance-1"]);
});

test("going off call ends a rest, and does not fail with the database", async () => {
  const { own, clock, answers, goOn, state } = open();
  own.busy();
  await goOn();
  await own.goOff();
  assert.equal(clock.sleeping, 0);
  await idle();
  assert.equal(state.again, 0);
  await clock.advance(25);
  answers.offCall = () => Promise.reject(new Error("gone"));
  await goOn();
  await own.goOff();
  assert.equal(own.isOn, false);
});

test("refused, it asks again half a minute later", async () => {
  const { own, calls, clock, answers, goOn, state } = open();
  answers.onCall = () => Promise.resolve({ can: false, handed: null });
  await goOn();
  assert.equal(own.isOn, false);
  answers.onCall = () => Promise.reject(new Error("no such table"));
  await clock.advance(29_000);
  await goOn();
  assert.equal(calls.length, 1);
  await clock.advance(1_000);
  await goOn();
  assert.equal(calls.length, 2);
  assert.deepEqual([own.isOn, state.doubts], [false, 0]);
});

test("when its row goes, what was counted in it and not heard of is not forgotten", async () => {
  const { answers, clock, goOn, hand, own, state } = open();
  await goOn();
  hand();
  await clock.advance(2);
  answers.onCall = () => Promise.resolve({ can: false, handed: 1 });
  await goOn();
  assert.equal(state.doubts, 0);
  await clock.advance(30_000);
  answers.onCall = () => Promise.resolve({ can: false, handed: 2 });
  await goOn();
  assert.equal(state.doubts, 1);
  await clock.advance(30_000);
  answers.onCall = () => Promise.resolve(YES);
  await goOn();
  assert.ok(own.hear(told(1), INSTANCE), "numbers begin anew");
  assert.equal(state.doubts, 1);
});

test("what is for another instance is not begun", async () => {
  const { own, goOn, state } = open();
  await goOn();
  assert.equal(own.hear(told(1, uuid7(), { instance: "instance-0" }), INSTANCE), undefined);
  assert.equal(own.isOn, true);
  own.renew();
  assert.equal(own.isOn, false);
  assert.equal(state.doubts, 0);
});

test("what cannot be read is said, without what is in it, and is looked for", async () => {
  const { own, said, goOn, state } = open();
  const odd = ["", "{}", told(1, "not-a-uuid"), `${told(1)}\x1fmore`, told(1, uuid7(), { timeout: "soon" })];
  for (const payload of odd) {
    await goOn();
    assert.equal(own.hear(payload, INSTANCE), undefined);
    assert.equal(own.isOn, false);
  }
  assert.equal(state.doubts, odd.length);
  assert.deepEqual([...new Set(said.map(({ name }) => name))], ["hand.refused"]);
  assert.ok(said.every(({ text }) => !text.includes("examples/add")));
});

test("what is heard while the books are compared waits, and is not begun if it was given back", async () => {
  const { own, goOn, hand, state } = open();
  await goOn();
  const [kept, lost, late] = [uuid7(), uuid7(), uuid7()];
  own.keep();
  for (const uuid of [kept, lost]) assert.equal(hand(uuid), undefined);
  assert.deepEqual(own.reconciled([lost, late]).map(({ uuid }) => uuid), [kept]);
  assert.equal(hand(late), undefined, "it was told before, and is heard of now");
  assert.ok(hand());
  assert.equal(state.doubts, 0);
});

test("what is heard after an answer was lost is not begun, and is looked for once more", async () => {
  const { own, goOn, hand, state } = open();
  await goOn();
  own.keep();
  hand();
  own.keep();
  assert.deepEqual(own.reconciled([]), []);
  assert.equal(state.doubts, 0, "of what was heard before the second there is nothing that it did not see");
  own.keep();
  own.keep();
  hand();
  assert.deepEqual(own.reconciled([]), []);
  assert.equal(state.doubts, 1);
  assert.ok(hand());
});

test("of a large answer nothing is forgotten before what was heard meanwhile is compared with it", async () => {
  const { own, goOn, hand } = open();
  await goOn();
  const lost = uuid7();
  own.keep();
  hand(lost);
  assert.deepEqual(own.reconciled([lost, ...Array.from({ length: 1_500 }, () => uuid7())]), []);
});

test("a gap may have swallowed something, once it was ever on call", async () => {
  const { own, goOn, state } = open();
  own.listening();
  assert.equal(state.doubts, 0);
  await goOn();
  own.listening();
  assert.deepEqual([own.isOn, state.doubts], [false, 1]);
});

test("what the table counts and it has not heard of by the next heartbeat was missed", async () => {
  const { own, goOn, hand, state, clock, answers } = open();
  own.told(null);
  await goOn();
  own.told({ free: false, handed: 1 });
  assert.equal(state.doubts, 0, "it may be on its way");
  assert.ok(hand());
  own.told({ free: false, handed: 2 });
  assert.equal(state.doubts, 0, "the second may be");
  await clock.advance(2);
  answers.onCall = () => Promise.resolve({ can: true, handed: 2 });
  await goOn();
  own.told({ free: true, handed: 2 });
  assert.deepEqual([state.doubts, own.isOn], [1, false], "however often it went on call meanwhile");
  own.told({ free: true, handed: 2 });
  own.told({ free: true, handed: 2 });
  assert.equal(state.doubts, 1);
});

test("when its row goes between two heartbeats, what was counted in it is not forgotten", async () => {
  const { own, goOn, state } = open();
  await goOn();
  own.told({ free: false, handed: 1 });
  own.told(null);
  assert.equal(state.doubts, 1);
  own.told(null);
  assert.equal(state.doubts, 1);
});

test("a node that hears no more is taken off call, whatever it believes of the table", async () => {
  const { own, goOn, state, calls, answers, hand } = open();
  await goOn();
  // A new connection, on which nothing comes.
  own.listening();
  state.hears = false;
  own.hearing();
  await idle();
  assert.deepEqual(calls.splice(0), ["on instance-1", "off instance-1"]);
  own.hearing();
  await idle();
  assert.deepEqual(calls, [], "once is enough");
  state.hears = true;
  answers.onCall = () => Promise.reject(new Error("the answer was lost"));
  await goOn();
  await own.goOff();
  assert.deepEqual(calls.splice(0), ["on instance-1", "off instance-1"]);
  hand();
  await own.goOff();
  assert.deepEqual(calls, []);
});

test("a node that the table does not know to be on call says so again", async () => {
  const { own, goOn, state, calls } = open();
  await goOn();
  own.told({ free: false, handed: 0 });
  assert.equal(own.isOn, true, "it may have looked before");
  own.told(null);
  assert.deepEqual([own.isOn, state.doubts, state.again], [false, 0, 1]);
  await goOn();
  assert.equal(calls.length, 2);
  own.told({ free: true, handed: 0 });
  own.told({ free: true, handed: 0 });
  assert.equal(own.isOn, true);
});
