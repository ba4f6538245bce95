// @runtimes deno
/** What a receiver survives: its own death at the worst moment, and everything at once. */
import assert from "node:assert/strict";
import postgres from "postgres";
import { broken, runReceiverChaos } from "../../chaos/receiver.ts";
import { eventually, needs, test, type TestContext } from "../../harness.ts";
import { jobEvent } from "./events.ts";
import { ownRedis, receiverDatabase, startedReceiver } from "./rig.ts";

const KEY = "callback_tasks";
const MANY = 1_500;

/** Nobody writes events until it is let go. */
async function lockEvents(t: TestContext, url: string): Promise<() => Promise<unknown>> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  t.after(() => sql.end({ timeout: 1 }));
  await sql`begin`;
  await sql`lock table awx.job_event in share row exclusive mode`;
  return async () => await sql`commit`;
}

/** Statements that wait for the lock. */
const blocked = async (sql: postgres.Sql) =>
  (await sql`select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`)
    .length;

test("a receiver that is killed between taking and committing loses nothing: the next one has it at once", {
  skip: needs("redis-server"),
}, async (t) => {
  const { url, sql, job } = await receiverDatabase(t);
  const server = await ownRedis(t);
  const redis = server.client(t);
  const id = await job();
  const args = ["--database-url", url, "--redis", server.url, "--no-http"];
  const first = await startedReceiver(t, args);
  const free = await lockEvents(t, url);
  const events = Array.from(
    { length: MANY },
    (_, i) => JSON.stringify(jobEvent({ job: id, counter: i + 1 })),
  );
  await redis.rpush(KEY, ...events);
  await eventually(async () => assert.ok(await blocked(sql) >= 1));
  await eventually(async () => assert.equal(await redis.llen(KEY), 0));
  await first.stop("SIGKILL");
  assert.ok(await redis.scard(`${KEY}:taken`) >= 2, "it held events");
  const second = await startedReceiver(t, args);
  assert.match(second.err, /Gave back 1500 events of dead receivers/);
  // The first one's statement is still there, and is carried out when it is let: the same rows once more.
  await free();
  await eventually(async () => assert.equal(await redis.scard(`${KEY}:taken`), 0));
  const [row] = await sql`select count(*)::int n, count(distinct counter)::int counters from awx.job_event`;
  assert.deepEqual({ ...row }, { n: MANY, counters: MANY });
  assert.equal((await second.stop()).code, 0);
});

test(
  "a receiver that is told to end while the database does not answer ends in time, and gives back what it holds",
  {
    skip: needs("redis-server"),
  },
  async (t) => {
    const { url, sql, job } = await receiverDatabase(t);
    const server = await ownRedis(t);
    const redis = server.client(t);
    const id = await job();
    const args = ["--database-url", url, "--redis", server.url, "--no-http"];
    const receiver = await startedReceiver(t, args, { DISPATCHER_SHUTDOWN_WAIT: "1" });
    const free = await lockEvents(t, url);
    const events = Array.from(
      { length: MANY },
      (_, i) => JSON.stringify(jobEvent({ job: id, counter: i + 1 })),
    );
    await redis.rpush(KEY, ...events);
    await eventually(async () => assert.ok(await blocked(sql) >= 1));
    await eventually(async () => assert.equal(await redis.llen(KEY), 0));
    const begun = performance.now();
    assert.deepEqual(await receiver.stop(), { code: 0, signal: null });
    assert.ok(performance.now() - begun < 15_000, `${performance.now() - begun} ms`);
    assert.deepEqual(await redis.keys("*"), [KEY]);
    assert.deepEqual((await redis.lrange(KEY, 0, -1)).toSorted(), events.toSorted());
    await free();
  },
);

test("events of the database's queue that a killed receiver held are there again, and leave it with the commit", async (t) => {
  const { url, sql, job } = await receiverDatabase(t);
  const id = await job();
  const args = ["--database-url", url, "--no-http"];
  const first = await startedReceiver(t, args);
  const free = await lockEvents(t, url);
  const events = Array.from(
    { length: MANY },
    (_, i) => JSON.stringify(jobEvent({ job: id, counter: i + 1 })),
  );
  await sql`insert into awx.job_event_queue (payload) select unnest(${events}::text[])`;
  await sql`select pg_notify('awx_job_event', 'FLUSH')`;
  await eventually(async () => assert.ok(await blocked(sql) >= 1));
  await first.stop("SIGKILL");
  const second = await startedReceiver(t, args);
  const left = async () => Number((await sql`select count(*) from awx.job_event_queue`)[0].count);
  assert.equal(await left(), MANY, "nothing leaves the queue before it is written");
  await free();
  await eventually(async () => assert.equal(await left(), 0), { within: 20_000 });
  const [row] = await sql`select count(*)::int n, count(distinct counter)::int counters from awx.job_event`;
  assert.deepEqual({ ...row }, { n: MANY, counters: MANY });
  assert.equal((await second.stop()).code, 0);
});

test("all good events are written once and all bad ones set aside, whatever is killed meanwhile", {
  skip: needs("redis-server"),
  timeout: 120_000,
}, async (t) => {
  const said: string[] = [];
  const report = await runReceiverChaos({
    events: 20_000,
    source: "redis",
    outage: 1,
    tell: (line) => said.push(line),
    signal: t.signal,
  });
  assert.deepEqual(broken(report), [], `${said.join("\n")}\n${JSON.stringify(report)}`);
  assert.equal(report.faults.length, 4);
});
