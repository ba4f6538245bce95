import assert from "node:assert/strict";
import { ready } from "../../runtime/connect.ts";
import { scheduleSchema } from "../../runtime/schedule.ts";
import { rowOf, scheduler, tickOf } from "../../runtime/service/scheduler.ts";
import { Events } from "../../runtime/events.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { database, test, type TestContext } from "../harness.ts";

const PAST = "2026-01-01T00:00:00.000Z";
const FUTURE = new Date("2999-01-01T00:00:00Z");

async function site(t: TestContext) {
  const db = await database();
  t.after(() => db.drop());
  const sql = await ready(db.url, { max: 4 });
  const store = new PostgresStore(sql);
  t.after(() => store.close());
  const put = (given: Record<string, unknown> = {}, first: string | Date = PAST) =>
    store.putSchedules(
      [rowOf("s", scheduleSchema.parse({ task: "examples/add", every: 3600, ...given }))],
      () => new Date(first),
    );
  const once = () => scheduler({ store, events: new Events(), graceMs: 0, mostMs: () => 10_000, wake() {} }).once();
  const behind = (seconds: number) =>
    sql`update dispatcher.schedule set next_at = clock_timestamp() - make_interval(secs => ${seconds}::float8)`;
  const uuids = async () => (await store.list({ limit: 5_000 })).map((row) => row.uuid);
  const plan = (row: Parameters<typeof tickOf>[0] & { next_at: string | null }) => ({
    envelopes: [tickOf(row, new Date(row.next_at!))],
    next: FUTURE,
  });
  return { store, sql, put, once, behind, uuids, plan };
}

test("store.tick() by two tickers at once gives one envelope a tick", async (t) => {
  const { store, put, plan, uuids } = await site(t);
  await put();
  await Promise.all([store.tick(plan), store.tick(plan), store.tick(plan)]);
  assert.equal((await uuids()).length, 1);
});

test("store.tick() rolls back a plan that throws, and the next one loses nothing", async (t) => {
  const { store, put, plan, uuids } = await site(t);
  await put();
  await assert.rejects(
    store.tick(() => {
      throw new Error("broken plan");
    }),
    /broken plan/,
  );
  assert.deepEqual([await uuids(), (await store.schedules())[0].next_at], [[], PAST]);
  await store.tick(plan);
  assert.equal((await uuids()).length, 1);
});

test("store.tick() publishes nothing again of a tick whose uuid is known", async (t) => {
  const { store, put, plan, uuids } = await site(t);
  await put();
  await store.publish([tickOf((await store.schedules())[0], new Date(PAST))]);
  assert.deepEqual((await store.tick(plan)).queues, ["default"]);
  assert.equal((await uuids()).length, 1);
});

for (const [policy, count] of [["one", 1], ["all", 3], ["none", 0]] as const) {
  test(`scheduler() catches up ${count} of three missed ticks with ${policy}`, async (t) => {
    const { put, once, behind, uuids } = await site(t);
    await put({ catch_up: policy });
    await behind(2 * 3600 + 60);
    await once();
    assert.equal((await uuids()).length, count);
  });
}

test("scheduler() leaves a paused schedule alone, also when its node starts again", async (t) => {
  const { store, put, once, uuids } = await site(t);
  await put();
  await store.enableSchedule("s", false, () => new Date(PAST));
  await put();
  await once();
  assert.deepEqual(await uuids(), []);
  await store.enableSchedule("s", true, () => new Date(PAST));
  await once();
  assert.equal((await uuids()).length, 1);
});

test("putSchedules() lets go what the file paused, from now on, when the file enables it", async (t) => {
  const { store, put } = await site(t);
  const state = async () => (await store.schedules()).map(({ enabled, next_at }) => [enabled, next_at])[0];
  await put();
  await put({ enabled: false });
  assert.equal((await state())[0], false);
  await put({ enabled: false });
  await put({}, FUTURE);
  assert.deepEqual(await state(), [true, FUTURE.toISOString()]);
});

test("putSchedules() lets go what was paused in the file from the beginning", async (t) => {
  const { store, put } = await site(t);
  await put({ enabled: false });
  await put();
  assert.equal((await store.schedules())[0].enabled, true);
});

test("putSchedules() leaves paused what a person paused, although the file paused it too, until it is resumed", async (t) => {
  const { store, put } = await site(t);
  const enabled = async () => (await store.schedules())[0].enabled;
  await put();
  await store.enableSchedule("s", false, () => FUTURE);
  await put({ enabled: false });
  await put();
  assert.equal(await enabled(), false, "a person, then the file");
  await store.enableSchedule("s", true, () => FUTURE);
  await put({ enabled: false });
  await store.enableSchedule("s", false, () => FUTURE);
  await put();
  assert.equal(await enabled(), false, "the file, then a person");
  await store.enableSchedule("s", true, () => FUTURE);
  assert.equal(await enabled(), true);
});

test("schedules go by the database's clock", async (t) => {
  const { store, sql } = await site(t);
  const given: Date[] = [];
  const note = (_row: unknown, now: Date) => {
    given.push(now);
    return FUTURE;
  };
  const [{ before }] = await sql`select clock_timestamp() before`;
  await store.putSchedules([rowOf("s", scheduleSchema.parse({ task: "examples/add", every: 1 }))], note);
  await store.enableSchedule("s", true, note);
  const [{ after }] = await sql`select clock_timestamp() "after"`;
  const times = [before, ...given.map((date) => date.toISOString()), after];
  assert.equal(given.length, 2);
  assert.deepEqual(times, times.toSorted());
});

test("putSchedules() keeps the next tick unless the rhythm is another", async (t) => {
  const { store, put } = await site(t);
  await put();
  await put({}, FUTURE);
  assert.equal((await store.schedules())[0].next_at, PAST);
  await put({ every: 60 }, FUTURE);
  assert.equal((await store.schedules())[0].next_at, FUTURE.toISOString());
});
