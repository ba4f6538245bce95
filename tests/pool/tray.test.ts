import assert from "node:assert/strict";
import { Gate } from "../../runtime/pool/gate.ts";
import { Tray, TRAY_BYTES } from "../../runtime/pool/tray.ts";
import { test } from "../harness.ts";

/** A thread and its host, as each sees the same tray. */
function ends() {
  const memory = new SharedArrayBuffer(TRAY_BYTES);
  return { memory, thread: new Tray(memory), host: new Tray(memory) };
}

test("Tray hands over what was put, in order, once", () => {
  const { thread, host } = ends();
  for (const text of ["one,", "two,", "three,"]) assert.ok(thread.put(text));
  assert.equal(host.fetch(), "one,two,three,");
  assert.equal(host.fetch(), "");
  assert.equal(thread.take(), "");
  assert.ok(thread.put("four,"));
  assert.equal(host.fetch(), "four,");
});

test("Tray keeps what was put when its thread is gone", () => {
  const memory = new SharedArrayBuffer(TRAY_BYTES);
  const host = new Tray(memory);
  new Tray(memory).put("the last word");
  assert.equal(host.fetch(), "the last word");
});

test("Tray wants one bell for all that lies there, and another for what comes after the host has looked", () => {
  const { thread, host } = ends();
  const put = () => [thread.put("x"), thread.ring()];
  assert.deepEqual([put(), put(), put()], [[true, true], [true, false], [true, false]]);
  assert.equal(host.fetch(), "xxx");
  assert.deepEqual([put(), put()], [[true, true], [true, false]]);
});

test("Tray is empty before a message, and takes nothing until that has come", () => {
  const { thread, host } = ends();
  thread.put("before");
  // What a thread does that posts a message.
  assert.equal(thread.take(), "before");
  thread.posting();
  assert.equal(thread.put("behind"), false);
  assert.equal(host.fetch(), "");
  host.received();
  assert.ok(thread.put("behind"));
  assert.equal(host.fetch(), "behind");
});

test("Tray takes nothing more of a thread that has posted something by itself", () => {
  const { thread, host } = ends();
  host.received();
  assert.equal(thread.put("x"), false);
  thread.posting();
  host.received();
  assert.equal(thread.put("x"), false);
});

test("Tray leaves to messages what is large, what is not ASCII, and what it has no room for", () => {
  const { thread, host } = ends();
  for (const text of ["ä", "a\ud800", "x\u0080", "x".repeat(1_001)]) assert.equal(thread.put(text), false);
  assert.equal(host.fetch(), "");
  const text = "\0\n\x1e\x7f".repeat(250);
  let count = 0;
  while (thread.put(text)) count++;
  assert.ok(count >= 30, `${count}`);
  assert.equal(host.fetch(), text.repeat(count));
  assert.ok(thread.put(text));
});

test("Tray of which one end takes while the other puts loses nothing and tells nothing twice", () => {
  const { memory, thread, host } = ends();
  const state = new Int32Array(memory, 4, 1);
  const { compareExchange } = Atomics;
  const meanwhile = (act: () => void) => {
    Atomics.compareExchange = ((...given: Parameters<typeof compareExchange>) => {
      Atomics.compareExchange = compareExchange;
      act();
      return compareExchange(...given);
    }) as typeof compareExchange;
  };
  try {
    thread.put("a");
    let taken = "";
    meanwhile(() => taken = host.fetch());
    assert.ok(thread.put("b"));
    assert.deepEqual([taken, host.fetch()], ["a", "b"]);

    thread.put("c");
    meanwhile(() => thread.put("d"));
    assert.equal(host.fetch(), "cd");

    // As long as what the host has just copied, but not the same.
    thread.put("e");
    meanwhile(() => {
      taken = thread.take();
      thread.put("f");
    });
    assert.deepEqual([host.fetch(), taken], ["f", "e"]);
  } finally {
    Atomics.compareExchange = compareExchange;
  }
  for (let i = 0; i < 70_000; i++) {
    thread.put("g");
    if (host.fetch() !== "g") assert.fail(`lost when it was taken for the ${i}th time`);
  }
  assert.equal(state[0] & 0xffff, 0);
});

test("Tray and Gate share their memory and do not touch each other's", () => {
  const { memory, thread, host } = ends();
  const gate = new Gate(memory);
  assert.ok(gate.begin(1));
  thread.put("x");
  assert.ok(gate.hasMore(2));
  assert.equal(new Gate(memory).takeBack(3), 2);
  assert.ok(!gate.hasMore(3));
  assert.equal(host.fetch(), "x");
});
