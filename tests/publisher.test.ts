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
      return Promise.resolve();
    },
  };
  const publisher = new Publisher({ store, clock, broker: { notify: () => Promise.resolve() } });
  return { publisher, clock, calls, sizes };
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
