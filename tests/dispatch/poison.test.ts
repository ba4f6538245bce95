/** A verdict that the database refuses must not hold up those of others. */
import assert from "node:assert/strict";
import { Dispatcher } from "../../runtime/dispatch/dispatcher.ts";
import { seal } from "../../runtime/envelope.ts";
import { Events } from "../../runtime/events.ts";
import type { Pool } from "../../runtime/pool/pool.ts";
import { connect, isForContent } from "../../runtime/store/connection.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { finished } from "../conformance/make.ts";
import { FakeClock } from "../fake_clock.ts";
import { database, eventually, test, type TestContext } from "../harness.ts";
import { FakePool, idle, rig } from "./rig.ts";

test("Dispatcher settles the rest of a batch in which one outcome is refused, and discards that one", async () => {
  const { store, start, finish, dispatcher, said, texts } = rig(0);
  start();
  let poison = "";
  store.before = ({ settlements }) => {
    if (settlements.some((s) => s.uuid === poison && s.result !== null)) throw new Error("value too long");
  };
  const uuids: string[] = [];
  for (let i = 0; i < 60; i++) {
    uuids.push(finish());
    if (i === 30) poison = uuids[i];
  }
  await eventually(() => dispatcher.settledAll);
  assert.equal(dispatcher.totals.settled, 60);
  const last = new Map(store.exchanges.flatMap((work) => work.settlements.map((s) => [s.uuid, s])));
  for (const uuid of uuids) {
    assert.equal(last.get(uuid)?.outcome, uuid === poison ? "discarded" : "completed");
  }
  assert.match(last.get(poison)!.error!, /The outcome could not be stored: value too long/);
  assert.deepEqual(said(), ["settle.refused"], "the database is not taken for away");
  assert.match(texts()[0], /^Outcome cannot be stored: value too long$/);
});

test("Dispatcher does not spin when an outcome is refused even without its content", async () => {
  const { store, start, finish, dispatcher } = rig(0);
  start();
  store.before = () => {
    throw new Error("relation does not exist");
  };
  finish();
  await idle();
  await idle();
  const asked = store.exchanges.length;
  assert.ok(asked <= 3, `asked ${asked} times in a moment`);
  store.before = () => {};
  await eventually(() => dispatcher.settledAll);
  assert.equal(dispatcher.totals.settled, 1);
});

/** A dispatcher on a real store with claimed envelopes, as many as are asked for. */
async function real(t: TestContext, count: number) {
  const db = await database({ migrated: true });
  t.after(() => db.drop());
  const sql = connect(db.url);
  t.after(() => sql.end({ timeout: 1 }));
  const store = new PostgresStore(sql);
  const sealed = Array.from({ length: count }, () => seal("a", []));
  await store.publish(sealed);
  const pool = new FakePool(count);
  const dispatcher = new Dispatcher(uuid7(), {
    store,
    clock: new FakeClock(),
    events: new Events(),
    queues: ["default"],
    isForContent,
    settled: () => {},
  }, { node: "n", backoff: { base: 2, factor: 2, max: 60, jitter: 0 }, maxAttempts: 1 });
  const start = async () => {
    dispatcher.start(pool as unknown as Pool);
    await eventually(() => pool.held.length === count);
  };
  return { sql, store, pool, dispatcher, start };
}

test("Dispatcher gets a batch with an outcome that PostgreSQL refuses into the archive", async (t) => {
  const { store, pool, dispatcher, start } = await real(t, 20);
  await start();
  const poison = pool.held[7].uuid;
  for (const claimed of pool.held.splice(0)) {
    dispatcher.finished(finished({ claimed, text: claimed.uuid === poison ? '{"not": json' : "1" }));
  }
  await eventually(() => dispatcher.settledAll);
  const rows = await store.list({ limit: 100 });
  assert.equal(rows.length, 20);
  for (const row of rows) {
    assert.equal(row.state, row.uuid === poison ? "discarded" : "completed");
    if (row.uuid === poison) {
      assert.match(row.error!.message, /could not be stored: .*invalid input syntax for type json/);
    }
  }
});

test("Dispatcher gives back, uncharged, what an answer that was lost had claimed", async (t) => {
  const { store, pool, dispatcher, start } = await real(t, 3);
  const exchange = store.exchange.bind(store);
  let lost = false;
  store.exchange = async (work) => {
    const answer = await exchange(work);
    if (lost) return answer;
    lost = true;
    throw Object.assign(new Error("write CONNECTION_CLOSED"), { code: "CONNECTION_CLOSED" });
  };
  await start();
  assert.deepEqual(pool.held.map(({ attempt, fence }) => [attempt, fence]), [[1, 2], [1, 2], [1, 2]]);
  for (const claimed of pool.held.splice(0)) dispatcher.finished(finished({ claimed }));
  await eventually(() => dispatcher.settledAll);
  assert.equal(dispatcher.totals.settled, 3);
});
