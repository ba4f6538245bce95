// @runtimes node
/** The frame of a job, without a node: what is told where, and what becomes of it when it is interrupted. */
import assert from "node:assert/strict";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { eventually, needs, tempDir, test } from "../../harness.ts";
import { jobById } from "../../../tasks/jobs/model/unified_job.ts";
import { runJob } from "../../../tasks/jobs/run/job.ts";
import { type Outcome, perform } from "../../../tasks/jobs/run/perform.ts";
import { contextOf, NEVER, place, waiting } from "./alone.ts";
import { redisServer } from "./redis.ts";

test("a job that must give way waits again, and its second try goes on counting", async (t) => {
  const own = await place(t);
  const { sql } = own;
  const flag = join(tempDir(), "second");
  const { id, uuid } = await waiting(
    own,
    `echo one; echo two; [ -e ${flag} ] && exit 0; touch ${flag}; sleep 300`,
  );
  const controller = new AbortController();
  const first = perform(contextOf(own, uuid, controller.signal), id, runJob);
  await eventually(async () =>
    (await sql.unsafe("select from awx.job_event where job_id = $1::bigint and stdout like '%two%'", [id]))
      .length > 0
  );
  const preempted = Object.assign(new Error("Stopped for another"), { name: "Preempted" });
  controller.abort(preempted);
  await assert.rejects(first, preempted);
  const back = await jobById(sql, id);
  assert.deepEqual([back.status, back.started, back.task_uuid], ["waiting", null, uuid]);
  assert.match(back.job_explanation, /more urgent job/);

  await perform(contextOf(own, uuid, NEVER), id, runJob);
  const job = await jobById(sql, id);
  assert.deepEqual([job.status, job.job_explanation], ["successful", ""]);
  const events = await sql.unsafe("select counter, start_line, stdout from awx.job_event order by counter");
  assert.deepEqual(events.map(({ counter }) => counter), events.map((_, place) => place + 1));
  assert.equal(job.emitted_events, events.length);
  const text = events.map(({ stdout }) => stdout).join("");
  assert.equal(text, "one\ntwo\n\nStopped for a more urgent job; it begins again.\none\ntwo\n");
  // A third envelope of the same finds nothing to do.
  await perform(contextOf(own, uuid, NEVER), id, runJob);
  assert.equal((await jobById(sql, id)).finished, job.finished);
});

test("a verdict that came meanwhile is kept; a job canceled before it began ends canceled", async (t) => {
  const own = await place(t);
  const { sql } = own;
  const reaped = await waiting(own, "echo hello");
  const work: typeof runJob = async (run) => {
    const outcome = await runJob(run);
    await sql.unsafe(
      "update awx.unified_job set status = 'error', job_explanation = 'reaped' where id = $1::bigint",
      [
        reaped.id,
      ],
    );
    return outcome;
  };
  await perform(contextOf(own, reaped.uuid, NEVER), reaped.id, work);
  const { status, job_explanation } = await jobById(sql, reaped.id);
  assert.deepEqual([status, job_explanation], ["error", "reaped"]);

  const early = await waiting(own, "echo hello");
  await sql.unsafe("update awx.unified_job set cancel_flag = true where id = $1::bigint", [early.id]);
  await perform(contextOf(own, early.uuid, NEVER), early.id, runJob);
  assert.equal((await jobById(sql, early.id)).status, "canceled");
});

test("what was done before an abort counts, unless it was to be written with the verdict", async (t) => {
  const own = await place(t);
  const abortedAfter = async (name: string, outcome: Partial<Outcome> = {}) => {
    const { id, uuid } = await waiting(own, "");
    const controller = new AbortController();
    await perform(contextOf(own, uuid, controller.signal), id, () => {
      controller.abort(Object.assign(new Error(name), { name }));
      return Promise.resolve({ status: "successful", exitCode: 0, ...outcome });
    });
    return (await jobById(own.sql, id)).status;
  };
  for (const name of ["CancelledError", "Preempted", "ShutdownError"]) {
    assert.equal(await abortedAfter(name), "successful", name);
  }
  let written = false;
  const write = () => Promise.resolve(void (written = true));
  assert.equal(await abortedAfter("CancelledError", { write }), "canceled");
  assert.equal(written, false);
  const { id, uuid } = await waiting(own, "");
  const broken = () => Promise.reject(new Error("no room"));
  await perform(
    contextOf(own, uuid, NEVER),
    id,
    () => Promise.resolve({ status: "successful", write: broken }),
  );
  const { status, job_explanation } = await jobById(own.sql, id);
  assert.deepEqual([status, job_explanation], ["error", "Its outcome could not be written: no room"]);
});

test("a database that cuts all connections while a job runs loses none of its events", async (t) => {
  const own = await place(t);
  const go = join(tempDir(), "go");
  const { id, uuid } = await waiting(own, `seq 300; while [ ! -e ${go} ]; do sleep 0.02; done; seq 301 700`);
  const running = perform(contextOf(own, uuid, NEVER), id, runJob);
  await eventually(async () => (await own.sql.unsafe("select from awx.job_event")).length > 0);
  const other = postgres(own.url, { max: 1 });
  await other.unsafe(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
  await other.end();
  writeFileSync(go, "");
  await running;
  const events = await own.sql.unsafe("select counter, stdout from awx.job_event order by counter");
  const job = await jobById(own.sql, id);
  assert.deepEqual([job.status, job.emitted_events], ["successful", events.length]);
  assert.equal(events.map(({ stdout }) => stdout).join(""), SEQUENCE);
});

test("without ansible the job says what to install, and where", async (t) => {
  const own = await place(t);
  const { id, uuid } = await waiting(own, "");
  const bin = tempDir();
  for (const tool of ["sh", "grep", "tr", "sleep", "rm"]) symlinkSync(join("/bin", tool), join(bin, tool));
  const { PATH } = process.env;
  process.env.PATH = bin;
  t.after(() => process.env.PATH = PATH);
  await perform(contextOf(own, uuid, NEVER), id, (run) => {
    const spec = { ...run.job.spec, kind: "playbook" as const, playbook: "site.yml" };
    return runJob({ ...run, job: { ...run.job, spec } });
  });
  const { status, job_explanation } = await jobById(own.sql, id);
  assert.deepEqual([status, job_explanation], [
    "error",
    'Cannot run ansible-playbook: it is not on PATH; install the package ansible-core on node "n1"',
  ]);
});

const SEQUENCE = Array.from({ length: 700 }, (_, n) => `${n + 1}\n`).join("");

/** As a receiver reads them. */
function checkStream(lines: string[], jobId: number): void {
  const read = lines.map((line) => JSON.parse(line));
  const last = read.pop();
  assert.deepEqual([last.event, last.job_id, last.final_counter], ["EOF", jobId, read.length]);
  assert.deepEqual(read.map(({ counter }) => counter), read.map((_, place) => place + 1));
  assert.equal(
    read.map(({ stdout }) => stdout).join(""),
    Array.from({ length: 700 }, (_, n) => `${n + 1}\n`).join(""),
  );
}

test("CALLBACK_QUEUE postgres sends events and their end to the receiver's table", async (t) => {
  const own = await place(t, { CALLBACK_QUEUE: "postgres" });
  const { id, uuid } = await waiting(own, "seq 700");
  await perform(contextOf(own, uuid, NEVER), id, runJob);
  const rows = await own.sql.unsafe("select payload from awx.job_event_queue order by id");
  checkStream(rows.map(({ payload }) => payload), id);
  const job = await jobById(own.sql, id);
  assert.deepEqual([job.status, job.events_closed_at], ["successful", null]);
});

test(
  "CALLBACK_QUEUE redis pushes them to a list, once Redis is there",
  { skip: needs("redis-server") },
  async (t) => {
    const redis = redisServer(t);
    const own = await place(t, {
      CALLBACK_QUEUE: "redis",
      CALLBACK_REDIS_URL: redis.url,
      CALLBACK_REDIS_KEY: "events",
    });
    const { id, uuid } = await waiting(own, "seq 700");
    const running = perform(contextOf(own, uuid, NEVER), id, runJob);
    await eventually(async () => (await jobById(own.sql, id)).status === "running");
    await redis.start();
    await running;
    checkStream(await redis.list("events"), id);
    assert.equal((await jobById(own.sql, id)).status, "successful");
  },
);
