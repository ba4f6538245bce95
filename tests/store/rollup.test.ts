import assert from "node:assert/strict";
import { connect } from "../../mod.ts";
import { PostgresRollup } from "../../runtime/store/postgres_rollup.ts";
import type { RollupRow } from "../../runtime/store/rollup.ts";
import { connect as open } from "../../runtime/store/connection.ts";
import { database, test, type TestContext } from "../harness.ts";

const ROW: RollupRow = {
  queue: "shop",
  age: 1_800,
  published: 0,
  claimed: 0,
  completed: 0,
  retry: 0,
  cancelled: 0,
  discarded: 0,
  released: 0,
  wait: null,
  duration: null,
  busy_seconds: null,
  slot_seconds: null,
};

/** A migrated database, its rollup and a client. */
async function site(t: TestContext) {
  const db = await database();
  t.after(() => db.drop());
  const client = await connect({ databaseUrl: db.url });
  t.after(() => client.close());
  const sql = open(db.url, { max: 1 });
  t.after(() => sql.end({ timeout: 1 }));
  return { client, sql, rollups: new PostgresRollup(sql) };
}

const sum = (series: (number | null)[]) => series.reduce<number>((all, value) => all + (value ?? 0), 0);

test("client.rollup() adds up nodes, queues and rows of one minute", async (t) => {
  const { client, rollups } = await site(t);
  const done = { ...ROW, completed: 30, wait: [0, 5], duration: [1, 0, 2] };
  await rollups.write("a", [done, { ...done, queue: "mail" }, {
    ...ROW,
    queue: null,
    busy_seconds: 60,
    slot_seconds: 240,
  }]);
  await rollups.write("b", [done]);
  await rollups.write("b", [{ ...done, wait: [10], duration: null }]);
  const { at, step, throughput, wait, duration, slots } = await client.rollup();
  assert.equal(step, 60);
  assert.ok(at.length >= 59 && at.length <= 61, `${at.length} steps`);
  for (const series of [throughput.completed, wait.p95, slots.total]) assert.equal(series.length, at.length);
  assert.equal(sum(throughput.completed), 2);
  assert.equal(sum(slots.busy), 1);
  assert.equal(sum(slots.total), 4);
  assert.ok(wait.p50.some((value) => value !== null) && duration.p95.some((value) => value !== null));
  const mail = await client.rollup({ queue: "mail", hours: 24, step: 10 });
  assert.equal(Math.round(sum(mail.throughput.completed) * 600), 30);
  assert.equal(mail.step, 600);
});

test("the states of queues are those that two leaders wrote in one minute, not their sum", async (t) => {
  const { client, rollups } = await site(t);
  await client.publishMany([{ task: "a" }, { task: "a" }, { task: "a", delay: 60 }, {
    task: "b",
    queue: "mail",
  }]);
  for (let i = 0; i < 2; i++) await rollups.writeStates(90);
  const { states, oldest } = await client.rollup();
  assert.deepEqual([sum(states.available), sum(states.scheduled), sum(states.running)], [3, 1, 0]);
  assert.equal(oldest.filter((value) => value !== null).length, 1);
});

test("writeStates() writes nothing when nothing stands", async (t) => {
  const { rollups, sql } = await site(t);
  await rollups.writeStates(30);
  await rollups.write("a", []);
  assert.equal((await sql`select from dispatcher.rollup`).length, 0);
});

test("prune() forgets what is older", async (t) => {
  const { rollups, sql } = await site(t);
  await rollups.write("a", [{ ...ROW, age: 9 * 86_400 }, { ...ROW, age: 7 * 86_400 }]);
  await rollups.prune(8);
  assert.equal((await sql`select from dispatcher.rollup`).length, 1);
});

test("client.rollup() refuses what is no time, naming it", async (t) => {
  const { client } = await site(t);
  await assert.rejects(client.rollup({ hours: -1 }), /Cannot draw a chart: hours -1: /);
  await assert.rejects(client.rollup({ hours: 8_000, step: 1 }), /are too many/);
});
