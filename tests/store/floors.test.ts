/** What lies before the floors is found in PostgreSQL, by the rules of `dispatch/floors.ts` and at its times. */
import assert from "node:assert/strict";
import { ClaimFloors } from "../../runtime/dispatch/floors.ts";
import { seal } from "../../runtime/envelope.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { FakeClock } from "../fake_clock.ts";
import { test, type TestContext } from "../harness.ts";
import { migrated } from "./migrated.ts";

const LIMIT = 10;

/** A node whose floors have risen behind all that was published so far. */
async function risen(t: TestContext) {
  const { sql, store } = await migrated(t);
  const clock = new FakeClock();
  const floors = new ClaimFloors(clock, ["default"]);
  const instance = uuid7();
  const claim = async () => {
    const look = floors.look();
    const found = await store.exchange({
      node: "one",
      instance,
      settlements: [],
      queues: ["default"],
      limit: LIMIT,
      floors: look.floors,
    });
    await clock.advance(5);
    floors.done(look, found);
    return { uuids: found.claimed.map(({ uuid }) => uuid), whole: look.floors.length === 0 };
  };
  /** As if so much had been published. */
  const rise = async () => {
    await claim();
    await sql`select setval('dispatcher.envelope_id_seq', nextval('dispatcher.envelope_id_seq') + 200000)`;
    for (let i = 0; i < 3; i++) {
      await clock.advance(1_000);
      await claim();
    }
    assert.equal((await claim()).whole, false);
  };
  return { sql, store, clock, floors, claim, rise };
}

const batchOf = (count: number, options = {}) => Array.from({ length: count }, () => seal("t", [], options));

test("a queue that was paused is worked off by full claims when it is resumed", async (t) => {
  const { store, clock, claim, rise } = await risen(t);
  await store.pause("default", true);
  const batch = batchOf(5 * LIMIT);
  await store.publish(batch);
  await rise();
  await store.pause("default", false);
  assert.deepEqual((await claim()).uuids, [], "it lies before the floors");
  await clock.advance(100);
  const found = [];
  for (let i = 0; i < 5; i++) found.push(...(await claim()).uuids);
  assert.deepEqual(found, batch.map(({ uuid }) => uuid));
});

test("what is due is found by the claim that is asked for it, in its place", async (t) => {
  const { store, floors, claim, rise } = await risen(t);
  const [later] = batchOf(1, { delay: 0.001 });
  await store.publish([later]);
  await rise();
  const [now] = batchOf(1);
  await store.publish([now]);
  // By the database's clock, which the first publish was before.
  while ((await store.stage(10)).queues.length === 0);
  floors.ask();
  assert.deepEqual(await claim(), { uuids: [later.uuid, now.uuid], whole: true });
});

test("what a transaction of before commits late is found by the next look from the beginning", async (t) => {
  const { sql, clock, claim, rise, floors } = await risen(t);
  // The client reserves no connection while it has none (postgres 3.4.9).
  await sql`select`;
  const tx = await sql.reserve();
  await tx`begin`;
  const [{ uuid }] = await tx`select dispatcher.publish('t') uuid`;
  await rise();
  await tx`commit`;
  tx.release();
  assert.deepEqual((await claim()).uuids, []);
  assert.equal(floors.owe, true);
  await clock.advance(100);
  assert.deepEqual(await claim(), { uuids: [uuid], whole: true });
  assert.equal(floors.owe, false);
});
