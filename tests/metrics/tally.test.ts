import assert from "node:assert/strict";
import { attemptEvent, claimEvent } from "../../runtime/dispatch/attempt_log.ts";
import { seal } from "../../runtime/envelope.ts";
import { Events } from "../../runtime/events.ts";
import { BOUNDS } from "../../runtime/sketch.ts";
import { dueOf, OTHER_QUEUES, OUTCOMES, Tally } from "../../runtime/tally.ts";
import { hashUuid, uuid7 } from "../../runtime/uuid.ts";
import { claimed, finished } from "../conformance/make.ts";
import { test } from "../harness.ts";

const NOW = 1_900_000_000_000;

function counting() {
  const events = new Events();
  const tally = new Tally();
  return { events, tally, end: tally.subscribe(events) };
}

/** The times that were counted, by the bounds of their buckets. */
const boundsOf = (counts: Float64Array) => BOUNDS.filter((_, i) => counts[i] > 0);

test("Tally counts claims and outcomes by queue, and times of what has started", () => {
  const { events, tally } = counting();
  const one = claimed({ uuid: uuid7(NOW), queue: "shop" });
  events.claims.emit(claimEvent(one, NOW + 50));
  const end = finished({ claimed: one, started: NOW + 200, finished: NOW + 1_200 });
  events.attempts.emit(attemptEvent(end, "completed"));
  events.attempts.emit(attemptEvent({ ...end, started: null }, "released"));
  const shop = tally.queues.get("shop")!;
  assert.equal(shop.claimed, 1);
  assert.deepEqual(Object.fromEntries(OUTCOMES.map((outcome, i) => [outcome, shop.outcomes[i]])), {
    completed: 1,
    retry: 0,
    cancelled: 0,
    discarded: 0,
    released: 1,
  });
  assert.deepEqual(boundsOf(shop.wait.counts), [0.2]);
  assert.deepEqual(boundsOf(shop.duration.counts), [1]);
  assert.deepEqual([shop.wait.sum, shop.duration.sum], [0.2, 1]);
});

test("a wait begins when an envelope is due: by its time, its delay, the time in its uuid", () => {
  const due = (options: Parameters<typeof seal>[2]) => {
    const { uuid, options: text } = seal("a", [], options, NOW);
    return dueOf(claimEvent(claimed({ uuid, options: text }), NOW + 90_000));
  };
  assert.equal(due({}), NOW);
  assert.equal(due({ delay: 30 }), NOW + 30_000);
  assert.equal(due({ at: new Date(NOW + 60_000) }), NOW + 60_000);
  assert.equal(due({ at: new Date(NOW - 60_000) }), NOW);
  assert.equal(due({ uuid: crypto.randomUUID() }), NOW);
});

test("nobody knows when a uuid without a time was due, nor one that was claimed before", () => {
  const at = NOW + 1_000;
  const hash = { uuid: hashUuid("x"), origin: null };
  assert.equal(dueOf(claimEvent(claimed(hash), at)), null);
  assert.equal(dueOf(claimEvent(claimed({ uuid: uuid7(NOW), fence: 2 }), at)), null);
  // A copy of a broadcast has the time of its origin.
  assert.equal(
    dueOf(claimEvent(claimed({ ...hash, origin: "01a00000-0000-7000-8000-000000000000" }), 0x01a000000000)),
    0x01a000000000,
  );
  // A hash may look like a uuid with a time, and a message may say anything.
  assert.equal(dueOf(claimEvent(claimed({ uuid: "ffffffff-ffff-7fff-8fff-ffffffffffff" }), at)), null);
  assert.equal(dueOf(claimEvent(claimed({ options: '{"due":1}' }), at)), null);
});

test("a publisher's clock that is ahead makes no negative wait", () => {
  const { events, tally } = counting();
  const one = claimed({ uuid: uuid7(NOW + 5_000) });
  events.attempts.emit(attemptEvent(finished({ claimed: one, started: NOW, finished: NOW }), "completed"));
  const { wait } = tally.queues.get("default")!;
  assert.deepEqual([wait.sum, wait.counts[0]], [0, 1]);
});

test("Tally counts what the log tells of the node", () => {
  const { events, tally } = counting();
  events.emit("warning", "rescued", "Rescued 3", { queues: ["a"], count: 3 });
  events.emit("info", "pruned", "Dropped 2", { dropped: ["x", "y"] });
  for (let i = 0; i < 2; i++) events.emit("error", "store.down", "Down");
  events.emit("info", "store.up", "Up");
  assert.deepEqual([tally.rescued, tally.pruned, tally.events.get("store.down")], [3, 2, 2]);
});

test("Tally tells no more than 200 queues apart", () => {
  const { tally } = counting();
  for (let i = 0; i < 1_000; i++) tally.published(`q${i}`);
  assert.equal(tally.queues.size, 201);
  assert.equal(tally.queues.get(OTHER_QUEUES)?.published, 800);
});

test("nobody is asked for events when Tally has ended", () => {
  const { events, end } = counting();
  assert.deepEqual([events.claims.wanted, events.attempts.wanted], [true, true]);
  end();
  assert.deepEqual([events.claims.wanted, events.attempts.wanted], [false, false]);
});
