/** How those who can run it are woken. */
import assert from "node:assert/strict";
import { seal } from "../runtime/envelope.ts";
import { Publisher } from "../runtime/publisher.ts";
import type { Store } from "../runtime/store/store.ts";
import { FakeClock } from "./fake_clock.ts";
import { test } from "./harness.ts";

function rig() {
  const calls: [what: string, ...queues: string[]][] = [];
  const sizes: number[] = [];
  // For how long nobody need be woken.
  const vigil = { lasts: 0, answers: true };
  const clock = new FakeClock();
  const store: Pick<Store, "publish" | "wake"> = {
    async publish(batch, wakes = []) {
      calls.push(["publish", ...wakes]);
      sizes.push(batch.length);
      await new Promise((resolve) => setImmediate(resolve));
      return batch.map(() => ({ isNew: true, duplicateOf: null }));
    },
    wake(queues) {
      calls.push(["wake", ...queues]);
      return vigil.answers ? Promise.resolve(vigil.lasts) : new Promise(() => {});
    },
  };
  const publisher = new Publisher({ store, clock, broker: { notify: () => Promise.resolve() } });
  return { publisher, clock, calls, sizes, vigil };
}

test("Publisher sends a wake along with what it writes after a rest, and shared ones apart while it is busy", async () => {
  const { publisher, clock, calls } = rig();
  await publisher.publish("t", [], {});
  await publisher.publish("t", [], { queue: "q" });
  await clock.advance(5);
  await publisher.publish("t", [], { queue: "q", delay: 1 });
  assert.deepEqual(calls, [["publish", "default"], ["publish"], ["wake", "q"], ["publish", "q", ""]]);
});

test("Publisher sends no wake along while another statement is under way", async () => {
  const { publisher, clock, calls } = rig();
  const first = publisher.publish("t", [], {});
  await Promise.resolve();
  await Promise.resolve();
  await Promise.resolve();
  const advanced = clock.advance(50);
  const second = publisher.publishMany([seal("t", [], { queue: "a" }), seal("t", [], { queue: "b" })]);
  await Promise.all([first, second, advanced]);
  assert.deepEqual(calls, [["publish", "default"], ["publish"], ["wake", "a", "b"]]);
});

test("Publisher writes what is large in several statements, each call once and in order", async () => {
  const { publisher, sizes } = rig();
  const calls = Array.from({ length: 40 }, () => seal("t", ["x".repeat(2 ** 20 - 100)]));
  const sent = await publisher.publishMany(calls);
  assert.deepEqual(sent.map(({ uuid }) => uuid), calls.map(({ uuid }) => uuid));
  assert.deepEqual(sizes.splice(0), [17, 17, 6]);
  const args = ["x".repeat(2 ** 20 - 100)];
  await Promise.all(Array.from({ length: 20 }, () => publisher.publish("t", args, {})));
  assert.equal(sizes.reduce((sum, size) => sum + size), 20);
  assert.ok(Math.max(...sizes) <= 17, `${sizes}`);
});

/** A publisher that is not quiet, and so wakes apart from what it writes; what it did meanwhile. */
async function busy() {
  const { publisher, calls, vigil, clock } = rig();
  const publish = async (queue: string) => {
    calls.length = 0;
    await publisher.publish("t", [], { queue });
    await new Promise((resolve) => setImmediate(resolve));
    return calls.slice(1);
  };
  await publish("a");
  return { publisher, calls, vigil, clock, publish };
}

test("Publisher wakes nobody while all who serve a queue look by themselves, and once when that is over", async () => {
  const { calls, vigil, clock, publish } = await busy();
  vigil.lasts = 1_000;
  assert.deepEqual(await publish("a"), [["wake", "a"]], "it does not know yet");
  for (let i = 0; i < 3; i++) assert.deepEqual(await publish("a"), []);
  assert.deepEqual(await publish("b"), [["wake", "b"]], "of another queue it asks");
  calls.length = 0;
  vigil.lasts = 0;
  await clock.advance(999);
  assert.deepEqual(calls, []);
  await clock.advance(1);
  assert.deepEqual(calls, [["wake", "a"]], "nothing was published to b since");
  await publish("a");
  assert.deepEqual(await publish("a"), [["wake", "a"]]);
});

test("Publisher asks again when what it was told is over, and not before", async () => {
  const { vigil, clock, publish } = await busy();
  vigil.lasts = 1_000;
  await publish("a");
  await clock.advance(1_000);
  await publish("b");
  assert.deepEqual(await publish("a"), [["wake", "a"]]);
  assert.deepEqual(await publish("a"), []);
});

test("Publisher that is closed does not wait for a database that does not answer", async () => {
  const { publisher, vigil, clock, publish } = await busy();
  vigil.lasts = 1_000;
  await publish("a");
  await publish("a");
  vigil.answers = false;
  let closed = false;
  const closing = publisher.close().then(() => closed = true);
  await clock.advance(999);
  assert.equal(closed, false);
  await clock.advance(1);
  await closing;
  assert.equal(clock.sleeping, 0);
});

test("Publisher that is closed says at once what it put off", async () => {
  const { publisher, calls, vigil, publish } = await busy();
  vigil.lasts = 1_000;
  await publish("a");
  await publish("a");
  calls.length = 0;
  await publisher.close();
  assert.deepEqual(calls, [["wake", "a"]]);
  await publisher.close();
  assert.equal(calls.length, 1);
});
