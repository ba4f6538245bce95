// @runtimes deno
import assert from "node:assert/strict";
import {
  countJobEvents,
  failedHosts,
  listJobEvents,
  nextOutput,
  outputOf,
} from "../../../tasks/jobs/model/job_events.ts";
import { test } from "../../harness.ts";
import { awxDatabase } from "../database.ts";

test("events are read by counter, and output up to the first gap while more may come", async (t) => {
  const { sql } = await awxDatabase(t);
  const write = (...counters: number[]) =>
    sql.unsafe(
      `insert into awx.job_event (job_id, uuid, counter, event, created, host, failed, stdout, event_data)
       select 7, gen_random_uuid(), n, case when n % 2 = 0 then 'runner_on_failed' else 'runner_on_ok' end,
         '2026-03-01', 'h' || n, n % 2 = 0, n || E'\\n', jsonb_build_object('ignore_errors', n = 4)
       from unnest($1::text::int[]) n`,
      [`{${counters}}`],
    );
  assert.equal(await nextOutput(sql, 7), undefined);
  await write(1, 2, 4);
  assert.deepEqual(await nextOutput(sql, 7, { whole: false }), { counter: 2, stdout: "1\n2\n" });
  assert.equal(await nextOutput(sql, 7, { after: 2, whole: false }), undefined);
  assert.deepEqual(await nextOutput(sql, 7, { after: 2 }), { counter: 4, stdout: "4\n" });
  await write(3, 5);
  assert.deepEqual(await nextOutput(sql, 7, { after: 2, whole: false, limit: 2 }), {
    counter: 4,
    stdout: "3\n4\n",
  });
  let output = "";
  for await (const text of outputOf(sql, 7)) output += text;
  assert.equal(output, "1\n2\n3\n4\n5\n");
  assert.deepEqual((await listJobEvents(sql, 7, { failed: true })).map(({ counter }) => counter), [2, 4]);
  assert.deepEqual((await listJobEvents(sql, 7, { after: 3, limit: 1 })).map(({ counter }) => counter), [4]);
  assert.deepEqual((await listJobEvents(sql, 7, { host: "h3" })).map(({ counter }) => counter), [3]);
  assert.deepEqual(await countJobEvents(sql, 7), [
    { event: "runner_on_failed", count: 2, failed: 2 },
    { event: "runner_on_ok", count: 3, failed: 0 },
  ]);
  assert.deepEqual(await failedHosts(sql, 7), ["h2"]);
});
