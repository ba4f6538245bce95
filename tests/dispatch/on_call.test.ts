/** When a node is on call, and what it makes of what it hears. */
import assert from "node:assert/strict";
import { OnCall } from "../../runtime/dispatch/on_call.ts";
import { type DispatcherEvent, Events } from "../../runtime/events.ts";
import type { OnCall as Call } from "../../runtime/store/on_call.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { FakeClock } from "../fake_clock.ts";
import { test } from "../harness.ts";
import { gate, idle } from "./rig.ts";

const INSTANCE = "instance-1";

function open() {
  const calls: string[] = [];
  const said: DispatcherEvent[] = [];
  const answers = {
    onCall: (_: Call): Promise<boolean> => Promise.resolve(true),
    offCall: (_: string): Promise<void> => Promise.resolve(),
  };
  const store = {
    onCall: (call: Call) => {
      calls.push(`on ${call.instance}`);
      return answers.onCall(call);
    },
    offCall: (instance: string) => {
      calls.push(`off ${instance}`);
      return answers.offCall(instance);
    },
  };
  const clock = new FakeClock();
  const events = new Events();
  events.on((event) => said.push(event));
  const own = new OnCall({ store, clock, events, node: "n", queues: ["q"], channel: "c" });
  let asked = 0;
  const goOn = async () => {
    own.goOn(INSTANCE, () => asked++);
    await idle();
  };
  return { own, calls, said, answers, clock, goOn, asked: () => asked };
}

/** As dispatcher.hand() tells it. */
function told(uuid: string = uuid7(), fields: { instance?: string; timeout?: string } = {}): string {
  const { instance = INSTANCE, timeout = "" } = fields;
  return [instance, uuid, "q", "examples/add", "[1]", "{}", "{}", "-3", "", timeout].join("\x1f");
}

test("a node that has nothing to do is on call, once", async () => {
  const { own, calls, goOn } = open();
  assert.equal(own.isOn, false);
  await goOn();
  await goOn();
  assert.deepEqual([own.isOn, calls], [true, ["on instance-1"]]);
});

test("it hears what it is handed, and is on call again a moment later", async () => {
  const { own, calls, clock, goOn, asked } = open();
  await goOn();
  const uuid = uuid7();
  const heard = own.hear(told(uuid, { timeout: "2.5" }), INSTANCE);
  assert.ok(heard && heard !== "unread");
  assert.deepEqual(
    [heard.uuid, heard.queue, heard.priority, heard.maxAttempts, heard.timeout, heard.fence, heard.attempt],
    [uuid, "q", -3, null, 2.5, 1, 1],
  );
  assert.equal(own.isOn, false);
  await goOn();
  await goOn();
  assert.equal(calls.length, 1, "the start of what it was handed comes first");
  await clock.advance(2);
  assert.equal(asked(), 1);
  await goOn();
  assert.equal(calls.length, 2);
});

test("it hears before it is told that it is on call", async () => {
  const { own, calls, clock, answers, goOn } = open();
  const { open: answer, opened } = gate();
  answers.onCall = () => opened.then(() => true);
  await goOn();
  assert.ok(own.hear(told(), INSTANCE));
  answer();
  await idle();
  assert.equal(own.isOn, false, "that answer is of before");
  await clock.advance(2);
  await goOn();
  assert.deepEqual(calls, ["on instance-1", "on instance-1"]);
});

test("while it claims it is not on call", async () => {
  const { own, calls, clock, goOn, asked } = open();
  own.busy();
  await goOn();
  await clock.advance(20);
  own.busy();
  await clock.advance(5);
  assert.equal(asked(), 1, "who asks finds that it is too early once more");
  await goOn();
  assert.deepEqual(calls, []);
  await clock.advance(20);
  await goOn();
  assert.deepEqual(calls, ["on instance-1"]);
});

test("it goes off call behind what it asked for, and only then on again", async () => {
  const { own, calls, answers, goOn } = open();
  const { open: answer, opened } = gate();
  const { open: leave, opened: left } = gate();
  answers.onCall = () => opened.then(() => true);
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
  assert.equal(calls.length, 2);
  leave();
  await gone;
  await goOn();
  assert.deepEqual(calls.slice(2), ["on instance-1"]);
});

test("going off call ends a rest, and does not fail with the database", async () => {
  const { own, clock, answers, goOn, asked } = open();
  own.busy();
  await goOn();
  await own.goOff();
  assert.equal(clock.sleeping, 0);
  await idle();
  assert.equal(asked(), 0);
  await clock.advance(25);
  answers.offCall = () => Promise.reject(new Error("gone"));
  await goOn();
  await own.goOff();
  assert.equal(own.isOn, false);
});

test("refused, it asks again half a minute later", async () => {
  const { own, calls, clock, answers, goOn } = open();
  answers.onCall = () => Promise.resolve(false);
  await goOn();
  assert.equal(own.isOn, false);
  answers.onCall = () => Promise.reject(new Error("no such table"));
  await clock.advance(29_000);
  await goOn();
  assert.equal(calls.length, 1);
  await clock.advance(1_000);
  await goOn();
  assert.equal(calls.length, 2);
  assert.equal(own.isOn, false);
});

test("what is for another instance is not begun", async () => {
  const { own, goOn } = open();
  await goOn();
  assert.equal(own.hear(told(uuid7(), { instance: "instance-0" }), INSTANCE), undefined);
  assert.equal(own.isOn, true);
  own.renew();
  assert.equal(own.isOn, false);
});

test("what cannot be read is said, without what is in it", async () => {
  const { own, said, goOn } = open();
  for (
    const payload of ["", "{}", told("not-a-uuid"), `${told()}\x1fmore`, told(uuid7(), { timeout: "soon" })]
  ) {
    await goOn();
    assert.equal(own.hear(payload, INSTANCE), "unread");
    assert.equal(own.isOn, false);
  }
  assert.deepEqual([...new Set(said.map(({ name }) => name))], ["hand.refused"]);
  assert.ok(said.every(({ text }) => !text.includes("examples/add")));
});

test("what is heard while the books are compared waits, and is not begun if it was given back", async () => {
  const { own, goOn } = open();
  await goOn();
  const [kept, lost, late] = [uuid7(), uuid7(), uuid7()];
  own.keep();
  for (const uuid of [kept, lost]) assert.equal(own.hear(told(uuid), INSTANCE), undefined);
  assert.deepEqual(own.kept.map(({ uuid }) => uuid), [kept, lost]);
  // Not answered the first time.
  own.keep();
  assert.deepEqual(own.reconciled([lost, late]).map(({ uuid }) => uuid), [kept]);
  assert.deepEqual(own.kept, []);
  assert.equal(own.hear(told(late), INSTANCE), undefined, "it was told before, and is heard of now");
  assert.ok(own.hear(told(), INSTANCE));
});

test("a gap may have swallowed something, once it was ever on call", async () => {
  const { own, goOn } = open();
  assert.equal(own.missed(), false);
  await goOn();
  assert.equal(own.missed(), true);
  assert.equal(own.isOn, false);
});

test("two heartbeats that say otherwise mean that something was missed", async () => {
  const { own, clock, goOn } = open();
  assert.equal(own.told(false), false);
  await goOn();
  assert.equal(own.told(true), false);
  assert.equal(own.told(false), false, "it may be on its way");
  assert.ok(own.hear(told(), INSTANCE));
  await clock.advance(2);
  await goOn();
  assert.equal(own.told(false), false, "this is another time");
  assert.equal(own.told(true), false);
  assert.equal(own.told(false), false);
  assert.equal(own.told(false), true);
  assert.equal(own.isOn, false);
});
