// @runtimes deno
/** What is due is launched, once. */
import assert from "node:assert/strict";
import { test } from "../../harness.ts";
import { listJobs } from "../../../tasks/jobs/model/unified_job.ts";
import { launchDue } from "../../../tasks/scheduler/due.ts";
import { scheduleRow } from "../../../tasks/scheduler/rrule.ts";
import { sharedSite, type Site } from "./site.ts";

const site = sharedSite();
const DAILY = "DTSTART:20200101T090000Z RRULE:FREQ=DAILY";

interface Row {
  name?: string;
  rrule?: string;
  kind?: string;
  id?: number;
  /** When it is due; an hour ago unless told. */
  due?: string;
  enabled?: boolean;
}

async function schedule({ sql, template }: Site, row: Row = {}): Promise<void> {
  const { name = "nightly", rrule = DAILY, kind = "job_template", id = template, enabled = true } = row;
  await sql.unsafe(
    `insert into awx.schedule (name, rrule, template_kind, template_id, extra_vars, enabled, next_run)
     values ($1::text, $2::text, $3::text, $4::bigint, '{"from": "schedule"}', $5::boolean,
       clock_timestamp() + $6::interval)`,
    [name, rrule, kind, id, enabled, row.due ?? "-1 hour"],
  );
}

const run = ({ client }: Site, batch?: number) =>
  client.transaction((tx, publish) => launchDue(tx, publish, batch));

async function state({ sql }: Site, name = "nightly") {
  const [row] = await sql.unsafe(
    `select enabled, next_run > clock_timestamp() as ahead, next_run - clock_timestamp() <= interval '1 day' as near,
       last_run is not null as ran from awx.schedule where name = $1::text`,
    [name],
  );
  return { ...row };
}

test("a schedule that is due launches its template with its variables, and is due next after now", async () => {
  const own = await site();
  await schedule(own);
  await schedule(own, { name: "later", due: "1 hour" });
  await schedule(own, { name: "off", enabled: false });
  const { jobs, more } = await run(own);
  assert.deepEqual([jobs.length, more], [1, false]);
  const [job] = await listJobs(own.sql);
  assert.deepEqual([job.launch_type, job.status, job.extra_vars], [
    "scheduled",
    "pending",
    { t: 1, from: "schedule" },
  ]);
  assert.deepEqual(await state(own), { enabled: true, ahead: true, near: true, ran: true });
  assert.deepEqual((await run(own)).jobs, []);
  const told = (await own.client.list()).map(({ task }) => task).sort();
  assert.deepEqual(told, ["dependency", "task", "workflow"].map((name) => `scheduler/run_${name}_manager`));
});

test("what was missed for days is launched once", async () => {
  const own = await site();
  await schedule(own, { rrule: "DTSTART:20200101T000000Z RRULE:FREQ=MINUTELY", due: "-5 days" });
  assert.equal((await run(own)).jobs.length, 1);
  assert.equal((await run(own)).jobs.length, 0);
});

test("a schedule whose occurrences are used up is launched once more and never again", async () => {
  const own = await site();
  await schedule(own, { rrule: `${DAILY};COUNT=1` });
  assert.equal((await run(own)).jobs.length, 1);
  assert.deepEqual(await state(own), { enabled: true, ahead: null, near: null, ran: true });
});

test("five schedulers at once launch each schedule once", async () => {
  const own = await site();
  for (let i = 0; i < 12; i++) await schedule(own, { name: `s${i}` });
  const runs = await Promise.all(Array.from({ length: 5 }, () => run(own, 5)));
  // Each leaves to the others what they have.
  await run(own);
  assert.ok(runs.filter(({ jobs }) => jobs.length > 0).length >= 2);
  assert.equal((await listJobs(own.sql)).length, 12);
});

test("a scheduler that dies before its commit has launched nothing, and the next one launches it", async () => {
  const own = await site();
  await schedule(own);
  const died = own.client.transaction(async (tx, publish) => {
    assert.equal((await launchDue(tx, publish)).jobs.length, 1);
    throw new Error("killed");
  });
  await assert.rejects(died, /^Error: killed$/);
  assert.equal((await listJobs(own.sql)).length, 0);
  assert.equal((await run(own)).jobs.length, 1);
});

test("a schedule whose template is gone, or whose rule nobody can read, is turned off with the reason", async () => {
  const own = await site();
  await schedule(own, { name: "gone", id: 999 });
  await schedule(own, { name: "unreadable", rrule: "daily" });
  await schedule(own, { name: "sound" });
  const { jobs, disabled } = await run(own);
  assert.equal(jobs.length, 1);
  disabled.sort((a, b) => a.name < b.name ? -1 : 1);
  assert.deepEqual(disabled[0], { name: "gone", why: "Cannot find job template 999" });
  assert.match(disabled[1].why, /^Cannot read the schedule "daily"/);
  assert.deepEqual(await state(own, "gone"), { enabled: false, ahead: null, near: null, ran: false });
});

test("a launch that is refused this time is tried at the next occurrence", async () => {
  const own = await site();
  await own.sql.unsafe(
    `with i as (insert into awx.inventory (name, pending_deletion) values ('going', true) returning id)
     update awx.job_template set inventory_id = i.id from i`,
  );
  await schedule(own);
  const { jobs, refused } = await run(own);
  assert.equal(jobs.length, 0);
  assert.match(refused[0].why, /is being deleted/);
  assert.deepEqual(await state(own), { enabled: true, ahead: true, near: true, ran: false });
});

test("a run launches so many at most, and says that there are more", async () => {
  const own = await site();
  for (let i = 0; i < 3; i++) await schedule(own, { name: `s${i}` });
  const first = await run(own, 2);
  assert.deepEqual([first.jobs.length, first.more], [2, true]);
  const second = await run(own, 2);
  assert.deepEqual([second.jobs.length, second.more], [1, false]);
});

test("a schedule of a workflow launches the workflow", async () => {
  const own = await site();
  const id = await own.flow({ nodes: { a: {} } });
  await schedule(own, { kind: "workflow_template", id });
  const { jobs } = await run(own);
  await own.manage();
  assert.deepEqual(await own.look((await listJobs(own.sql)).find((job) => job.id === jobs[0])!), {
    a: "pending",
  });
});

test("a fresh schedule is written as scheduleRow() says, and is due then", async () => {
  const own = await site();
  const row = scheduleRow(DAILY, { now: new Date(Date.now() - 2 * 86_400_000) });
  await own.sql.unsafe(
    `insert into awx.schedule (name, rrule, enabled, next_run, template_kind, template_id)
     values ('fresh', $1::text, $2::boolean, $3::timestamptz, 'job_template', $4::bigint)`,
    [row.rrule, row.enabled, row.next_run, own.template],
  );
  assert.equal((await run(own)).jobs.length, 1);
});

test("nothing of it stays behind", () => site.end());
