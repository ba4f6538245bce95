/** However an attempt ends: neither kwargs nor the database's password are in a log, in a table's error, or shown. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { eventually, test } from "../harness.ts";
import { FIXTURES } from "./cluster.ts";
import { base, nodeFor } from "./site.ts";

const SECRET = "hunter2";
const PASSWORD = "hunter3";
const KWARGS = { token: `${SECRET}-kwargs`, plain: `${SECRET}-kwargs` };
const ADDRESS = `postgres://user:${SECRET}@host/db`;

/** What is published, and a part of the error that it leads to. */
const CASES: [string, unknown[], RegExp][] = [
  ["checked", [ADDRESS, "no number"], /do not fit its schema: args\[1\] "no number"/],
  ["checked#named", [{ password: SECRET, count: 1 }], /args\[0\.password\] "\[redacted\]"/],
  ["checked#named", [{ password: ADDRESS, count: ADDRESS }], /args\[0\.(password|count)\] /],
  ["nowhere", [], /is not a valid task/],
  ["throws#text", [], /Thrown value/],
  ["results#big", [], /BigInt/],
  ["waits#short", [], /Ran longer than/],
  ["exits#byProcess", [], /called process\.exit|Worker/],
  ["transacts#spoils", [`select '${"x".repeat(300)}'::int`], /transaction/],
  ["../outside", [], /is not a valid task/],
];

test(
  "no way to fail tells kwargs, secret arguments or the database's password",
  { timeout: 120_000 },
  async (t) => {
    const made = await base(t);
    // A login with a password that is known here.
    const role = `redaction_${randomBytes(4).toString("hex")}`;
    await made.sql.unsafe(`create role ${role} login superuser password '${PASSWORD}'`);
    t.after(() => made.sql.unsafe(`drop owned by ${role} cascade; drop role ${role}`).catch(() => {}));
    const url = new URL(made.url);
    [url.username, url.password] = [role, PASSWORD];
    const args = ["--node", "one", "--workers", "2", "--tasks", FIXTURES, "--log-level", "debug"];
    const node = await nodeFor(t, url.href, args);
    for (const [task, given, why] of CASES) {
      const { uuid } = await made.client.publish(task, given, { kwargs: KWARGS, maxAttempts: 1 });
      const { error, attempts } = await made.until(uuid, "discarded");
      assert.match(error!.message, why, task);
      const kept = JSON.stringify([error, attempts]);
      assert.ok(!kept.includes(SECRET) && !kept.includes(PASSWORD), `${task}: ${kept}`);
      const shown = await made.cli("show", uuid);
      assert.ok(!shown.stdout.includes(SECRET), `${task}: ${shown.stdout}`);
    }
    const { uuid } = await made.client.publish("bound#plain", [1], { kwargs: KWARGS });
    await made.until(uuid, "completed");
    await made.sql`select pg_notify('default', ${JSON.stringify({ task: 5, kwargs: KWARGS })})`;
    await made.sql`select pg_notify('default', ${JSON.stringify({ task: "t", delay: -1, kwargs: KWARGS })})`;
    await eventually(() => (node.stderr().match(/Cannot read a task message/g) ?? []).length === 2);
    const log = node.stdout() + node.stderr();
    assert.ok(log.includes(uuid), "it logs at level debug");
    for (const secret of [SECRET, PASSWORD]) {
      assert.ok(!log.includes(secret), log.split("\n").find((line) => line.includes(secret)));
    }
  },
);
