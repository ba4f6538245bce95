import assert from "node:assert/strict";
import type { Broker } from "../../runtime/broker/broker.ts";
import { Assembler } from "../../runtime/broker/chunks.ts";
import { readWire } from "../../runtime/broker/wire.ts";
import { Watch, type WatchMessage } from "../../runtime/control/watch.ts";
import { Events } from "../../runtime/events.ts";
import { eventually, test, type TestContext } from "../harness.ts";

const UUID = "0197f000-0000-7000-8000-000000000001";
const CLAIM = {
  fence: 1,
  uuid: UUID,
  origin: null,
  task: "examples/add",
  queue: "default",
  attempt: 1,
  options: '{"guid":"g-1"}',
  at: 0,
};

/** A watch over a broker that keeps what it is given, and a clock that stands still. */
function site(t: TestContext) {
  const events = new Events();
  const sent: WatchMessage[] = [];
  const assembler = new Assembler();
  let now = 0;
  const clock = { now: () => 0, monotonic: () => now, sleep: () => Promise.resolve() };
  const broker = {
    notify(channel: string, payload: string) {
      const wire = readWire(payload, channel);
      const text = wire.kind === "chunk" ? assembler.add(wire.chunk, 0).text : payload;
      if (text !== undefined) sent.push(JSON.parse(text));
      return Promise.resolve();
    },
  } as unknown as Broker;
  const watch = new Watch({ node: "n1", events, broker, clock });
  t.after(() => watch.close());
  return { watch, events, sent, lapse: () => now = 100_000 };
}

test("Watch tells claims, ends of attempts and lines of the log, redacted, without arguments", async (t) => {
  const { watch, events, sent } = site(t);
  assert.equal(events.claims.wanted, false);
  watch.open("c", 10);
  events.claims.emit(CLAIM);
  const error = JSON.stringify({ name: "Error", message: "token=hunter2", stack: "at hunter2" });
  events.attempts.emit({ ...CLAIM, at: 30.0042, started: 10, outcome: "retry", worker: "1.2", error });
  events.emit("warning", "attempt.failed", "told by the attempt itself");
  events.emit("info", "node.draining", "Draining", { node: "n1" });
  const [message] = await eventually(() => sent.length > 0 && sent) as WatchMessage[];
  const ids = { uuid: UUID, guid: "g-1", task: "examples/add", queue: "default", attempt: 1 };
  const [claimed, ended, { at, ...said }, ...more] = message.events;
  assert.deepEqual(claimed, { node: "n1", event: "claimed", at: "1970-01-01T00:00:00.000Z", ...ids });
  assert.deepEqual(ended, {
    node: "n1",
    event: "attempt.retry",
    at: "1970-01-01T00:00:00.030Z",
    ...ids,
    worker: "1.2",
    ms: 20,
    error: "Error: token=[redacted]",
  });
  assert.equal(new Date(at).toISOString(), at);
  assert.deepEqual(said, { node: "n1", event: "node.draining", level: "info", text: "Draining" });
  assert.deepEqual([more, message.dropped, message.node_id], [[], 0, "n1"]);
});

test("Watch counts what is too much", async (t) => {
  const { watch, events, sent } = site(t);
  watch.open("c", 10);
  for (let i = 0; i < 1_000; i++) events.claims.emit(CLAIM);
  const [message] = await eventually(() => sent.length > 0 && sent) as WatchMessage[];
  assert.deepEqual([message.events.length, message.dropped], [100, 900]);
});

test("Watch listens to nothing once the last one who watches is gone, and to all again for the next", async (t) => {
  const { watch, events, lapse } = site(t);
  watch.open("c", 10);
  assert.equal(events.claims.wanted && events.attempts.wanted, true);
  lapse();
  await eventually(() => !events.claims.wanted && !events.attempts.wanted);
  watch.open("c", 10);
  assert.equal(events.claims.wanted, true);
});

test("Watch refuses the twenty-first who watches", (t) => {
  const { watch } = site(t);
  for (let i = 0; i < 20; i++) assert.equal(watch.open(`c${i}`, 10), true);
  assert.equal(watch.open("one more", 10), false);
  assert.equal(watch.open("c3", 10), true);
});
