// @runtimes deno
/** A node on each runtime, one database: whoever publishes and whoever looks sees the same. It starts all three. */
import assert from "node:assert/strict";
import { connect } from "../../mod.ts";
import { database, eventually, needs, type Runtime, test, type TestContext } from "../harness.ts";
import { type CliResult, spawnCli } from "../processes.ts";
import { nodeFor } from "./site.ts";
import { startNode } from "../processes.ts";
import { environment, stopNow } from "./site.ts";

const RUNTIMES: Runtime[] = ["deno", "bun", "node"];
const missing = RUNTIMES.map((runtime) => needs(runtime)).find((reason) => reason !== false) ?? false;

interface Mix {
  url: string;
  client: Awaited<ReturnType<typeof connect>>;
  cli(runtime: Runtime, ...args: string[]): Promise<CliResult>;
}

/** A node on each runtime, named for it. */
async function mix(t: TestContext): Promise<Mix> {
  const db = await database();
  t.after(() => db.drop());
  const client = await connect({ databaseUrl: db.url });
  t.after(() => client.close());
  await Promise.all(RUNTIMES.map(async (runtime) => {
    const args = ["--node", `on-${runtime}`, "--workers", "2"];
    const node = await startNode({ url: db.url, runtime, args, env: environment(db.url) });
    t.after(() => stopNow(node));
  }));
  return {
    url: db.url,
    client,
    cli: (runtime, ...args) => spawnCli(args, { runtime, env: environment(db.url) }),
  };
}

/** What a command printed on each runtime, which must be the same to the byte. */
async function same({ cli }: Mix, ...args: string[]): Promise<string> {
  const results = await Promise.all(RUNTIMES.map((runtime) => cli(runtime, ...args)));
  for (const [i, { code, stdout, stderr }] of results.entries()) {
    assert.equal(code, results[0].code, `${RUNTIMES[i]}: ${stderr}`);
    assert.equal(stdout, results[0].stdout, RUNTIMES[i]);
  }
  return results[0].stdout;
}

const HOSTILE = ["\u0000", "\ud800", "ü€😀", '"\\', { a: [1e21, -0.5, null, true] }, ""];

test(
  "publish --wait prints the same bytes on every runtime, whichever node runs it",
  { skip: missing },
  async (t) => {
    const made = await mix(t);
    const words = HOSTILE.map((value) => JSON.stringify(value));
    const printed = new Set<string>();
    for (const runtime of RUNTIMES) {
      for (const node of RUNTIMES) {
        const { code, stdout, stderr } = await made.cli(
          runtime,
          "publish",
          "examples/echo",
          ...words,
          "--queue",
          `on-${node}`,
          "--wait",
        );
        assert.equal(code, 0, stderr);
        const [uuid, result, ...rest] = stdout.split("\n");
        assert.deepEqual(rest, [""]);
        assert.deepEqual(JSON.parse(result), HOSTILE);
        printed.add(result);
        assert.equal(
          (await made.client.find(uuid))[0].node,
          `on-${node}`,
          "a direct envelope runs on its node",
        );
      }
    }
    assert.equal(printed.size, 1);
  },
);

test(
  "list, show, result and queue list print the same bytes on every runtime",
  { skip: missing },
  async (t) => {
    const made = await mix(t);
    const sent = await made.client.publish("examples/echo", HOSTILE, {
      kwargs: { secret: "hunter2" },
      priority: 3,
    });
    await sent.result();
    const failed = await made.client.publish("nowhere");
    await assert.rejects(failed.result());
    for (
      const args of [["list", "--json"], ["show", sent.uuid, "--json"], ["show", failed.uuid, "--json"], [
        "show",
        sent.uuid,
      ], ["result", sent.uuid]]
    ) {
      const printed = await same(made, ...args);
      assert.ok(printed.length > 0, args.join(" "));
      if (args[0] !== "result") assert.ok(!printed.includes("hunter2"), args.join(" "));
    }
    await same(made, "result", failed.uuid);
    await same(made, "queue", "list", "--json");
  },
);

test(
  "status --json has the same keys for every node, asked from every runtime",
  { skip: missing },
  async (t) => {
    const made = await mix(t);
    const shapes = new Set<string>();
    for (const runtime of RUNTIMES) {
      const { code, stdout, stderr } = await made.cli(runtime, "status", "--json");
      assert.equal(code, 0, stderr);
      const nodes = stdout.trim().split("\n").map((line) => JSON.parse(line));
      assert.deepEqual(nodes.map((node) => node.node_id), ["on-bun", "on-deno", "on-node"]);
      for (const node of nodes) shapes.add(JSON.stringify([Object.keys(node), Object.keys(node.workers[0])]));
    }
    assert.equal(shapes.size, 1);
  },
);

test(
  "a shared envelope runs once, a broadcast once on every node, whoever publishes",
  { skip: missing },
  async (t) => {
    const made = await mix(t);
    for (const runtime of RUNTIMES) {
      const shared = (await made.cli(runtime, "publish", "examples/add", "1", "2")).stdout.trim();
      const all = await made.cli(runtime, "publish", "examples/add", "2", "2", "--broadcast", "--wait");
      assert.equal(all.code, 0, all.stderr);
      const [uuid, result] = all.stdout.split("\n");
      assert.deepEqual(JSON.parse(result), { "on-deno": 4, "on-bun": 4, "on-node": 4 });
      const copies = await made.client.find(uuid);
      assert.deepEqual(copies.map((row) => [row.node, row.attempt, row.attempts.length]).sort(), [
        ["on-bun", 1, 1],
        ["on-deno", 1, 1],
        ["on-node", 1, 1],
      ]);
      const row = await eventually(async () => {
        const [found] = await made.client.find(shared);
        return found.state === "completed" && found;
      });
      assert.equal((row as { attempts: unknown[] }).attempts.length, 1);
    }
  },
);

test("cancel reaches a running task on another runtime's node", { skip: missing }, async (t) => {
  const made = await mix(t);
  for (const [i, runtime] of RUNTIMES.entries()) {
    const node = RUNTIMES[(i + 1) % RUNTIMES.length];
    const { uuid } = await made.client.publish("examples/sleep", [600], { queue: `on-${node}` });
    await eventually(async () => (await made.client.find(uuid))[0].state === "running");
    const { code, stdout, stderr } = await made.cli(runtime, "cancel", uuid);
    assert.deepEqual([code, stdout], [0, `${uuid} cancel requested on on-${node}\n`], stderr);
    await eventually(async () => (await made.client.find(uuid))[0].state === "cancelled");
  }
});

test(
  "a second node of one name is refused by every runtime, and names the holder",
  { skip: missing },
  async (t) => {
    const db = await database();
    t.after(() => db.drop());
    const holder = await nodeFor(t, db.url, ["--node", "twin", "--workers", "1"]);
    for (const runtime of RUNTIMES) {
      const args = ["dispatcher", "--no-http", "--node", "twin", "--workers", "1"];
      const { code, stdout, stderr } = await spawnCli(args, { runtime, env: environment(db.url) });
      assert.equal(code, 4, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, new RegExp(`Cannot start node "twin": the name is held by pid ${holder.pid} `));
    }
  },
);
