import assert from "node:assert/strict";
import { setTimeout as rest } from "node:timers/promises";
import postgres from "postgres";
import { connect, isTransient, type Sql } from "../../runtime/store/connection.ts";
import { database, eventually, test } from "../harness.ts";

const MAX = 4;

test("connect() keeps every connection of its pool, however often all are lost in the middle of work", async (t) => {
  const db = await database();
  t.after(() => db.drop());
  const admin = postgres(db.url, { max: 1, onnotice: () => {} });
  t.after(() => admin.end({ timeout: 1 }));
  const sql = connect(db.url, { max: MAX, application: "lost" });
  t.after(() => sql.end({ timeout: 1 }));
  const done = { queries: 0, losses: 0 };
  const stop = new AbortController();
  // Before the pool ends: its refusals come at once and would leave nothing else a turn.
  t.after(() => stop.abort());
  const loops = Array.from({ length: 2 * MAX }, () => work(sql, done, stop.signal));
  for (let round = 0; round < 16; round++) {
    const before = done.queries;
    await eventually(() => done.queries >= before + 30, { every: 1 });
    await admin`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lost'`;
  }
  stop.abort();
  await Promise.all(loops);
  assert.ok(done.losses >= 16, `${done.losses} losses`);
  // What may be left of the last loss.
  await eventually(async () => assert.equal((await pids(sql)).size, MAX), { within: 5_000 });
});

/** Small statements, which the client keeps back for a moment. */
async function work(sql: Sql, done: { queries: number; losses: number }, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    try {
      await sql.unsafe("select $1::int, pg_sleep(0.002)", [1], { prepare: true });
      done.queries++;
    } catch (error) {
      if (!isTransient(error)) throw error;
      done.losses++;
      await rest(5);
    }
  }
}

/** The backends that serve as many statements at once as there are connections. */
async function pids(sql: Sql): Promise<Set<number>> {
  const rows = await Promise.all(
    Array.from({ length: MAX }, () => sql`select pg_backend_pid() pid, pg_sleep(0.3)`),
  );
  return new Set(rows.map(([{ pid }]) => pid));
}
