/** How those who can run it are woken. */
import assert from "node:assert/strict";
import { seal } from "../runtime/envelope.ts";
import { Publisher } from "../runtime/publisher.ts";
import type { Store } from "../runtime/store/store.ts";
import { FakeClock } from "./fake_clock.ts";
import { test } from "./harness.ts";

function rig() {
  const calls: [what: string, ...queues: string[]][] = [];
  const clock = new FakeClock();
  const store: Pick<Store, "publish" | "wake"> = {
    async publish(batch, wakes = []) {
      calls.push(["publish", ...wakes]);
      await new Promise((resolve) => setImmediate(resolve));
      return batch.map(() => ({ isNew: true, duplicateOf: null }));
    },
    wake(queues) {
      calls.push(["wake", ...queues]);
      return Promise.resolve();
    },
  };
  const publisher = new Publisher({ store, clock, broker: { notify: () => Promise.resolve() } });
  return { publisher, clock, calls };
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
