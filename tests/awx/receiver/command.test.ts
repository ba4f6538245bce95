/** The receiver as a command: what it prints, serves and answers, and how it ends. */
import assert from "node:assert/strict";
import { database, eventually, needs, test } from "../../harness.ts";
import { spawnCli } from "../../processes.ts";
import { eof, jobEvent, POISON } from "./events.ts";
import { ownRedis, receiverDatabase, ReceiverProcess, startedReceiver } from "./rig.ts";

test("callback-receiver serves probes and metrics, reports, and ends with 0 when what it holds is written", async (t) => {
  const { url, sql, job } = await receiverDatabase(t);
  const id = await job();
  const receiver = await startedReceiver(t, [
    ...["--database-url", url, "--name", "r1", "--http", "127.0.0.1:0", "--workers", "1"],
  ]);
  const { http, source, receiver: name } = receiver.facts;
  assert.deepEqual([source, name], ["postgres", "r1"]);
  const get = async (path: string) => {
    const response = await fetch(`http://${http}${path}`);
    return { status: response.status, text: await response.text() };
  };
  assert.deepEqual(await get("/livez"), { status: 200, text: '{"status":"ok"}' });
  const ready = await get("/readyz");
  assert.equal(ready.status, 200);
  assert.deepEqual(JSON.parse(ready.text), {
    ...{ status: "ready", node: "r1", database: true, source: true, draining: false },
  });
  const payload = [JSON.stringify(jobEvent({ job: id, counter: 1 })), "poison"];
  await sql`insert into awx.job_event_queue (payload) select unnest(${payload}::text[])`;
  await sql`select pg_notify('awx_job_event', 'FLUSH')`;
  await eventually(async () => {
    const { text } = await get("/metrics");
    assert.match(text, /^awx_receiver_saved_total 1$/m);
    assert.match(text, /^awx_receiver_set_aside_total 1$/m);
    assert.match(text, /^awx_receiver_lag_seconds_count 1$/m);
    assert.match(text, /^awx_receiver_info\{receiver="r1",source="postgres",.*\} 1$/m);
  });
  await eventually(async () => {
    const [row] = await sql`select saved, set_aside, popped, queue_size from awx.receiver where name = 'r1'`;
    assert.deepEqual({ ...row }, { saved: "1", set_aside: "1", popped: "2", queue_size: "0" });
  });
  const status = await spawnCli(["status", "--database-url", url]);
  assert.match(
    status.stdout,
    /^r1\[pid:\d+\] receiver source=postgres popped=2 saved=1 set_aside=1 memory=0 queue=0 lag_p95=/m,
  );
  const control = await spawnCli([
    "control",
    "status",
    "--channel",
    "r1",
    "--expected-replies",
    "1",
    "--database-url",
    url,
  ]);
  assert.equal(JSON.parse(control.stdout).saved, 1);
  assert.deepEqual(await receiver.stop(), { code: 0, signal: null });
  assert.equal((await sql`select from awx.receiver`).length, 0);
});

test("callback-receiver takes what waits in Redis, and writes what it holds when it is told to end", {
  skip: needs("redis-server"),
}, async (t) => {
  const { url, sql, job } = await receiverDatabase(t);
  const id = await job();
  const server = await ownRedis(t);
  const redis = server.client(t);
  const good = Array.from({ length: 1_200 }, (_, i) => JSON.stringify(jobEvent({ job: id, counter: i + 1 })));
  const bad = POISON.map(({ make }) => make(jobEvent({ job: id, counter: 1 }), 999_999));
  await redis.rpush("own_key", ...good.slice(0, 600), ...bad, ...good.slice(600), good[0], eof(id, 1_200));
  const args = ["--database-url", url, "--redis", server.url, "--key", "own_key", "--no-http"];
  const receiver = await startedReceiver(t, args);
  assert.equal(receiver.facts.from, server.url.slice("redis://".length));
  await eventually(async () => {
    const [row] = await sql`select events_closed_at from awx.unified_job where id = ${id}`;
    assert.ok(row.events_closed_at);
  });
  // Taken, and waiting for more, when it is told.
  await redis.rpush("own_key", JSON.stringify(jobEvent({ job: id, counter: 1_201 })));
  await eventually(async () => assert.equal(await redis.llen("own_key"), 0), { every: 2 });
  assert.deepEqual(await receiver.stop(), { code: 0, signal: null });
  const [row] = await sql`select (select count(*)::int from awx.job_event) saved,
    (select count(*)::int from awx.job_event_set_aside) aside`;
  assert.deepEqual({ ...row }, { saved: 1_201, aside: bad.length });
  assert.deepEqual(await redis.keys("*"), [], "nothing is left, no lease either");
});

test("callback-receiver says what is missing: tables, an address, a flag", async (t) => {
  const db = await database({ migrated: true });
  t.after(() => db.drop());
  const ended = async (args: string[]) => {
    const receiver = new ReceiverProcess(["--database-url", db.url, ...args]);
    const { code } = await receiver.exited;
    return { code, said: receiver.err.trim().split("\n").at(-1) };
  };
  const [tables, address, key] = await Promise.all([
    ended([]),
    ended(["--redis", "localhost:6379"]),
    ended(["--key", "k"]),
  ]);
  assert.deepEqual(tables, {
    code: 78,
    said: "Cannot receive events: the database has no schema awx; start a node with the control plane first",
  });
  assert.equal(address.code, 2);
  assert.match(address.said!, /^Cannot use this address of Redis: it must look like redis:\/\/host:6379\/0$/);
  assert.deepEqual(key, { code: 2, said: "Cannot use --key without --redis" });
});
