// @runtimes deno
/** The receiver in the test's own process, from Redis and from PostgreSQL. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { loadConfig } from "../../../runtime/config.ts";
import { type DispatcherEvent, Events } from "../../../runtime/events.ts";
import { type ReceiverOptions, startReceiver } from "../../../runtime/receiver/start.ts";
import { notificationUuid, SEND_NOTIFICATIONS } from "../../../tasks/jobs/model/notify.ts";
import { eventually, needs, test, type TestContext } from "../../harness.ts";
import { eof, jobEvent, POISON } from "./events.ts";
import { ownRedis, receiverDatabase } from "./rig.ts";

const KEY = "callback_tasks";
const GONE = 999_999;

async function receiver(t: TestContext, url: string, options: Partial<ReceiverOptions> = {}) {
  const { config } = await loadConfig({ env: {}, flags: { database_url: url } });
  const events = new Events();
  const said: DispatcherEvent[] = [];
  events.on((event) => said.push(event));
  const running = await startReceiver({ config, events, http: "off", ...options });
  let stopped: Promise<void> | undefined;
  const stop = () => stopped ??= running.stop(AbortSignal.timeout(5_000));
  t.after(stop);
  return { ...running, said, stop };
}

/** A source of either kind, and a way to put lines into it. */
async function site(t: TestContext, kind: "redis" | "postgres") {
  const db = await receiverDatabase(t);
  if (kind === "postgres") {
    const push = async (lines: string[]) => {
      await db.sql`insert into awx.job_event_queue (payload) select unnest(${lines}::text[])`;
      await db.sql`select pg_notify('awx_job_event', 'FLUSH')`;
    };
    const left = async () => Number((await db.sql`select count(*) from awx.job_event_queue`)[0].count);
    return { ...db, push, left, options: {} };
  }
  const server = await ownRedis(t);
  const redis = server.client(t);
  const left = async () => (await redis.keys(`${KEY}*`)).filter((key) => !key.includes(":receiver:")).length;
  const push = async (lines: string[]) => void await redis.rpush(KEY, ...lines, '{"event": "FLUSH"}');
  return { ...db, push, left, options: { redis: server.url } };
}

for (const kind of ["redis", "postgres"] as const) {
  const options = { skip: kind === "redis" && needs("redis-server") };

  test(
    `events from ${kind} are written once each, in batches, and the stream is closed by its end`,
    options,
    async (t) => {
      const { url, sql, job, push, left, options } = await site(t, kind);
      const id = await job();
      const { status } = await receiver(t, url, options);
      const events = Array.from({ length: 1_500 }, (_, i) => jobEvent({ job: id, counter: i + 1 }));
      const lines = events.map((event) => JSON.stringify(event));
      // Each third comes twice, and the end comes before the last of them.
      await push([
        ...lines.slice(0, 1_400),
        ...lines.slice(0, 1_400).filter((_, i) => i % 3 === 0),
        eof(id, 1_500),
      ]);
      await eventually(async () => assert.equal((await status()).saved, 1_400));
      const closed = async () =>
        (await sql`select events_closed_at from awx.unified_job where id = ${id}`)[0].events_closed_at;
      assert.equal(await closed(), null);
      await push(lines.slice(1_400));
      await eventually(async () => assert.ok(await closed()));
      const [row] = await sql`select count(*)::int n, min(counter) first, max(counter) last,
      count(distinct uuid)::int uuids from awx.job_event where job_id = ${id}`;
      assert.deepEqual({ ...row }, { n: 1_500, first: 1, last: 1_500, uuids: 1_500 });
      const [one] = await sql`select *, event_data::text as data from awx.job_event where counter = 7`;
      const { event_data, created, ...sent } = events[6];
      assert.deepEqual(JSON.parse(one.data), event_data);
      assert.equal(one.created.toISOString(), created);
      assert.deepEqual(
        [one.uuid, one.host, one.task, one.stdout, one.changed, one.end_line],
        [sent.uuid, sent.host, sent.task, sent.stdout, sent.changed, sent.end_line],
      );
      const [{ emitted_events }] = await sql`select emitted_events from awx.unified_job where id = ${id}`;
      assert.equal(emitted_events, 1_500);
      await eventually(async () => assert.equal(await left(), 0));
      assert.equal((await status()).in_memory, 0);
    },
  );

  test(
    `poison from ${kind} is set aside with its reason, once, and nothing else waits for it`,
    options,
    async (t) => {
      const { url, sql, job, push, left, options } = await site(t, kind);
      const id = await job();
      const { status } = await receiver(t, url, options);
      const good = Array.from(
        { length: 50 },
        (_, i) => JSON.stringify(jobEvent({ job: id, counter: i + 1 })),
      );
      const bad = POISON.map((kind, i) => kind.make(jobEvent({ job: id, counter: 51 + i }), GONE));
      const mixed = good.flatMap((line, i) => bad[i] === undefined ? [line] : [line, bad[i]]);
      await push([...mixed, eof(GONE, 3)]);
      await eventually(async () => assert.equal((await status()).set_aside, bad.length + 1));
      assert.equal((await status()).saved, 50);
      // Sent once more, as after a crash between commit and acknowledgement.
      await push(mixed);
      await eventually(async () => assert.equal((await status()).known, 50));
      await eventually(async () => assert.equal(await left(), 0));
      const rows = await sql`select event, reason, tries from awx.job_event_set_aside order by id`;
      assert.equal(rows.length, bad.length + 1);
      for (const [i, { name, reason, tries }] of POISON.entries()) {
        const row = rows.find((row) => row.event === bad[i]);
        assert.ok(row, name);
        assert.match(row.reason, reason, name);
        assert.equal(row.tries, tries, name);
      }
      const [{ n }] = await sql`select count(*)::int n from awx.job_event`;
      assert.equal(n, 50);
    },
  );
}

test("the end of a job that is final publishes its notification, and that of one that runs does not", async (t) => {
  const { url, sql, job, push, options } = await site(t, "postgres");
  await receiver(t, url, options);
  const jobs = {
    successful: await job("successful"),
    canceled: await job("canceled"),
    running: await job("running"),
  };
  for (const id of Object.values(jobs)) {
    const stats = { ...jobEvent({ job: id, counter: 1 }), event: "playbook_on_stats" };
    stats.event_data = { ok: { a: 3, b: 2 }, changed: { b: 1 }, dark: { c: 1 } } as never;
    await push([JSON.stringify(stats), eof(id, 1)]);
  }
  const closed = async () => await sql`select id from awx.unified_job where events_closed_at is not null`;
  await eventually(async () => assert.equal((await closed()).length, 3));
  const rows = await sql`select uuid::text, args::text, max_attempts from dispatcher.envelope
    where task = ${SEND_NOTIFICATIONS} order by args::text`;
  assert.deepEqual(rows.map(({ uuid, args, max_attempts }) => [uuid, JSON.parse(args), max_attempts]), [
    [notificationUuid(jobs.successful, "success"), [jobs.successful, "success"], 6],
    [notificationUuid(jobs.canceled, "error"), [jobs.canceled, "error"], 6],
  ]);
  const [{ host_status_counts }] =
    await sql`select host_status_counts from awx.unified_job where id = ${jobs.running}`;
  assert.deepEqual(host_status_counts, { ok: 1, changed: 1, dark: 1 });
});

test("a stream whose events do not come is closed after a while, and the gap is told", async (t) => {
  const { url, sql, job, push, options } = await site(t, "postgres");
  const id = await job();
  const { said } = await receiver(t, url, { ...options, patience: 0.5 });
  await push([JSON.stringify(jobEvent({ job: id, counter: 1 })), eof(id, 3)]);
  const row = await eventually(async () =>
    (await sql`select * from awx.unified_job where id = ${id} and events_closed_at is not null`)[0]
  );
  assert.equal(row.job_explanation, "2 of 3 events did not arrive.");
  const text = `The stream of job ${id} was closed: 2 of 3 events did not arrive`;
  await eventually(() => said.some((event) => event.name === "receiver.gap" && event.text === text));
});

test("what has a separator, half a character or large numbers in it is written as it came", async (t) => {
  const { url, sql, job, push, options } = await site(t, "postgres");
  const id = await job();
  const { status } = await receiver(t, url, options);
  const odd = [
    JSON.stringify({ ...jobEvent({ job: id, counter: 1 }), stdout: "a\x1eb\x1e" }),
    JSON.stringify({
      ...jobEvent({ job: id, counter: 2 }),
      stdout: "half \ud83d",
      event_data: { x: "\udc00" },
    }),
    JSON.stringify(jobEvent({ job: id, counter: 3 })).replace('"rc":0', '"rc":12345678901234567890.12'),
    JSON.stringify({ ...jobEvent({ job: id, counter: 4 }), created: "2026-11-28 10:00:00.123456" }),
    // As AWX itself sends it.
    JSON.stringify({
      ...{ job_id: id, uuid: randomUUID(), counter: 5, event: "runner_on_failed", pid: 1, stdout: "" },
      ...{ created: "2031-01-01T10:00:00+02:00", event_data: { host: "h", res: { changed: true } } },
    }),
  ];
  await push(odd);
  await eventually(async () => assert.equal((await status()).saved, 5));
  const rows =
    await sql`select stdout, host, failed, changed, created, event_data::text as data, tableoid::regclass::text
    as partition from awx.job_event order by counter`;
  assert.deepEqual(rows.slice(0, 2).map(({ stdout }) => stdout), ["a\x1eb\x1e", "half \ufffd"]);
  assert.equal(rows[1].data, '{"x": "\ufffd"}');
  assert.match(rows[2].data, /"rc": 12345678901234567890\.12/);
  assert.equal(rows[3].created.toISOString(), "2026-11-28T10:00:00.123Z");
  const { host, failed, changed, created, partition } = rows[4];
  assert.deepEqual([host, failed, changed, created.toISOString()], [
    "h",
    true,
    true,
    "2031-01-01T08:00:00.000Z",
  ]);
  assert.equal(partition, "awx.job_event_default");
});
