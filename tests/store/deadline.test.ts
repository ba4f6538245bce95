import assert from "node:assert/strict";
import { connect, isTransient, type Sql } from "../../runtime/store/connection.ts";
import { database, test, type TestContext } from "../harness.ts";
import { TcpProxy } from "../harness/tcp_proxy.ts";

const SECONDS = 1;

async function open(t: TestContext, answerSeconds: number) {
  const db = await database();
  t.after(() => db.drop());
  const way = await TcpProxy.before(t, db.url);
  const sql = connect(way.url, { max: 3, answerSeconds, ours: true });
  t.after(() => sql.end({ timeout: 0 }));
  return { sql, way };
}

const ask = (sql: Sql, n: number) => sql.unsafe("select $1::int n", [n], { prepare: true });
const several = <T>(make: (n: number) => PromiseLike<T>) =>
  Promise.allSettled(Array.from({ length: 9 }, (_, n) => make(n)));

test("connect() gives a pool whose half-open connections are cut when an answer is overdue", async (t) => {
  const { sql, way } = await open(t, SECONDS);
  await several((n) => ask(sql, n));
  way.blackhole({ newOnes: false });
  const lost = await several((n) => ask(sql, n));
  for (const one of lost) {
    assert.equal(one.status, "rejected");
    assert.match(String(one.reason), /No answer from PostgreSQL for 1 s/);
    assert.ok(isTransient(one.reason));
  }
  for (const [n, one] of (await several((n) => ask(sql, n))).entries()) {
    assert.equal(one.status === "fulfilled" && one.value[0].n, n);
  }
});

test("connect() leaves alone what answers, however many statements wait for their turn", async (t) => {
  const { sql } = await open(t, SECONDS);
  // Three connections, 30 statements of a quarter second: the last waits far longer than the bound for its turn.
  const slow = Array.from({ length: 30 }, () => sql.unsafe("select pg_sleep(0.25)", [], { prepare: true }));
  assert.equal((await Promise.all(slow)).length, 30);
});

test("connect() tells from a slow statement that nothing came", async (t) => {
  const { sql } = await open(t, 0.5);
  await assert.rejects(sql.unsafe("select pg_sleep(10)"), { code: "ETIMEDOUT" });
  assert.equal((await ask(sql, 1))[0].n, 1);
});
