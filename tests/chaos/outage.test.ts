import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { connect } from "../../mod.ts";
import { HISTORY } from "../../runtime/store/sql_look.ts";
import { eventually, tempDir, test } from "../harness.ts";
import { environment, nodeFor } from "../integration/site.ts";
import { FIXTURES } from "../integration/cluster.ts";
import { startNode } from "../processes.ts";
import { admin, ownServer, times } from "./node_on.ts";
import { TcpProxy } from "../harness/tcp_proxy.ts";

/** Longer than any wait between two tries. */
const OUTAGE_MS = 10_000;
const MANY = 40;

test("tasks go on while PostgreSQL is stopped, and their outcomes are settled with their token afterwards", {
  timeout: 120_000,
}, async (t) => {
  const server = await ownServer(t);
  const client = await connect({ databaseUrl: server.url });
  t.after(() => client.close());
  const sql = admin(t, server.url);
  const marks = join(tempDir(), "marks");
  const gate = join(tempDir(), "gate");
  // Shorter than the outage: the lease has lapsed when the server is back, and nobody may take it away at once.
  const config = join(tempDir(), "config.json");
  writeFileSync(config, JSON.stringify({ lease_seconds: 4, heartbeat_seconds: 0.5, leader_seconds: 2 }));
  const args = ["--tasks", FIXTURES, "--workers", "4", "--config", config];
  const node = await nodeFor(t, server.url, ["--node", "one", ...args]);
  await nodeFor(t, server.url, ["--node", "two", "--queues", "other", ...args]);
  const running = await Promise.all([1, 2, 3, 4].map((n) => client.publish("waits#gate", [gate, n])));
  for (const { uuid } of running) {
    await eventually(async () => assert.equal((await client.find(uuid))[0].progress, "waiting"));
  }
  const waiting = await client.publishMany(
    Array.from({ length: MANY }, () => ({ task: "marks", args: [marks] })),
  );
  const fences =
    await sql`select uuid::text, fence from dispatcher.envelope where state = 'running' order by uuid`;
  assert.equal(fences.length, 4);
  await server.stop("fast");
  writeFileSync(gate, "");
  await rest(OUTAGE_MS);
  await server.start();
  const all = [...running, ...waiting].map(({ uuid }) => uuid);
  const rows = async () =>
    await sql`select uuid::text, state, attempt, node, ${
      sql.unsafe(HISTORY)
    } attempts, result from dispatcher.archive`;
  await eventually(async () => assert.equal((await rows()).length, all.length), {
    within: 40_000,
    every: 100,
  });
  const found = new Map((await rows()).map((row) => [row.uuid, row]));
  for (const uuid of all) {
    const { state, attempt, attempts } = found.get(uuid)!;
    assert.deepEqual([state, attempt], ["completed", 1]);
    assert.deepEqual(
      attempts.map(({ outcome }: { outcome: string }) => outcome),
      ["completed"],
      "nothing ran twice",
    );
  }
  for (const { uuid } of running) {
    const [{ finished_at }] = found.get(uuid)!.attempts;
    const [{ up }] = await sql`select pg_postmaster_start_time() > ${finished_at}::timestamptz up`;
    assert.equal(up, true, "it ended while the server was away");
  }
  const told = node.stderr();
  assert.equal(times(told, "Database does not answer:"), times(told, "Database answers again"), told);
  assert.ok(times(told, "Database does not answer:") <= 2, told);
  assert.ok(told.split("\n").length < 40, told);
  assert.doesNotMatch(told, /lost its lease|stale/);
});

test("a node whose database goes away while it starts goes on when it is back", async (t) => {
  const server = await ownServer(t);
  await (await connect({ databaseUrl: server.url })).close();
  const way = await TcpProxy.open(server.url);
  t.after(() => way.close());
  // The pool's connection goes through; the one that listens does not, again and again.
  way.breakFrom(2, 6);
  const node = await startNode({
    url: way.url,
    args: ["--node", "one", "--workers", "1"],
    env: environment(way.url),
  });
  t.after(() => node.stop());
  assert.match(node.stderr(), /went away while the node started: .*; it starts again/);
  const client = await connect({ databaseUrl: server.url });
  t.after(() => client.close());
  assert.equal(await (await client.publish("examples/add", [1, 1])).result({ within: 20 }), 2);
  assert.deepEqual((await client.nodes()).map(({ name, alive }) => [name, alive]), [["one", true]]);
});
