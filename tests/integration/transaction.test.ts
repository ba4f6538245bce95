/** Tasks that complete themselves in a transaction: what they did in the database, they did exactly once. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { eventually, tempDir, test } from "../harness.ts";
import { cluster, descendants } from "./cluster.ts";
import { base, nodeFor, sharedSite, type Site } from "./site.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures/tasks", import.meta.url));
/** INCREMENTS=10000 for a longer proof. */
const COUNTS = Number(process.env.INCREMENTS ?? 500);
/** Milliseconds that they may take. */
const PATIENCE = Math.max(90_000, COUNTS * 120);
const QUICK = { backoff: { base: 0.05, factor: 1, max: 0.05, jitter: 0 }, pool: { abort_grace: 0.2 } };
const start = sharedSite(["--node", "one", "--workers", "2", "--tasks", FIXTURES]);

/** The site, its counter at 0. */
async function site(): Promise<Site & { count(): Promise<number> }> {
  const made = await start();
  await made.sql`create table if not exists counter (n int)`;
  await made.sql`truncate counter`;
  await made.sql`insert into counter values (0)`;
  const count = async () => Number((await made.sql`select n from counter`)[0].n);
  return { ...made, count };
}

/** Wait for the backend that a task reported. */
async function backendOf({ row }: Site, uuid: string): Promise<number> {
  return await eventually(async () => {
    const { progress } = await row(uuid);
    return typeof progress === "number" ? progress : undefined;
  }, { within: 20_000 }) as number;
}

test(
  `${COUNTS} increments of one row are ${COUNTS}, though their node is killed twice`,
  { timeout: 2 * PATIENCE },
  async (t) => {
    const made = await cluster(t);
    const sql = postgres(made.url, { max: 1, onnotice: () => {} });
    t.after(() => sql.end({ timeout: 1 }));
    await sql`create table counter as select 0 n`;
    const count = async () => Number((await sql`select n from counter`)[0].n);
    const node = () => made.node({ name: "one", workers: 4, tasks: FIXTURES, config: QUICK });
    await made.client.publishMany(Array.from({ length: COUNTS }, () => ({ task: "transacts" })));
    for (const part of [1, 2]) {
      const victim = await node();
      await eventually(async () => await count() >= part * COUNTS / 5, { within: PATIENCE, every: 2 });
      victim.kill("SIGKILL");
      await victim.exited;
    }
    assert.ok(await count() < COUNTS, "it was killed in the middle");
    await node();
    await eventually(async () => assert.equal((await made.client.queues()).length, 0), {
      within: PATIENCE,
    });
    assert.equal(await count(), COUNTS);
    const rows = await made.client.list({ limit: 2 * COUNTS });
    assert.deepEqual([rows.length, new Set(rows.map(({ state }) => state))], [
      COUNTS,
      new Set(["completed"]),
    ]);
    // Each saw another number.
    assert.equal(new Set(rows.map(({ result }) => result)).size, COUNTS);
  },
);

test("transaction() gives its value as the result, and the publisher hears of it", async () => {
  const { client, count, row } = await site();
  const { uuid, result } = await client.publish("transacts");
  assert.equal(await result({ within: 20 }), 1);
  const { attempts, attempt, state, node, error } = await row(uuid);
  assert.deepEqual([state, attempt, node, error, attempts.length], ["completed", 1, "one", null, 1]);
  assert.deepEqual([attempts[0].outcome, attempts[0].node, attempts[0].attempt], ["completed", "one", 1]);
  assert.match(attempts[0].worker!, /^\d+\.\d+$/);
  assert.equal(await count(), 1);
});

test("transaction() lets the next of equal ones go, and completes the copies of a broadcast", async () => {
  const { client, count } = await site();
  const calls = Array.from({ length: 3 }, () => client.publish("transacts", [], { onDuplicate: "serial" }));
  const sent = await Promise.all(calls);
  assert.deepEqual((await Promise.all(sent.map((one) => one.result({ within: 5 })))).sort(), [1, 2, 3]);
  const { result } = await client.publish("transacts", [], { queue: "broadcast" });
  assert.deepEqual(await result({ within: 20 }), { one: 4 });
  const volatile = await client.publish("transacts", [], { volatile: true });
  assert.equal(await volatile.result({ within: 20 }), 5);
  assert.equal(await count(), 5);
});

test("transaction() of an attempt that is no longer its node's is rolled back as stale", async () => {
  const made = await site();
  const path = join(tempDir(), "go");
  const { uuid } = await made.client.publish("transacts#waits", [path]);
  await backendOf(made, uuid);
  // As a rescue by another node would.
  await made.sql`update dispatcher.envelope set fence = fence + 1 where uuid = ${uuid}`;
  writeFileSync(path, "");
  await eventually(() => made.node.stderr().includes("Settled nothing: the attempt was stale"));
  const said = made.node.stderr().split("\n").find((line) =>
    line.includes("Attempt failed") && line.includes(uuid)
  );
  assert.match(
    said!,
    /Cannot complete "[0-9a-f-]+" in its transaction: the attempt is no longer this node's/,
  );
  assert.equal(await made.count(), 0);
  assert.equal((await made.row(uuid)).state, "running");
  await made.sql`delete from dispatcher.envelope where uuid = ${uuid}`;
});

test("a backend that is terminated between or under statements fails the task, and nothing else", async () => {
  const made = await site();
  const hosts = new Set<string>();
  for (const [name, ...more] of [["waits"], ["waits", true], ["holds"]] as const) {
    const path = join(tempDir(), "go");
    const args = name === "holds" ? [60] : [path, ...more];
    const { uuid } = await made.client.publish(`transacts#${name}`, args);
    const pid = await backendOf(made, uuid);
    await made.sql`select pg_terminate_backend(${pid})`;
    await eventually(async () =>
      (await made.sql`select from pg_stat_activity where pid = ${pid}`).length === 0
    );
    writeFileSync(path, "");
    const { error, attempts } = await made.until(uuid, "discarded");
    // As the socket says it: whoever writes first to one that is gone hears of a pipe.
    assert.match(error!.message, /connection|terminating|lost|ECONNRESET|EPIPE|broken pipe|socket/i);
    hosts.add(attempts[0].worker!.split(".")[0]);
  }
  assert.equal(await made.count(), 0);
  const after = await made.client.publish("transacts");
  assert.equal(await after.result({ within: 20 }), 1);
  hosts.add((await made.row(after.uuid)).attempts[0].worker!.split(".")[0]);
  assert.equal(hosts.size, 1, "the host is the same");
});

test("an error after the commit is logged and changes nothing", async () => {
  const { client, count, row, node } = await site();
  const { uuid, result } = await client.publish("transacts#throwsAfter");
  assert.equal(await result({ within: 20 }), "committed");
  const line = /Failed after its transaction was committed: RangeError: too late/;
  await eventually(() => line.test(node.stderr()));
  const { attempts, progress } = await row(uuid);
  assert.deepEqual([attempts.length, progress, await count()], [1, "last", 1]);
});

test("a timeout, a cancel and the death of the host after the commit change nothing", async () => {
  const made = await site();
  const never = join(tempDir(), "never");
  const timed = await made.client.publish("transacts#staysAfter", [never], { timeout: 0.5 });
  const cancelled = await made.client.publish("transacts#staysAfter", [never]);
  for (const { uuid } of [timed, cancelled]) await made.until(uuid, "completed");
  assert.equal((await made.client.cancel([cancelled.uuid]))[0].did, "completed");
  await eventually(() => assert.equal(made.node.stderr().match(/does not stop|was ended by/g), null));
  const dies = await made.client.publish("transacts#exitsAfter");
  assert.equal(await dies.result({ within: 20 }), "committed");
  await eventually(() => /Worker host \d+ was ended by SIGKILL/.test(made.node.stderr()));
  // The node works on, and has nothing more to say of them.
  assert.equal(await (await made.client.publish("transacts")).result({ within: 20 }), 4);
  for (const { uuid } of [timed, cancelled, dies]) {
    const { state, attempts } = await made.row(uuid);
    assert.deepEqual([state, attempts.length], ["completed", 1]);
    assert.ok(
      !made.node.stderr().split("\n").some((line) =>
        /stale|Attempt failed/.test(line) && line.includes(uuid)
      ),
    );
  }
});

test("what is aborted before the commit is rolled back", async () => {
  const made = await site();
  const timed = await made.client.publish("transacts#holds", [60], { timeout: 0.5 });
  assert.equal((await made.until(timed.uuid, "discarded")).error!.name, "TimeoutError");
  const { uuid } = await made.client.publish("transacts#holds", [60]);
  const pid = await backendOf(made, uuid);
  await made.client.cancel([uuid]);
  await made.until(uuid, "cancelled");
  const rows = () => made.sql`select from pg_stat_activity where pid = ${pid} and state <> 'idle'`;
  await eventually(async () => assert.equal((await rows()).length, 0), { within: 20_000 });
  assert.equal(await made.count(), 0);
});

test("transaction() is once an attempt, and may be tried again when it was rolled back", async () => {
  const { client, count, node } = await site();
  const { result } = await client.publish("transacts#several");
  assert.equal(await result({ within: 20 }), null);
  assert.equal(await count(), 1);
  await eventually(() => node.stderr().includes("rolled back | refused | refused"));
});

test("publish() in a transaction sends with it, and nothing when it is rolled back", async () => {
  const { client, count, until, row } = await site();
  const sent = await client.publish("transacts#publishes", [false]);
  const followed = await sent.result({ within: 20 }) as string;
  assert.equal((await until(followed, "completed")).result, 2);
  assert.equal((await row(followed)).options.guid, "followed");
  const failed = await client.publish("transacts#publishes", [true]);
  await until(failed.uuid, "discarded");
  assert.equal(await count(), 2);
  assert.equal((await client.list({ task: "transacts", limit: 1 }))[0].uuid, followed);
});

test("a result that is not JSON, and a transaction that is no more, complete nothing", async () => {
  const { client, count, until } = await site();
  const odd = await client.publish("transacts#odd");
  assert.match(
    (await until(odd.uuid, "discarded")).error!.message,
    /Cannot keep the result of "transacts#odd": /,
  );
  for (const how of ["update counter set n = n / 0", "commit", "rollback", "savepoint x; nonsense"]) {
    const { uuid } = await client.publish("transacts#spoils", [how]);
    const { error, attempts } = await until(uuid, "discarded");
    assert.match(error!.message, /transaction/, how);
    assert.equal(attempts.length, 1);
  }
  assert.equal(await count(), 0);
});

test("the database's address is not among the arguments of a process, in a log or in status", async () => {
  const { client, node, cli } = await site();
  const output = [node.stdout(), node.stderr(), (await cli("status")).stdout];
  for (const reply of await client.control("status")) output.push(JSON.stringify(reply));
  for (const text of output) assert.doesNotMatch(text, /postgres:\/\//);
  if (process.platform !== "linux") return;
  for (const { pid } of descendants(node.pid)) {
    assert.doesNotMatch(readFileSync(`/proc/${pid}/cmdline`, "latin1"), /postgres:/);
  }
});

test("the example of the guide moves what it says", async (t) => {
  const made = await base(t);
  await made.sql`create table account (name text primary key, balance int)`;
  await made.sql`insert into account values ('ann', 100), ('bob', 0)`;
  await nodeFor(t, made.url, ["--node", "one", "--workers", "1"]);
  const { stdout } = await made.cli("publish", "examples/transfer", '"ann"', '"bob"', "30", "--wait");
  assert.match(stdout, /\n\{"from":"ann","to":"bob","amount":30\}\n$/);
  assert.deepEqual((await made.sql`select balance from account order by name`).map((row) => row.balance), [
    70,
    30,
  ]);
});

test("the node of these tests stops in order", async () => {
  const { exit } = await start.end();
  assert.deepEqual(exit, { code: 0, signal: null });
});
