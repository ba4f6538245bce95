// @runtimes deno
/** The page of the receivers. */
import assert from "node:assert/strict";
import { connect } from "../../../mod.ts";
import { database, test } from "../../harness.ts";
import { site } from "../../http/site.ts";
import { receiverDatabase } from "./rig.ts";

test("the page of receivers shows their figures, silent ones, and what was set aside, as text", async (t) => {
  const { url, sql } = await receiverDatabase(t);
  await sql`insert into awx.receiver (name, pid, host, source, started_at, last_seen, popped, saved, set_aside, in_memory,
    queue_size, lag_p95) values
    ('here', 7, 'h1', 'redis', now() - interval '1 hour', now(), 12345, 12340, 5, 0, 1500, 0.25),
    ('gone', 8, 'h2', 'postgres', now() - interval '2 hours', now() - interval '1 minute', 3, 3, 0, 0, null, null)`;
  await sql`insert into awx.job_event_set_aside (job_id, event, reason, tries)
    values (42, '<script>alert(1)</script>', 'There is a NUL in its stdout', 1)`;
  const client = await connect({ databaseUrl: url });
  t.after(() => client.close());
  const made = await site({ client });
  const response = await made.ask("/receivers");
  const text = (await response.text()).replace(/<(?!script>alert)[^>]*>/g, " ").replace(/\s+/g, " ");
  assert.equal(response.status, 200);
  assert.match(text, / here alive Redis 12,340 5 12,345 0 1,500 250 ms 7 on h1 /);
  assert.match(text, / gone silent PostgreSQL 3 0 3 0 no answer – 8 on h2 /);
  assert.match(text, / 42 There is a NUL in its stdout 1 &lt;script&gt;alert\(1\)&lt;\/script&gt; /);
  assert.doesNotMatch(text, /<script>alert/);
});

test("the page of receivers says so where there are none, also without the control plane's tables", async (t) => {
  const db = await database({ migrated: true });
  t.after(() => db.drop());
  const client = await connect({ databaseUrl: db.url });
  t.after(() => client.close());
  const response = await (await site({ client })).ask("/receivers");
  assert.equal(response.status, 200);
  assert.match(
    await response.text(),
    /There is no receiver\. Start one with <code>dispatcher callback-receiver<\/code>/,
  );
});
