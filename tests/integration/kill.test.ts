// @runtimes deno
/** What survives when nodes, hosts and connections are killed. It starts nodes of mixed runtimes by itself. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { HISTORY } from "../../runtime/store/sql_look.ts";
import { eventually, needs, tempDir, test, type TestContext } from "../harness.ts";
import { type Cluster, cluster, descendants, FIXTURES, isRunning, type Row } from "./cluster.ts";

const noProc = process.platform !== "linux" && "reads /proc";
const all = needs("deno") || needs("bun") || needs("node");
/** Retries are due at once, and what is killed is killed soon. */
const QUICK = { backoff: { base: 0.05, factor: 1, max: 0.05, jitter: 0 }, pool: { abort_grace: 0.2 } };

/** A connection for what the client does not show. */
function open(t: TestContext, { url }: Cluster): postgres.Sql {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  t.after(() => sql.end({ timeout: 1 }));
  return sql;
}

async function counts(sql: postgres.Sql): Promise<{ live: number; archived: number }> {
  const [row] = await sql`select (select count(*)::int from dispatcher.envelope) live,
    (select count(*)::int from dispatcher.archive) archived`;
  return row as unknown as { live: number; archived: number };
}

/** Wait until nothing is live, then assert that each envelope is archived exactly once, completed. */
async function allCompleted(sql: postgres.Sql, uuids: string[]): Promise<void> {
  await eventually(async () => assert.equal((await counts(sql)).live, 0), { within: 40_000, every: 50 });
  const rows = await sql`select uuid::text, state, attempt, ${
    sql.unsafe(HISTORY)
  } attempts from dispatcher.archive`;
  assert.equal(rows.length, uuids.length);
  assert.deepEqual(new Set(rows.map((row) => row.uuid)), new Set(uuids));
  for (const { state, attempt, attempts } of rows) {
    assert.deepEqual([state, attempt], ["completed", 1], JSON.stringify(attempts));
    const outcomes = attempts.map(({ outcome }: { outcome: string }) => outcome);
    assert.deepEqual(outcomes.filter((outcome: string) => outcome !== "released"), ["completed"]);
    assert.equal(outcomes.at(-1), "completed");
    assert.ok(attempts.every(({ attempt }: { attempt: number }) => attempt === 1));
  }
}

test("2,000 envelopes outlive the killing of both nodes in their middle", { skip: all }, async (t) => {
  const made = await cluster(t);
  const sql = open(t, made);
  const start = () =>
    Promise.all([made.node({ name: "one", runtime: "bun" }), made.node({ name: "two", runtime: "node" })]);
  const nodes = await start();
  const calls = Array.from({ length: 2_000 }, () => ({ task: "examples/sleep", args: [0.01] }));
  const uuids = (await made.client.publishMany(calls)).map(({ uuid }) => uuid);
  await eventually(async () => (await counts(sql)).archived >= 400, { every: 5 });
  for (const node of nodes) node.kill("SIGKILL");
  await Promise.all(nodes.map((node) => node.exited));
  const then = await counts(sql);
  assert.equal(then.live + then.archived, 2_000);
  const [{ running }] =
    await sql`select count(*)::int running from dispatcher.envelope where state = 'running'`;
  assert.ok(running > 0, "they were killed while attempts ran");
  await start();
  await allCompleted(sql, uuids);
});

test("a node that is killed once more at its start loses nothing", { skip: all }, async (t) => {
  const made = await cluster(t);
  const sql = open(t, made);
  const calls = Array.from({ length: 300 }, () => ({ task: "examples/sleep", args: [0.02] }));
  const uuids = (await made.client.publishMany(calls)).map(({ uuid }) => uuid);
  for (const runtime of ["deno", "bun", "node"] as const) {
    const { archived } = await counts(sql);
    const node = await made.node({ name: "one", runtime });
    await eventually(async () => (await counts(sql)).archived > archived + 10, { every: 5 });
    node.kill("SIGKILL");
    await node.exited;
  }
  await made.node({ name: "one", runtime: "deno" });
  await allCompleted(sql, uuids);
});

test("every backend of a node may be terminated in the middle of work", { skip: all }, async (t) => {
  const made = await cluster(t);
  const sql = open(t, made);
  const file = join(tempDir(), "marks");
  const calls = Array.from({ length: 2_000 }, () => ({ task: "marks", args: [file] }));
  const uuids = (await made.client.publishMany(calls)).map(({ uuid }) => uuid);
  const nodes = [
    await made.node({ name: "one", runtime: "bun", tasks: FIXTURES }),
    await made.node({ name: "two", runtime: "deno", tasks: FIXTURES }),
  ];
  // Often, for it to happen while a statement is under way.
  for (let at = 50; at <= 1_800; at += 50) {
    await eventually(async () => (await counts(sql)).archived >= at, { every: 1, within: 20_000 });
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'`;
  }
  await allCompleted(sql, uuids);
  assert.ok(nodes.every(({ pid }) => isRunning(pid)));
  // No attempt was lost with a connection, so none ran twice.
  assert.equal(readFileSync(file, "utf8").trim().split("\n").length, 2_000);
});

// ---- signals

test("SIGTERM lets what runs finish, and exits 0", async (t) => {
  const { client, node, until } = await cluster(t);
  const one = await node({ name: "one", workers: 1, tasks: FIXTURES });
  const gate = join(tempDir(), "open");
  const running = await client.publish("waits#gate", [gate]);
  await until(running.uuid, ({ progress }) => progress === "waiting");
  const waiting = await client.publish("waits#gate", [gate]);
  one.kill("SIGTERM");
  await eventually(() => one.stderr().includes("Draining"));
  assert.equal((await client.nodes())[0].state === "stopped", false);
  writeFileSync(gate, "");
  assert.deepEqual(await one.exited, { code: 0, signal: null });
  const row = await until(running.uuid, ({ state }) => state === "completed");
  assert.deepEqual([row.attempt, row.node], [1, "one"]);
  const left = await until(waiting.uuid, ({ state }) => state === "available");
  assert.deepEqual([left.attempt, left.node, left.attempts], [0, null, []]);
  assert.equal((await client.nodes())[0].state, "stopped");
});

test("SIGTERM gives back what does not finish within shutdown_wait, for another node", async (t) => {
  const { client, node, until } = await cluster(t);
  const config = { ...QUICK, shutdown_wait: 0.3 };
  const one = await node({ name: "one", workers: 2, tasks: FIXTURES, config });
  const gate = join(tempDir(), "open");
  const calls = ["gate", "deaf", "gate"].map((task) => ({ task: `waits#${task}`, args: [gate] }));
  const uuids = (await client.publishMany(calls)).map(({ uuid }) => uuid);
  for (const uuid of uuids.slice(0, 2)) await until(uuid, ({ progress }) => progress === "waiting");
  one.kill("SIGTERM");
  assert.deepEqual(await one.exited, { code: 0, signal: null });
  for (const uuid of uuids) assert.deepEqual(pick(await until(uuid, () => true)), ["available", 0, null]);
  await node({ name: "two", tasks: FIXTURES });
  writeFileSync(gate, "");
  for (const uuid of uuids) {
    const row = await until(uuid, ({ state }) => state === "completed");
    assert.deepEqual(pick(row), ["completed", 1, "two"]);
    const first = row.attempts.at(0)!;
    if (row.attempts.length === 1) continue;
    assert.deepEqual([first.outcome, first.node, first.error?.name], ["released", "one", "ShutdownError"]);
  }
});

const pick = ({ state, attempt, node }: Row) => [state, attempt, node];

test("a second SIGTERM skips the wait, a third one exits 130", async (t) => {
  const { client, node, until } = await cluster(t);
  const gate = join(tempDir(), "open");
  const one = await node({ name: "one", workers: 1, tasks: FIXTURES, config: QUICK });
  const heeds = await client.publish("waits#gate", [gate], { queue: "one" });
  await until(heeds.uuid, ({ progress }) => progress === "waiting");
  one.kill("SIGTERM");
  await eventually(() => one.stderr().includes("Draining"));
  one.kill("SIGTERM");
  assert.deepEqual(await one.exited, { code: 0, signal: null });
  assert.deepEqual(pick(await until(heeds.uuid, () => true)), ["available", 0, null]);

  const two = await node({ name: "two", workers: 1, tasks: FIXTURES, config: { pool: { abort_grace: 60 } } });
  const deaf = await client.publish("waits#deaf", [gate], { queue: "two" });
  await until(deaf.uuid, ({ progress }) => progress === "waiting");
  const below = descendants(two.pid).map(({ pid }) => pid);
  two.kill("SIGTERM");
  await eventually(() => two.stderr().includes("Draining"));
  // Two of them at once may be delivered as one.
  await eventually(() => {
    two.kill("SIGTERM");
    return two.proc.exitCode !== null;
  });
  assert.deepEqual(await two.exited, { code: 130, signal: null });
  await eventually(() => assert.deepEqual(below.filter(isRunning), []));
});

// ---- hosts

test("a host that is killed costs the one attempt in it", { skip: noProc }, async (t) => {
  const { client, node, until } = await cluster(t);
  const { pid } = await node({ name: "one", workers: 3, tasks: FIXTURES });
  const { uuid } = await client.publish("waits#gate", [join(tempDir(), "never")]);
  const running = await until(uuid, ({ progress }) => progress === "waiting");
  killHosts(pid);
  const row = await until(uuid, ({ state }) => state === "discarded");
  assert.deepEqual([row.attempt, row.attempts.length, running.attempt], [1, 1, 1]);
  assert.equal(row.error?.name, "HostDied");
  assert.match(row.error!.message, /^Worker host \d+ was ended by SIGKILL$/);
  assert.ok(isRunning(pid));
});

test("a host that is killed costs none of several attempts in it", { skip: noProc }, async (t) => {
  const { client, node, until } = await cluster(t);
  const { pid } = await node({ name: "one", workers: 3, tasks: FIXTURES });
  const gate = join(tempDir(), "open");
  const calls = Array.from({ length: 2 }, () => ({ task: "waits#gate", args: [gate] }));
  const uuids = (await client.publishMany(calls)).map(({ uuid }) => uuid);
  for (const uuid of uuids) await until(uuid, ({ progress }) => progress === "waiting");
  killHosts(pid);
  for (const uuid of uuids) {
    // The progress of the former attempt stays until it is claimed again.
    await until(
      uuid,
      (row) => row.attempts.length === 1 && row.state === "running" && row.progress === "waiting",
    );
  }
  writeFileSync(gate, "");
  const hosts: unknown[] = [];
  for (const uuid of uuids) {
    const { attempt, attempts } = await until(uuid, ({ state }) => state === "completed");
    assert.equal(attempt, 1);
    assert.deepEqual(attempts.map(({ outcome, attempt }) => [outcome, attempt]), [
      ["released", 1],
      ["completed", 1],
    ]);
    assert.match(attempts[0].error!.message, /was ended by SIGKILL$/);
    hosts.push(attempts[1].worker!.split(".")[0]);
  }
  assert.equal(new Set(hosts).size, 2, "each ran alone");
});

function killHosts(pid: number): void {
  for (const host of descendants(pid)) process.kill(host.pid, "SIGKILL");
}

// ---- retries

test("a task that fails is tried again until it completes, with its history", async (t) => {
  const { client, node, until } = await cluster(t);
  await node({ name: "one", workers: 1, tasks: FIXTURES, config: QUICK });
  const { uuid, result } = await client.publish("tries", [3]);
  assert.equal(await result({ within: 20 }), 3);
  const row = await until(uuid, ({ state }) => state === "completed");
  assert.equal(row.attempt, 3);
  assert.equal(row.error, null);
  assert.deepEqual(row.attempts.map(({ attempt, outcome }) => [attempt, outcome]), [
    [1, "retry"],
    [2, "retry"],
    [3, "completed"],
  ]);
  for (const { attempt, error, node, worker } of row.attempts.slice(0, 2)) {
    assert.deepEqual([error!.name, error!.message], ["RangeError", `attempt ${attempt} fails`]);
    assert.match(error!.cause!.message, /it was told to/);
    assert.match(`${node} ${worker}`, /^one \d+\.\d+$/);
  }
});

test("a task that fails its last attempt is discarded, with its history", async (t) => {
  const { client, node, until } = await cluster(t);
  await node({ name: "one", workers: 1, tasks: FIXTURES, config: QUICK });
  const own = await client.publish("tries", [99]);
  const asked = await client.publish("tries", [99], { maxAttempts: 2 });
  const once = await client.publish("throws#text");
  const numbers = async (uuid: string) => {
    const { attempts, attempt, error } = await until(uuid, ({ state }) => state === "discarded");
    assert.equal(attempts.at(-1)!.outcome, "discarded");
    assert.equal(error!.message, attempts.at(-1)!.error!.message);
    assert.equal(attempt, attempts.length);
    return attempts.map(({ attempt }) => attempt);
  };
  assert.deepEqual(await numbers(own.uuid), [1, 2, 3]);
  assert.deepEqual(await numbers(asked.uuid), [1, 2]);
  assert.deepEqual(await numbers(once.uuid), [1]);
});
