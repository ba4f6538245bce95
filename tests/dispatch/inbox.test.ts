import assert from "node:assert/strict";
import type { Broker } from "../../runtime/broker/broker.ts";
import { systemClock } from "../../runtime/clock.ts";
import { Inbox } from "../../runtime/dispatch/inbox.ts";
import { Events } from "../../runtime/events.ts";
import type { Adoption, Store } from "../../runtime/store/store.ts";
import { eventually, test } from "../harness.ts";

/** The inbox of node n1, whose messages are all taken, or none. */
function site(takes = true) {
  const woken: string[][] = [];
  const adopted: Adoption[] = [];
  const store = {
    adopt(_node: string, messages: Adoption[]) {
      adopted.push(...messages);
      return Promise.resolve(takes ? messages.length : 0);
    },
  } as unknown as Store;
  const inbox = new Inbox({
    node: "n1",
    store,
    broker: {} as Broker,
    clock: systemClock,
    events: new Events(),
    everyNode: new Set(["broadcast", "all"]),
    chunkTimeout: 1_800,
    commands: {},
    wake: (queues) => void woken.push(queues.sort()),
  });
  return { inbox, woken, adopted };
}

for (
  const { name, channel, message, wakes } of [
    { name: "at once", channel: "q", message: {}, wakes: ["q"] },
    { name: "with a delay of 0", channel: "q", message: { delay: 0 }, wakes: ["", "q"] },
    { name: "that is due later", channel: "q", message: { delay: 9 }, wakes: ["", "q"] },
    {
      name: "under a rule for duplicates",
      channel: "q",
      message: { on_duplicate: "serial" },
      wakes: ["", "q"],
    },
    { name: "of its own queue", channel: "n1", message: {}, wakes: [] },
    { name: "of its own queue, later", channel: "n1", message: { delay: 9 }, wakes: [""] },
    { name: "that every node runs", channel: "all", message: {}, wakes: [] },
    { name: "that every node runs, later", channel: "broadcast", message: { delay: 9 }, wakes: [""] },
  ]
) {
  test(`Inbox takes a message ${name} and wakes ${JSON.stringify(wakes)}`, async () => {
    const { inbox, woken } = site();
    inbox.message(channel, JSON.stringify({ task: "examples.add", ...message }));
    await eventually(() => assert.deepEqual(woken, [wakes]));
  });
}

test("Inbox wakes each queue once for a batch, and nobody for what others took", async () => {
  const { inbox, woken, adopted } = site();
  for (let i = 0; i < 20; i++) inbox.message("q", '{"task": "examples.add", "delay": 0}');
  await eventually(() => adopted.length === 20);
  assert.ok(woken.length <= 2, `${woken.length} batches`);
  for (const queues of woken) assert.deepEqual(queues, ["", "q"]);
  const late = site(false);
  late.inbox.message("q", '{"task": "examples.add"}');
  await eventually(() => late.adopted.length === 1);
  assert.deepEqual(late.woken, []);
});
