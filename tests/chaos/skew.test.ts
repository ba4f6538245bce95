import assert from "node:assert/strict";
import { setTimeout as rest } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { connect, type DispatcherNode, startNode } from "../../mod.ts";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import { loadConfig } from "../../runtime/config.ts";
import { Events } from "../../runtime/events.ts";
import { database, eventually, test, type TestContext } from "../harness.ts";
import { admin } from "./node_on.ts";

const TASKS = fileURLToPath(new URL("../../tasks", import.meta.url));
const HOUR_MS = 3_600_000;
const LEASE = 3;

/** A machine whose time of day is wrong. */
function skewed(hours: number): Clock {
  return { ...systemClock, now: () => systemClock.now() + hours * HOUR_MS };
}

async function nodeAt(t: TestContext, url: string, name: string, hours: number) {
  const said: string[] = [];
  const events = new Events();
  events.on(({ level, text }) => level !== "info" && level !== "debug" && said.push(text));
  const { config } = await loadConfig({
    env: {},
    flags: {
      database_url: url,
      node: name,
      http: "off",
      tasks: TASKS,
      lease_seconds: LEASE,
      heartbeat_seconds: 0.5,
      leader_seconds: LEASE,
      shutdown_wait: 0.2,
      pool: { min_workers: 1, max_workers: 1, abort_grace: 0.2 },
      schedules: { tick: { task: "examples/add", args: [1, 1], every: 1 } },
    },
  });
  const node: DispatcherNode = await startNode({ config, events, clock: skewed(hours) });
  t.after(() => node.stop());
  return { node, said };
}

test("nodes whose clocks are hours off neither lose their leases nor run anything early or late", async (t) => {
  const { url, drop } = await database();
  t.after(drop);
  const sql = admin(t, url);
  const nodes = [await nodeAt(t, url, "behind", -7), await nodeAt(t, url, "ahead", 7)];
  const client = await connect({ databaseUrl: url });
  t.after(() => client.close());
  const [{ now }] = await sql`select clock_timestamp() now`;
  const at = new Date(new Date(now).getTime() + 1_500);
  const calls = ["behind", "ahead"].flatMap((queue) => [
    { task: "examples/add", args: [1, 2], queue, delay: 1.5 },
    { task: "examples/add", args: [1, 3], queue, at: at.toISOString() },
    { task: "examples/fail", args: ["again"], queue, maxAttempts: 2 },
  ]);
  const uuids = (await client.publishMany(calls)).map(({ uuid }) => uuid);
  const rows = async () =>
    await sql`select task, args->>1 as which, state, attempt, created_at, claimed_at from dispatcher.archive
      where uuid = any(${uuids}::uuid[])`;
  await eventually(async () => assert.equal((await rows()).length, uuids.length), { within: 30_000 });
  for (const { task, which, attempt, created_at, claimed_at } of await rows()) {
    const late = new Date(claimed_at).getTime() -
      (which === "3" ? at.getTime() - 1_500 : new Date(created_at).getTime());
    if (task === "examples/add") assert.ok(late >= 1_499 && late < 20_000, `${which} ran ${late} ms after`);
    else assert.equal(attempt, 2);
  }
  // A tick of whichever leads comes in time, and its schedule goes on by the same clock.
  await eventually(async () => {
    const [{ n }] = await sql`select count(*)::int n from dispatcher.archive where args::text = '[1,1]'`;
    assert.ok(n >= 2, `${n} ticks`);
  }, { within: 15_000 });
  await rest(LEASE * 1_000 + 500);
  const alive = await client.nodes();
  assert.deepEqual(alive.map(({ name, alive }) => [name, alive]).sort(), [["ahead", true], ["behind", true]]);
  for (const { node, said } of nodes) {
    assert.deepEqual(said.filter((text) => !text.includes("again")), [], node.name);
    assert.equal(
      alive.find(({ name }) => name === node.name)!.instance,
      node.instance,
      "the lease was never lost",
    );
  }
});
