// @runtimes deno
/** Jobs whose envelope has ended without them. */
import assert from "node:assert/strict";
import { findLost } from "../../../tasks/managers/lost.ts";
import { test } from "../../harness.ts";
import { sharedSite, type Site } from "./site.ts";

const site = sharedSite();

const GONE = "0199a2b4-0000-7000-8000-000000000001";

/** One run that looks at all, or at what is to be canceled. */
async function run({ sql, client, taskManager }: Site, all = true) {
  const lost = await findLost(sql, (uuids) => client.outcomes(uuids), all);
  return await taskManager({ lost });
}

test("jobs whose envelope is final or gone are ended with what it says, others are left alone", async () => {
  const made = await site();
  await made.instance("n1", 100);
  const [discarded, cancelled, flagged, gone, open] = [
    await made.pending(),
    await made.pending(),
    await made.pending(),
    await made.pending(),
    await made.pending(),
  ];
  await made.taskManager();
  const uuid = async (id: number) => (await made.job(id)).task_uuid!;
  await made.client.discard([await uuid(discarded)], "No such task");
  await made.client.cancel([await uuid(cancelled), await uuid(flagged)]);
  await made.set(flagged, { cancel_flag: true });
  await made.set(gone, { task_uuid: GONE });
  const report = await run(made);
  assert.equal("lost" in report && report.lost, 4);
  const ends = await Promise.all([discarded, cancelled, flagged, gone, open].map(made.job));
  assert.deepEqual(ends.map((job) => job.status), ["error", "canceled", "canceled", "error", "waiting"]);
  assert.match(ends[0].job_explanation, /^The envelope that should run it was discarded: .*No such task/);
  assert.equal(ends[3].job_explanation, "The envelope that should run it is gone");
  for (const job of ends.slice(0, 4)) assert.ok(job.events_closed_at, "nobody waits for its events");
});

test("only what is to be canceled is looked at when not all is", async () => {
  const made = await site();
  const values = { status: "running", task_uuid: GONE };
  const ids = [await made.pending({ ...values, cancel_flag: true }), await made.pending(values)];
  await run(made, false);
  assert.deepEqual((await Promise.all(ids.map(made.job))).map(({ status }) => status), [
    "canceled",
    "running",
  ]);
});

test("a verdict that comes between the look and the end is kept", async () => {
  const made = await site();
  const id = await made.pending({ status: "running", task_uuid: GONE });
  const lost = await findLost(made.sql, (uuids) => made.client.outcomes(uuids), true);
  await made.set(id, { status: "successful" });
  const report = await made.taskManager({ lost });
  assert.deepEqual(["lost" in report && report.lost, (await made.job(id)).status], [0, "successful"]);
});

test("the database of these tests goes", () => site.end());
