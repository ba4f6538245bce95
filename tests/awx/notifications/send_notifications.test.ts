// @runtimes bun
/** The task, on a node, from the event of a job to the outcome of each recipient. */
import assert from "node:assert/strict";
import { connect } from "../../../mod.ts";
import { MIGRATIONS } from "../../../tasks/jobs/model/migrations.ts";
import { notificationUuid, notify } from "../../../tasks/jobs/model/notify.ts";
import { jobById } from "../../../tasks/jobs/model/unified_job.ts";
import "../database.ts";
import { test } from "../../harness.ts";
import { cluster } from "../../integration/cluster.ts";
import { refusal, smtp, web } from "./servers.ts";
import { attach, failedJob, outcomes } from "./site.ts";

test("a failed job is told to its template's and not to its workflow's, tried again as long as it helps", async (t) => {
  const made = await cluster(t);
  const own = await connect({ databaseUrl: made.url, migrations: MIGRATIONS });
  t.after(() => own.close());
  const site = { ...made, sql: own.database() };
  const { client, until, sql } = site;
  const secrets = ["xoxSecret", "hunter2hunter2"];
  const hook = await web(t, { status: 500, text: `no ${secrets[0]}` }, { status: 200 });
  let closed = true;
  const mail = await smtp(t, {
    onRcptTo: (_to, _session, done) => done(closed ? refusal(550, `No ${secrets[1]} here`) : undefined),
    onAuth: ({ username }, _session, done) => done(null, { user: username }),
    allowInsecureAuth: true,
  });
  await sql.unsafe(
    `insert into awx.unified_job (kind, name, status, template_kind, template_id)
     values ('workflow_job', 'flow', 'running', 'workflow_template', 9)`,
  );
  const { id } = await failedJob(site);
  await sql.unsafe("update awx.unified_job set workflow_job_id = 1 where id = $1::bigint", [id]);
  await attach(site, "slack", { url: `${hook.origin}/${secrets[0]}` });
  const account = { username: "me", password: secrets[1] };
  const server = { host: "127.0.0.1", port: mail.port, ...account };
  await attach(site, "email", { ...server, sender: "d@example.com", recipients: ["a@example.com"] });
  // Of another event, of another template, and of the workflow.
  await attach(site, "slack", { url: `${hook.origin}/x`, channel: "#w" }, { to: "workflow_template", id: 9 });
  await attach(site, "slack", { url: `${hook.origin}/x`, channel: "#x" }, { event: "success" });
  await attach(site, "slack", { url: `${hook.origin}/x`, channel: "#y" }, { id: 2 });

  const node = await made.node({ name: "one", workers: 2 });
  const tell = () => client.transaction((_tx, publish) => notify(publish, id, "error"));
  await Promise.all([tell(), tell()]);
  const uuid = notificationUuid(id, "error");
  await until(uuid, ({ state }) => state === "retryable");
  assert.deepEqual(Object.values(await outcomes(site)).map(({ status }) => status).sort(), [
    "failed",
    "pending",
  ]);
  await client.retry([uuid]);
  const given = await until(uuid, ({ state }) => state === "discarded");
  assert.match(
    given.error!.message,
    /^1 message was not taken: a@example\.com: .*550 No \[redacted\]/,
  );
  const told = await outcomes(site);
  assert.deepEqual(told[hook.origin], { status: "successful", tries: 2, error: "" });
  assert.deepEqual([told["a@example.com"].status, told["a@example.com"].tries], ["failed", 1]);
  assert.equal(hook.hits.length, 2);

  // Somebody has mended the mail server, and has it told again: only what failed is.
  closed = false;
  await client.retry([uuid]);
  const row = await until(uuid, ({ state }) => state === "completed");
  assert.deepEqual(row.result, { sent: 1 });
  assert.deepEqual([hook.hits.length, mail.mails.length], [2, 1]);

  const seen = [
    JSON.stringify([row, given, await client.logs(uuid), await outcomes(site)]),
    (await made.cli("show", uuid)).stdout,
    node.stderr(),
    node.stdout(),
  ].join("\n");
  for (const secret of secrets) assert.ok(!seen.includes(secret), secret);
  assert.equal((await jobById(sql, id)).status, "failed");

  // What cannot be read is an outcome too.
  await sql.unsafe("delete from awx.notification_template");
  await attach(site, "webhook", { url: secrets[1] });
  const unreadable = await client.publish("awx.main.tasks.system.send_notifications", [id, "error"]);
  const discarded = await until(unreadable.uuid, ({ state }) => state === "discarded");
  assert.match(discarded.error!.message, /configuration: Cannot use its configuration: url: it is no http/);
  assert.equal((await outcomes(site)).configuration.status, "failed");
});
