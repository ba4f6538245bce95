import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import postgres from "postgres";
import { database, eventually, needs, needsServer, runtimes, tempDir, test, thisRuntime } from "./harness.ts";

const order: string[] = [];

test("test() runs the tests of a file one after another", async () => {
  // A few turns of the event loop, in which another test could begin.
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  order.push("first");
});

test("test() runs them in the order written", () => assert.deepEqual(order, ["first"]));

test("test() gives a signal and runs clean-ups", { timeout: 5_000 }, (t) => {
  assert.equal(t.signal.aborted, false);
  assert.equal(t.name, "test() gives a signal and runs clean-ups");
  t.after(() => order.push("cleaned second"));
  t.after(() => order.push("cleaned first"));
});

test("test() runs the clean-up given last first", () => {
  assert.deepEqual(order, ["first", "cleaned first", "cleaned second"]);
});

test("test() runs what has no reason to be skipped", { skip: false }, () => {});

test("eventually() gives the first truthy value", async () => {
  let tries = 0;
  assert.equal(await eventually(() => ++tries > 2 && `try ${tries}`, { every: 1 }), "try 3");
});

test("eventually() waits until an assertion holds", async () => {
  let tries = 0;
  await eventually(() => assert.equal(++tries, 3), { every: 1 });
  assert.equal(tries, 3);
});

test("eventually() does not take a missing value for success", async () => {
  const rows: string[] = [];
  setTimeout(() => rows.push("here"), 20);
  assert.equal(await eventually(() => rows[0], { every: 1 }), "here");
});

test("eventually() takes a function that can return nothing", async () => {
  let tries = 0;
  await eventually(() => {
    if (++tries < 3) throw new Error("not yet");
  }, { every: 1 });
  assert.equal(tries, 3);
});

test("eventually() throws the last error with what was awaited", async () => {
  const waiting = eventually(() => assert.equal(1, 2, "never equal"), { within: 30, every: 5 });
  await assert.rejects(waiting, (error: Error) => {
    assert.match(error.message, /^Waited 30 ms for \(\) ?=> ?assert\.equal\(.*: never equal\n/);
    assert.ok(error.cause instanceof assert.AssertionError);
    return true;
  });
});

test("eventually() ends when a try hangs", async () => {
  await assert.rejects(eventually(() => new Promise(() => {}), { within: 30 }), /has not settled/);
});

test("tempDir() makes a directory that others may enter", () => {
  const dir = tempDir();
  assert.ok(existsSync(dir));
  assert.equal(statSync(dir).mode & 0o777, 0o755);
});

test("runtimes() has the one that runs this", () => assert.ok(existsSync(runtimes()[thisRuntime()])));

test("needs() gives a reason for what is not there, and none with CI=true", (t) => {
  const ci = process.env.CI;
  t.after(() => ci === undefined ? delete process.env.CI : process.env.CI = ci);
  delete process.env.CI;
  assert.equal(needs("no-such-tool"), "no no-such-tool on PATH");
  assert.equal(needs("sh"), false);
  assert.equal(needs(thisRuntime()), false);
  process.env.CI = "true";
  assert.equal(needs("no-such-tool"), false);
});

test("database() makes an empty database and drops it with its connections", async () => {
  const db = await database();
  const sql = postgres(db.url, { max: 1, onnotice: () => {} });
  assert.deepEqual((await sql`select current_database() as name`)[0].name, new URL(db.url).pathname.slice(1));
  await db.drop();
  await assert.rejects(sql`select 1`);
  await sql.end({ timeout: 1 });
  await db.drop();
});

test("database() makes one with the schema in it, also when several want the first", async (t) => {
  const all = await Promise.all([1, 2, 3].map(() => database({ migrated: true })));
  for (const db of all) {
    t.after(() => db.drop());
    const sql = postgres(db.url, { max: 1 });
    t.after(() => sql.end({ timeout: 1 }));
    assert.deepEqual([...await sql`select count(*)::int as n from dispatcher.envelope`], [{ n: 0 }]);
  }
});

test("database() reaches the system PostgreSQL", { skip: needsServer("pg15") }, async (t) => {
  const db = await database({ server: "pg15" });
  t.after(() => db.drop());
  const sql = postgres(db.url, { max: 1 });
  t.after(() => sql.end({ timeout: 1 }));
  assert.ok((await sql`show server_version_num`)[0].server_version_num > 120000);
});
