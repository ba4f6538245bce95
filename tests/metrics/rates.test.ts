import assert from "node:assert/strict";
import { mergeRates } from "../../runtime/rates.ts";
import { Recent, RECENT_SECONDS } from "../../runtime/recent.ts";
import { bucketOf } from "../../runtime/sketch.ts";
import { test } from "../harness.ts";

const NOW = 1_800_000_000_000;

test("Recent tells the last 60 whole seconds, without the one under way", () => {
  const recent = new Recent();
  recent.settle(NOW - 61_000, false);
  recent.settle(NOW - 60_000, true);
  recent.claim(NOW - 1);
  recent.settle(NOW - 1, false);
  recent.settle(NOW, false);
  const read = recent.read(NOW)!;
  assert.equal(read.settled.length, RECENT_SECONDS);
  assert.deepEqual([read.settled[0], read.settled[59]], [1, 1]);
  assert.equal(read.settled.reduce((sum, n) => sum + n), 2);
  assert.deepEqual([read.failed[0], read.claimed[59]], [1, 1]);
});

test("Recent forgets by itself, however long nobody comes by", () => {
  const recent = new Recent();
  recent.settle(NOW, false);
  recent.wait(NOW, bucketOf(3));
  assert.equal(recent.read(NOW + 1_000)?.settled[59], 1);
  assert.equal(recent.read(NOW + 3_600_000), undefined);
  // 64 seconds later the same place is another second.
  recent.settle(NOW + 64_000, false);
  const read = recent.read(NOW + 65_000)!;
  assert.equal(read.settled.reduce((sum, n) => sum + n), 1);
  assert.deepEqual(read.wait, []);
});

/** The answer of a node where so many ended in each second. */
function reply(node_id: string, queue: string, each: number, wait: number) {
  const recent = new Recent();
  for (let s = 1; s <= 60; s++) {
    for (let i = 0; i < each; i++) {
      recent.claim(NOW - s * 1_000);
      recent.settle(NOW - s * 1_000, s === 1);
      recent.wait(NOW - s * 1_000, bucketOf(wait));
    }
  }
  return { node_id, enabled: true, queues: { [queue]: recent.read(NOW) } };
}

test("mergeRates() adds up nodes by queue", () => {
  const [mail, shop] = mergeRates([
    reply("a", "shop", 10, 0.1),
    reply("b", "shop", 30, 3),
    reply("b", "mail", 1, 1),
  ]);
  assert.deepEqual([mail.queue, mail.settled_60s], ["mail", 1]);
  assert.deepEqual([shop.settled_10s, shop.settled_60s, shop.claimed_10s, shop.failed_60s], [40, 40, 40, 40]);
  assert.deepEqual(shop.sparkline, Array(60).fill(40));
  assert.ok(shop.wait_p95! > 2 && shop.wait_p95! <= 3, `${shop.wait_p95}`);
});

test("mergeRates() leaves out what is no answer, as an older node's error", () => {
  const wild = {
    node_id: "c",
    enabled: true,
    queues: { shop: { claimed: [-1], settled: [], failed: [], wait: [] } },
  };
  const old = { error: "No control method rates", node_id: "b" };
  assert.deepEqual(mergeRates([old, wild, null, "x", { node_id: "d", enabled: false, queues: {} }]), []);
});
