import assert from "node:assert/strict";
import { connect as dial, createServer, type Socket } from "node:net";
import { once } from "node:events";
import { seal } from "../../runtime/envelope.ts";
import { completeIn, type Completion, type OwnAttempt } from "../../runtime/store/completion.ts";
import { connect, type Sql } from "../../runtime/store/connection.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { uuid7 } from "../../runtime/uuid.ts";
import { database, eventually, test, type TestContext } from "../harness.ts";

const RECORD = '{"attempt":1,"node":"one","outcome":"completed"}';

async function open(t: TestContext) {
  const db = await database({ migrated: true });
  t.after(() => db.drop());
  const sql = connect(db.url);
  t.after(() => sql.end({ timeout: 1 }));
  await sql`create table note (line text)`;
  const store = new PostgresStore(sql);
  const instance = uuid7();
  return {
    sql,
    url: db.url,
    /** Publish and claim one. */
    async attempt(): Promise<OwnAttempt> {
      await store.publish([seal("t", [])]);
      const work = { node: "one", instance, settlements: [], queues: ["default"], limit: 1 };
      const { claimed: [{ uuid, fence }] } = await store.exchange(work);
      return { url: db.url, node: "one", instance, uuid, fence };
    },
    lines: async () => (await sql`select line from note order by line`).map(({ line }) => line),
    states: async () =>
      (await sql`select state from dispatcher.envelope union all select state from dispatcher.archive`)
        .map(({ state }) => state),
  };
}

const never = new AbortController().signal;

function completion(more: Partial<Completion<string>> = {}): Completion<string> {
  return {
    work: async (tx) => {
      await tx`insert into note values ('done')`;
      return "value";
    },
    settlement: (value) => ({ result: JSON.stringify(value), record: RECORD, progress: null }),
    committing: () => Promise.resolve(),
    ...more,
  };
}

/** A way to the server that breaks when a commit passes: before it arrives, or before its answer comes back. */
async function breaksAtCommit(t: TestContext, url: string, arrives: boolean): Promise<string> {
  const { hostname, port } = new URL(url);
  const open = new Set<Socket>();
  let broken = false;
  const server = createServer((near) => {
    const far = dial(Number(port || 5432), hostname);
    const broke = () => {
      near.destroy();
      // The server must have read it, and may have answered.
      if (!arrives) far.destroy();
    };
    for (const socket of [near, far]) open.add(socket.on("error", () => {}));
    near.on("data", (bytes) => {
      if (broken || !bytes.includes("commit\0")) return void far.write(bytes);
      broken = true;
      if (!arrives) return broke();
      far.once("data", broke);
      far.write(bytes);
    });
    far.on("data", (bytes) => void (near.destroyed || near.write(bytes)));
    near.on("close", () => arrives || far.destroy());
    far.on("close", () => near.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  const way = new URL(url);
  way.host = `127.0.0.1:${(server.address() as { port: number }).port}`;
  return way.href;
}

test("completeIn() commits the work together with the verdict", async (t) => {
  const { attempt, sql, lines } = await open(t);
  assert.equal(await completeIn(await attempt(), never, completion()), "value");
  assert.deepEqual(await lines(), ["done"]);
  const [row] = await sql`select state, result, attempts[1] record from dispatcher.archive`;
  assert.deepEqual([row.state, row.result, row.record], ["completed", "value", JSON.parse(RECORD)]);
});

test("completeIn() rolls everything back with the error of the work", async (t) => {
  const { attempt, lines, states } = await open(t);
  const own = await attempt();
  const failing = completion({
    async work(tx) {
      await tx`insert into note values ('done')`;
      throw new RangeError("on purpose");
    },
  });
  await assert.rejects(completeIn(own, never, failing), RangeError);
  assert.deepEqual([await lines(), await states()], [[], ["running"]]);
  await completeIn(own, never, completion());
  assert.deepEqual([await lines(), await states()], [["done"], ["completed"]]);
});

test("completeIn() lets no statement commit by itself that comes after the end", async (t) => {
  const { attempt, lines } = await open(t);
  const late: Promise<unknown>[] = [];
  const stray = (line: string, failing: boolean) =>
    completion({
      async work(tx) {
        const write = async () => {
          // Beside the commit, or the rollback, and after it.
          for (let i = 0; i < 200; i++) await tx`insert into note values (${line})`;
        };
        late.push(write().catch((error) => error));
        await tx`select 1`;
        if (failing) throw new RangeError("on purpose");
        return "value";
      },
    });
  await assert.rejects(completeIn(await attempt(), never, stray("rolled back", true)), RangeError);
  assert.match(String(await late[0]), /its transaction has ended/);
  assert.deepEqual(await lines(), []);
  const before = await attempt();
  await completeIn(before, never, stray("committed", false));
  const settled = (await lines()).length;
  assert.match(String(await late[1]), /its transaction has ended/);
  assert.equal((await lines()).length, settled);
});

test("completeIn() is stale under another fence or instance, and rolled back", async (t) => {
  const { attempt, lines, states } = await open(t);
  const own = await attempt();
  for (const other of [{ fence: own.fence + 1 }, { instance: uuid7() }, { uuid: uuid7() }]) {
    await assert.rejects(completeIn({ ...own, ...other }, never, completion()), { code: "stale" });
  }
  assert.deepEqual([await lines(), await states()], [[], ["running"]]);
});

test("completeIn() learns what became of a commit whose answer was lost", async (t) => {
  const { attempt, url, lines, states } = await open(t);
  const own = await attempt();
  const lost = { ...own, url: await breaksAtCommit(t, url, false) };
  await assert.rejects(completeIn(lost, never, completion()), {
    code: /^(CONNECTION_CLOSED|ECONNRESET|EPIPE)$/,
  });
  assert.deepEqual([await lines(), await states()], [[], ["running"]]);
  const arrived = { ...own, url: await breaksAtCommit(t, url, true) };
  assert.equal(await completeIn(arrived, never, completion()), "value");
  assert.deepEqual([await lines(), await states()], [["done"], ["completed"]]);
});

test("completeIn() fails with what the server says of a commit", async (t) => {
  const { attempt, sql, states } = await open(t);
  await sql`create table pair (a int primary key, b int references pair initially deferred)`;
  const deferred = completion({
    async work(tx) {
      await tx`insert into pair values (1, 2)`;
      return "value";
    },
  });
  await assert.rejects(completeIn(await attempt(), never, deferred), { code: "23503" });
  assert.deepEqual(await states(), ["running"]);
});

test("completeIn() ends at once when it is aborted, and the server rolls back", async (t) => {
  const { attempt, sql, lines, states } = await open(t);
  const own = await attempt();
  for (const statement of ["select pg_sleep(30)", "select 1"]) {
    const controller = new AbortController();
    const reason = new Error("enough");
    const slow = completion({
      async work(tx: Sql) {
        await tx`insert into note values ('done')`;
        setTimeout(() => controller.abort(reason), 50);
        await tx.unsafe(statement);
        await new Promise((resolve) => controller.signal.addEventListener("abort", resolve));
        await tx`select 2`;
        return "value";
      },
    });
    await assert.rejects(completeIn(own, controller.signal, slow), reason);
  }
  await assert.rejects(completeIn(own, AbortSignal.abort(new Error("before")), completion()), /before/);
  const left = () =>
    sql`select from pg_stat_activity
    where application_name = 'edge-dispatcher transaction' and datname = current_database() and state <> 'idle'`;
  await eventually(async () => assert.equal((await left()).length, 0), { within: 10_000 });
  assert.deepEqual([await lines(), await states()], [[], ["running"]]);
});
