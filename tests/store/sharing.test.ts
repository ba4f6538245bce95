// @runtimes bun
/** A heartbeat tells how many nodes work on the same queues. */
import assert from "node:assert/strict";
import { beat, join, lapse } from "../conformance/store/moves.ts";
import { test } from "../harness.ts";
import { migrated } from "./migrated.ts";

test("heartbeat() counts the nodes that run and serve a queue of this one's", async (t) => {
  const { sql, store } = await migrated(t);
  const one = await join(store, "one", { queues: ["default", "one"] });
  assert.equal((await beat(store, one)).sharing, 1);
  const two = await join(store, "two", { queues: ["mail", "default", "two"] });
  const three = await join(store, "three", { queues: ["mail", "three"] });
  const shared = async () => {
    const replies = [await beat(store, one), await beat(store, two), await beat(store, three)];
    return replies.map(({ sharing }) => sharing);
  };
  assert.deepEqual(await shared(), [2, 3, 2]);
  const four = await join(store, "four", { queues: ["default"] });
  assert.deepEqual(await shared(), [3, 4, 2]);
  await sql`update dispatcher.node set state = 'draining' where name = 'four'`;
  assert.deepEqual(await shared(), [2, 3, 2]);
  await store.unregister(four.instance);
  await lapse(store, three);
  assert.equal((await beat(store, two)).sharing, 2);
});
