import assert from "node:assert/strict";
import { Gate } from "../../runtime/pool/gate.ts";
import { test } from "../harness.ts";

/** A host and its thread, as each sees the same gate. */
function ends() {
  const thread = new Gate();
  return { thread, host: new Gate(thread.memory) };
}

test("Gate lets jobs begin in their order, each once", () => {
  const { thread } = ends();
  assert.deepEqual([1, 2, 3].map((job) => thread.begin(job)), [true, true, true]);
  assert.equal(thread.begin(3), false);
});

test("Gate takes back what has not begun, and lets what is given later begin", () => {
  const { thread, host } = ends();
  thread.begin(1);
  assert.equal(host.takeBack(4), 3);
  assert.deepEqual([2, 3, 4, 5, 6].map((job) => thread.begin(job)), [false, false, false, true, true]);
});

test("Gate takes back nothing twice, and nothing where all has begun", () => {
  const { thread, host } = ends();
  assert.equal(host.takeBack(2), 2);
  assert.equal(host.takeBack(2), 0);
  assert.equal(thread.begin(3), true);
  assert.equal(host.takeBack(3), 0);
  assert.equal(thread.begin(4), true);
});

test("Gate takes back all before anything has begun", () => {
  const { thread, host } = ends();
  assert.equal(host.takeBack(3), 3);
  assert.deepEqual([1, 2, 3].map((job) => thread.begin(job)), [false, false, false]);
});
