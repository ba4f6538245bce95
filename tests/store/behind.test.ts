/** What is sent right behind a statement. */
import assert from "node:assert/strict";
import { connect, type Followed, type Sql, textLiteral } from "../../runtime/store/connection.ts";
import { runStatement } from "../../runtime/store/statements.ts";
import { database, eventually, test, type TestContext } from "../harness.ts";

async function open(t: TestContext, prepare = true) {
  const db = await database();
  t.after(() => db.drop());
  const other = connect(db.url, { max: 1 });
  const sql = connect(db.url, { max: 1, prepare });
  t.after(() => Promise.all([sql, other].map((pool) => pool.end({ timeout: 1 }))));
  const heard: string[] = [];
  await other.listen("word", (payload) => heard.push(payload));
  return { sql, other, heard };
}

const ask = async (sql: Sql, n: number, more?: Followed): Promise<number> =>
  (await runStatement(sql, "select 12 / $1::int n", [n], more))[0].n;
const say = (word: string): Followed => ({ behind: `notify word, '${word}'` });

for (const [prepare, how] of [[true, "named"], [false, "without a name"]] as const) {
  test(`what is behind a statement ${how} is done, the first time and later`, async (t) => {
    const { sql, heard } = await open(t, prepare);
    for (const word of ["a", "b", "c"]) assert.equal(await ask(sql, 4, say(word)), 3);
    await eventually(() => assert.deepEqual(heard, ["a", "b", "c"]));
    assert.equal(await ask(sql, 6), 2);
  });
}

test("a statement is answered while what is behind it takes its time, and later ones wait for that", async (t) => {
  const { sql, other } = await open(t);
  await ask(sql, 1);
  await other.unsafe("select pg_advisory_lock(7)");
  assert.equal(await ask(sql, 2, { behind: "select pg_advisory_lock(7)" }), 6);
  const next = ask(sql, 3);
  await eventually(async () => {
    assert.equal(
      (await other.unsafe("select from pg_locks where locktype = 'advisory' and not granted")).length,
      1,
    );
  });
  await other.unsafe("select pg_advisory_unlock(7)");
  assert.equal(await next, 4);
});

test("what fails behind a statement is nobody's error, and later ones are answered", async (t) => {
  const { sql } = await open(t);
  for (let round = 0; round < 3; round++) {
    assert.equal(await ask(sql, 4, { behind: "select 1 / 0" }), 3);
    assert.equal(await ask(sql, 6), 2);
  }
});

test("a statement that fails takes nothing along that was to be behind it later", async (t) => {
  const { sql, heard } = await open(t);
  const fails = () => assert.rejects(ask(sql, 0, say("failed")), { code: "22012" });
  await fails();
  await ask(sql, 1, say("after the first"));
  assert.equal(await ask(sql, 6), 2);
  await eventually(() => assert.equal(heard.at(-1), "after the first"));
  assert.equal(heard.length, 1, "it was to be described first, so that nothing went with it");
  // Sent with it, it is a hint that was for nothing.
  await fails();
  await eventually(() => assert.equal(heard.at(-1), "failed"));
  assert.equal(await ask(sql, 6), 2);
});

test("a statement whose name the server has forgotten is answered although something was sent behind it", async (t) => {
  const { sql, heard } = await open(t);
  await ask(sql, 1);
  await sql.unsafe("deallocate all");
  assert.equal(await ask(sql, 4, say("a")), 3);
  assert.equal(await ask(sql, 6, say("b")), 2);
  await eventually(() => assert.equal(heard.at(-1), "b"));
});

test("a connection that breaks under what is behind a statement fails the later ones only", async (t) => {
  const { sql, other } = await open(t);
  await ask(sql, 1);
  assert.equal(await ask(sql, 2, { behind: "select pg_terminate_backend(pg_backend_pid())" }), 6);
  await eventually(async () => assert.equal(await ask(sql, 3).catch(() => 0), 4));
  assert.equal((await other.unsafe("select 1 one"))[0].one, 1);
});

test("textLiteral() stands for every text, whatever the session is told of strings", async (t) => {
  const { sql } = await open(t);
  const texts = [
    "",
    "plain",
    "'",
    "''",
    "\\",
    "\\'",
    "'; drop table x; --",
    "\\n\n\t",
    '{a,"b"}',
    "é€😀",
    "$1",
    "e'x'",
  ];
  for (const conforming of ["on", "off"]) {
    await sql.unsafe(`set standard_conforming_strings = ${conforming}`);
    for (const text of texts) {
      assert.equal((await sql.unsafe(`select ${textLiteral(text)} text`))[0].text, text, conforming);
    }
  }
});
