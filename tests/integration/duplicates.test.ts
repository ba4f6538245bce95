import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../../mod.ts";
import type { Client } from "../../runtime/client.ts";
import { eventually, tempDir, test, type TestContext } from "../harness.ts";
import { cluster, FIXTURES } from "./cluster.ts";

type Mode = "discard" | "serial" | "queue_one";
interface Span {
  started: number;
  ended: number;
}

const PUBLISHERS = 10;

/** Three nodes, and ten clients with connections of their own. */
async function three(t: TestContext) {
  const made = await cluster(t);
  const names = ["n1", "n2", "n3"];
  await Promise.all(names.map((name) => made.node({ name, tasks: FIXTURES, workers: 2 })));
  const connecting = Array.from({ length: PUBLISHERS }, () => connect({ databaseUrl: made.url, max: 1 }));
  const clients = await Promise.all(connecting);
  t.after(() => Promise.all(clients.map((client) => client.close())));
  return { ...made, clients };
}

async function all(clients: Client[], task: string, args: unknown[], onDuplicate: Mode) {
  return await Promise.all(clients.map((client) => client.publish<Span>(task, args, { onDuplicate })));
}

function overlaps(spans: Span[]): number {
  const sorted = spans.toSorted((a, b) => a.started - b.started);
  return sorted.filter((span, i) => i > 0 && span.started < sorted[i - 1].ended).length;
}

test("serial runs all that ten publish on three nodes, and never two at once", async (t) => {
  const { clients, client, cli } = await three(t);
  const rounds = [];
  for (let round = 0; round < 3; round++) rounds.push(await all(clients, "spans#short", ["k"], "serial"));
  const published = rounds.flat();
  const spans = await Promise.all(published.map((one) => one.result({ within: 40 })));
  assert.equal(spans.length, 3 * PUBLISHERS);
  assert.equal(overlaps(spans), 0);
  const rows = await client.list({ task: "spans#short" });
  assert.ok(rows.every((row) => row.state === "completed" && row.attempts.length === 1));
  const attempts = rows.map(({ attempts: [{ started_at, finished_at }] }) => ({
    started: Date.parse(started_at!),
    ended: Date.parse(finished_at),
  }));
  assert.equal(overlaps(attempts), 0, "as the archive tells");
  assert.equal((await cli("control", "alive", "--expected-replies", "3")).code, 0);
});

test("queue_one runs one more after the one that runs, however many ask for it", async (t) => {
  const { clients, client, until } = await three(t);
  const gate = join(tempDir(), "gate");
  const first = await client.publish<Span>("spans#gate", [gate], { onDuplicate: "queue_one" });
  await until(first.uuid, (row) => row.state === "running");
  const puts = await all(clients, "spans#gate", [gate], "queue_one");
  const kept = puts.filter((put) => put.duplicateOf === null);
  assert.equal(kept.length, 1);
  writeFileSync(gate, "");
  const spans = await Promise.all([first.result({ within: 40 }), kept[0].result({ within: 40 })]);
  assert.equal(overlaps(spans), 0);
  assert.equal((await client.list({ task: "spans#gate" })).length, 2);
});

test("discard runs one of ten, and its result is that of all", async (t) => {
  const { clients, client } = await three(t);
  const gate = join(tempDir(), "gate");
  const puts = await all(clients, "spans#gate", [gate], "discard");
  assert.equal(puts.filter((put) => put.duplicateOf === null).length, 1);
  await eventually(async () => assert.equal((await client.list({ state: ["running"] })).length, 1));
  writeFileSync(gate, "");
  const results = await Promise.all(puts.map((put) => put.result({ within: 40 })));
  for (const result of results) assert.deepEqual(result, results[0]);
  assert.equal((await client.list({ task: "spans#gate" })).length, 1);
});
