import assert from "node:assert/strict";
import { test } from "../harness.ts";
import { cluster } from "./cluster.ts";
import { TcpProxy } from "../harness/tcp_proxy.ts";

/** Seconds. An answer is overdue after a third of it. */
const LEASE = 9;

test("a node whose connections have gone half open finds out before its lease lapses", async (t) => {
  const { url, client, node, until } = await cluster(t);
  const way = await TcpProxy.before(t, url);
  const config = { listen_url: url, lease_seconds: LEASE, heartbeat_seconds: 1, safety_poll_seconds: 1 };
  const process = await node({ name: "n1", url: way.url, workers: 2, config });
  const long = await client.publish("examples/sleep", [6]);
  await until(long.uuid, (row) => row?.state === "running");
  way.blackhole({ newOnes: false });
  const short = await Promise.all([1, 2, 3].map((n) => client.publish("examples/add", [n, n])));
  for (const { uuid } of short) await until(uuid, (row) => row.state === "completed", 30_000);
  const { attempt } = await until(long.uuid, (row) => row.state === "completed", 30_000);
  assert.equal(attempt, 1);
  const told = process.stderr();
  assert.equal(told.match(/Database does not answer: .*No answer from PostgreSQL for 3 s/g)?.length, 1, told);
  assert.equal(told.match(/Database answers again/g)?.length, 1, told);
  assert.doesNotMatch(told, /lost its lease/);
});
