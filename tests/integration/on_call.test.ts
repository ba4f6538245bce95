/** A node that has nothing to do is handed what is published, and whatever happens to it, nothing waits for long. */
import assert from "node:assert/strict";
import { connect, type Sql } from "../../runtime/store/connection.ts";
import { eventually, test, type TestContext } from "../harness.ts";
import type { NodeProcess } from "../processes.ts";
import { type Cluster, cluster } from "./cluster.ts";

interface Site extends Cluster {
  sql: Sql;
  /** These nodes, and no others, have said that they are free. */
  onCall(...names: string[]): Promise<void>;
  /** Publish one, and wait for its end; the node that ran it, and whether it was handed over. */
  run(): Promise<{ uuid: string; node: string; handed: boolean }>;
}

async function open(t: TestContext): Promise<Site> {
  const own = await cluster(t);
  const sql = connect(own.url, { max: 2 });
  t.after(() => sql.end({ timeout: 1 }));
  return {
    ...own,
    sql,
    onCall: (...names) =>
      eventually(async () => {
        const rows = await sql`select node from dispatcher.on_call where free order by node`;
        assert.deepEqual(rows.map(({ node }) => node), names);
      }) as Promise<unknown> as Promise<void>,
    async run() {
      const { uuid } = await own.client.publish("examples/add", [1, 2]);
      await own.until(uuid, (row) => row.state === "completed", 15_000);
      const [found] =
        await sql`select node, claimed_at = created_at handed from dispatcher.archive where uuid = ${uuid}`;
      return { uuid, node: found.node, handed: found.handed };
    },
  };
}

test("a node that has nothing to do is handed what is published, one after the other", async (t) => {
  const { node, run, onCall } = await open(t);
  const one = await node({ name: "one", workers: 2 });
  for (let i = 0; i < 5; i++) {
    await onCall("one");
    const { node, handed } = await run();
    assert.deepEqual([node, handed], ["one", true]);
  }
  await onCall("one");
  one.kill("SIGTERM");
  await one.exited;
  await onCall();
});

test("a node whose slots are all busy is not on call, and neither is one that drains", async (t) => {
  const { node, client, cli, onCall, until } = await open(t);
  await node({ name: "one", workers: 1 });
  await onCall("one");
  const { uuid } = await client.publish("examples/sleep", [600]);
  await until(uuid, (row) => row.state === "running");
  await onCall();
  await client.cancel([uuid]);
  await onCall("one");
  assert.equal((await cli("node", "drain", "one")).code, 0);
  await onCall();
  assert.equal((await cli("node", "resume", "one")).code, 0);
  await onCall("one");
});

/** A node that is asked before another one, `live`, which is there too. */
async function firstOfTwo({ node, onCall, sql }: Site, name: string): Promise<NodeProcess> {
  const first = await node({ name, workers: 1 });
  await node({ name: "live", workers: 1 });
  await onCall(...[name, "live"].sort());
  await sql`delete from dispatcher.on_call where node = 'live'`;
  return first;
}

test("what is published after a node on call was killed is run by another at once", async (t) => {
  const site = await open(t);
  const { run, sql } = site;
  const dead = await firstOfTwo(site, "dead");
  dead.kill("SIGKILL");
  await dead.exited;
  await eventually(async () => {
    const [{ n }] =
      await sql`select count(*)::int n from dispatcher.on_call c join pg_stat_activity a using (pid)`;
    assert.equal(n, 0);
  });
  // Its lease goes on for half a minute.
  assert.equal((await run()).node, "live");
});

test("a node that is stopped in its tracks keeps one envelope at most, until it goes on", async (t) => {
  const site = await open(t);
  const { client, until, run } = site;
  const stopped = await firstOfTwo(site, "stopped");
  stopped.kill("SIGSTOP");
  const { uuid } = await client.publish("examples/add", [1, 2]);
  await until(uuid, (row) => row.state === "running" && row.node === "stopped");
  for (let i = 0; i < 3; i++) assert.equal((await run()).node, "live");
  stopped.kill("SIGCONT");
  await until(uuid, (row) => row.state === "completed");
});

/** Have the node that is on call given an envelope of which it does not hear. */
async function handUnheard(sql: Sql, uuid: string, besides: (tx: Sql) => Promise<unknown>): Promise<void> {
  await sql.begin(async (given) => {
    const tx = given as unknown as Sql;
    const [{ handed }] =
      await tx`select dispatcher.hand(${uuid}::uuid, 'default', 'examples/add', '[1,2]', '{}', '{}',
      0::smallint, null, null, 0) handed`;
    assert.equal(handed, true);
    await besides(tx);
  });
}

test("what was handed over while the connection broke on which it hears is run all the same", async (t) => {
  const { node, until, onCall, sql } = await open(t);
  await node({ name: "one", workers: 1 });
  await onCall("one");
  const uuid = crypto.randomUUID();
  // It ends before the commit that would have told it.
  await handUnheard(sql, uuid, async (tx) => {
    await tx`select pg_terminate_backend(pid, 5000) from pg_stat_activity
      where datname = current_database() and application_name = 'edge-dispatcher listen'`;
  });
  const { attempt } = await until(uuid, (row) => row.state === "completed");
  assert.equal(attempt, 1, "what it did not hear of is not charged");
  await onCall("one");
});

test("what it was never told of is found by its heartbeat", async (t) => {
  const { node, until, onCall, sql } = await open(t);
  await node({ name: "one", workers: 1, config: { heartbeat_seconds: 0.5, lease_seconds: 10 } });
  await onCall("one");
  const uuid = crypto.randomUUID();
  const [{ channel }] = await sql`select channel from dispatcher.on_call`;
  await sql`update dispatcher.on_call set channel = 'dispatcher_hand_nobody'`;
  await handUnheard(sql, uuid, async (tx) => {
    await tx`update dispatcher.on_call set channel = ${channel}`;
  });
  const { attempt } = await until(uuid, (row) => row.state === "completed");
  assert.equal(attempt, 1);
  await onCall("one");
});
