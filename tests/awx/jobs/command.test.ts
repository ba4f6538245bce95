/** A command as a job, from its envelope to its verdict: on each runtime. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, test } from "../../harness.ts";
import { isRunning } from "../../processes_below.ts";
import { notificationUuid } from "../../../tasks/jobs/model/notify.ts";
import { cancelJob } from "../../../tasks/jobs/model/endings.ts";
import { site, template } from "./site.ts";

test("a command runs, fails, is not there, is late, is canceled; nothing of it is left", async (t) => {
  const own = await site(t);
  const { client, run, ended, events, stdout, job } = own;
  const sh = async (script: string, more = {}) =>
    await run(await template(own, { command: ["sh", "-c", script], ...more }));

  const secret = await own.credential("env", { API_TOKEN: "hunter2hunter2" });
  const good = await sh(
    'echo "token $API_TOKEN"; echo err >&2; echo "$DATABASE_URL$AWX_SECRET_KEY"; cat "$AWX_EXTRA_VARS_FILE"; printf end',
    { credential_ids: [secret], extra_vars: { a: 1 } },
  );
  const done = await ended(good);
  assert.deepEqual(
    [done.status, done.exit_code, done.execution_node],
    ["successful", 0, "n1"],
    done.job_explanation,
  );
  assert.equal(await stdout(good), 'token $encrypted$\nerr\n\n{"a":1}end');
  const told = await events(good);
  assert.deepEqual(told.map(({ counter }) => counter), told.map((_, place) => place + 1));
  assert.equal(done.emitted_events, told.length);
  assert.notEqual(done.events_closed_at, null);
  for (const event of ["started", "success"] as const) {
    assert.equal((await client.find(notificationUuid(good, event))).length, 1, event);
  }

  const late = await sh("sleep 300", { timeout: 1 });
  const bad = await sh("echo no; exit 3");
  const missing = await run(await template(own, { command: ["no-such-program"] }));
  const failed = await ended(bad);
  assert.deepEqual([failed.status, failed.exit_code], ["failed", 3]);
  const error = await ended(missing);
  assert.equal(error.status, "error");
  assert.match(error.job_explanation, /Cannot run "no-such-program": no such program on node "n1"/);

  const overdue = await ended(late);
  assert.deepEqual([overdue.status, overdue.job_explanation], [
    "failed",
    "Ran longer than its timeout of 1 s",
  ]);

  // It ignores SIGTERM, leaves its group, and has a child that would live on.
  const stubborn = `trap '' TERM; setsid sleep 300 & sleep 300 & echo $! > ${
    join(own.dir, "pids")
  }; echo $$ >> ${join(own.dir, "pids")}; printf ready; wait; wait`;
  const canceled = await sh(stubborn);
  await eventually(async () => (await stdout(canceled)).includes("ready"), { within: 20_000 });
  const pids = readFileSync(join(own.dir, "pids"), "utf8").trim().split("\n").map(Number);
  assert.ok(pids.every(isRunning));
  await client.transaction((tx, publish) => cancelJob(tx, publish, canceled));
  await client.cancel([(await job(canceled)).task_uuid!]);
  const end = await ended(canceled);
  assert.deepEqual([end.status, end.job_explanation], ["canceled", "Canceled by an operator"]);
  await eventually(() => !pids.some(isRunning), { within: 5_000 });
  await eventually(() => own.privateDirs().length === 0);
});
