// @runtimes deno
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { denoFlags, reached } from "../../cli/deploy/plan.ts";
import { connect } from "../../mod.ts";
import { loadConfig } from "../../runtime/config.ts";
import { jobEvent } from "../awx/receiver/events.ts";
import { ownRedis, receiverDatabase, startedReceiver } from "../awx/receiver/rig.ts";
import { database, eventually, needs, tempDir, test, type TestContext } from "../harness.ts";
import { spawnCli, startNode } from "../processes.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const FIXTURES = join(ROOT, "tests/fixtures/tasks");

/** A database, and what a node on it needs on Deno as `cli deploy` lists it. */
async function narrow(t: TestContext, http: string) {
  const db = await database();
  t.after(() => db.drop());
  const client = await connect({ databaseUrl: db.url });
  t.after(() => client.close());
  const { config } = await loadConfig({ env: {}, flags: { database_url: db.url, http } });
  const flags = denoFlags(
    { role: "node", dir: ROOT, read: [], config, net: [new URL(db.url).host, http] },
    process.execPath,
  );
  return { url: db.url, client, flags };
}

test("a node works with the permissions that deploy lists, and its tasks have no more", async (t) => {
  const { url, client, flags } = await narrow(t, "127.0.0.1:0");
  assert.ok(!flags.some((flag) => /^(-A|--allow-all|--allow-(read|write|run|sys|net|ffi))$/.test(flag)));
  const args = ["--node", "narrow", "--tasks", FIXTURES, "--workers", "1", "--http", "127.0.0.1:0"];
  // Port 0 stands for one that nobody knows yet.
  const node = await startNode({
    url,
    args,
    flags: flags.map((flag) => flag.replace("127.0.0.1:0", "127.0.0.1")),
  });
  const target = join(tempDir(), "file");
  const published = await client.publish("reaches", [target], { queue: "narrow" });
  assert.equal(await published.result(), "NotCapable");
  assert.equal((await fetch(`${node.http}/livez`)).status, 200);
  const stopped = await node.stop();
  assert.deepEqual([stopped.code, stopped.signal], [0, null], node.stderr());
});

test("pool.task_permissions lets tasks do what the node may not", async (t) => {
  const { url, client, flags } = await narrow(t, "127.0.0.1:1");
  const dir = tempDir();
  const env = { DISPATCHER_POOL_TASK_PERMISSIONS: `write=${dir}` };
  const args = ["--node", "wide", "--tasks", FIXTURES, "--workers", "1"];
  const node = await startNode({ url, args, flags, env });
  t.after(() => node.stop());
  const results = [join(dir, "file"), join(tempDir(), "other")].map(async (path) =>
    await (await client.publish("reaches", [path], { queue: "wide" })).result()
  );
  assert.deepEqual(await Promise.all(results), ["written", "NotCapable"]);
});

test("a node with few permissions takes the name of one that was killed at once", async (t) => {
  const { url, flags } = await narrow(t, "127.0.0.1:1");
  const args = ["--node", "again", "--workers", "1"];
  const first = await startNode({ url, args, flags });
  first.kill("SIGKILL");
  await first.exited;
  // Without an identity it would be refused for the thirty seconds of the lease.
  const second = await startNode({ url, args, flags });
  assert.equal((await second.stop()).code, 0);
});

for (const source of ["postgres", "redis"]) {
  test(`a receiver works with the permissions that deploy lists, with events from ${source}`, {
    skip: source === "redis" && needs("redis-server"),
  }, async (t) => {
    const { url, sql, job } = await receiverDatabase(t);
    const redis = source === "redis" ? await ownRedis(t) : undefined;
    const { config } = await loadConfig({ env: {}, flags: { database_url: url } });
    const plan = { role: "receiver" as const, config };
    // What it serves in this test has a port that nobody knows yet.
    const net = [...reached(config, redis && new URL(redis.url).host)!, "127.0.0.1"];
    const flags = denoFlags({ ...plan, dir: ROOT, read: [], net }, process.execPath, ["systemd-notify"]);
    assert.ok(!flags.some((flag) => /^(-A|--allow-all|--allow-(read|write|run|sys|net|ffi))$/.test(flag)));
    const args = ["--database-url", url, "--http", "127.0.0.1:0"];
    const env: Record<string, string> = redis ? { CALLBACK_REDIS_URL: redis.url } : {};
    const receiver = await startedReceiver(t, args, env, ["run", ...flags]);
    assert.equal(receiver.facts.source, source);
    const event = JSON.stringify(jobEvent({ job: await job(), counter: 1 }));
    if (redis) await redis.client(t).rpush("callback_tasks", event);
    else await sql`insert into awx.job_event_queue (payload) values (${event})`;
    await eventually(async () => assert.equal((await sql`select from awx.job_event`).length, 1));
    assert.equal((await fetch(`http://${receiver.facts.http}/readyz`)).status, 200);
    assert.deepEqual(await receiver.stop(), { code: 0, signal: null }, receiver.err);
    assert.doesNotMatch(receiver.err, /NotCapable/);
  });
}

test("a node that may not run Deno says so and exits 78", async (t) => {
  const { url, flags } = await narrow(t, "127.0.0.1:1");
  const less = flags.filter((flag) => !flag.startsWith("--allow-run"));
  const { code, stderr } = await spawnCli(["dispatcher", "--no-http", "--database-url", url], {
    flags: less,
  });
  assert.equal(code, 78);
  assert.match(stderr, /^Cannot start worker hosts: Deno needs --allow-run=\/.+$/m);
});

test("a node whose workers do not start still ends at SIGTERM", async (t) => {
  const { url, flags } = await narrow(t, "127.0.0.1:1");
  const args = ["run", ...flags, join(ROOT, "cli/main.ts"), "dispatcher", "--no-http", "--database-url", url];
  const env = { ...process.env, DISPATCHER_POOL_TASK_PERMISSIONS: "deny-env" };
  const node = spawn(process.execPath, args, { env, stdio: ["ignore", "ignore", "pipe"] });
  t.after(() => node.kill("SIGKILL"));
  let log = "";
  node.stderr.setEncoding("utf8").on("data", (piece: string) => log += piece);
  const exited = new Promise((resolve) => node.once("exit", resolve));
  await eventually(() => log.includes("Worker does not start"));
  process.kill(node.pid!, "SIGTERM");
  assert.equal(await exited, 0, log);
});
