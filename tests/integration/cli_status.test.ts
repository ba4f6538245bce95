// @runtimes bun,node
import assert from "node:assert/strict";
import { test } from "../harness.ts";
import { base, ended, ndjson, nodeFor, sharedSite, type Site, UUID } from "./site.ts";

const site = sharedSite(["--node", "n1", "--workers", "2", "--log-level", "debug"]);
const SECRET = "hunter2-s3cret";
const MB = String.raw`\d+\.\d{3}MB`;
const NODE = new RegExp(String.raw`^n1\[pid:\d+\] workers total=2 min=2 max=2 rss=${MB}$`);
const WORKER = String.raw`\.  worker\[tid:\d+\] sent=\d+ finished=\d+ qsize=`;
const IDLE = new RegExp(String.raw`^${WORKER}0 heap=${MB} \[IDLE\]$`);
const BUSY = new RegExp(String.raw`^${WORKER}1 heap=${MB}$`);

/** Run a command while a task runs, whose kwargs hold a secret; the task is cancelled afterwards. */
async function whileRunning<T>(made: Site, work: (uuid: string) => Promise<T>): Promise<T> {
  const kwargs = { become_password: SECRET };
  const { uuid } = await made.client.publish("examples/sleep", [600, { token: SECRET, user: "me" }], {
    kwargs,
  });
  await made.until(uuid, "running");
  try {
    return await work(uuid);
  } finally {
    await made.client.cancel([uuid]);
    await made.until(uuid, "cancelled");
  }
}

test("status prints the seed's screen: the node, its workers, IDLE and what runs", async () => {
  const made = await site();
  await whileRunning(made, async (uuid) => {
    const { code, stdout, stderr } = await made.cli("status");
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    const [node, ...workers] = stdout.trimEnd().split("\n");
    assert.match(node, NODE);
    assert.ok(node.startsWith(`n1[pid:${made.node.pid}] `));
    const at = workers.findIndex((line) => BUSY.test(line));
    const task = `examples/sleep(*[600,{"token":"[redacted]","user":"me"}])`;
    assert.equal(workers[at + 1], `     - running ${uuid} ${task}`);
    workers.splice(at, 2);
    assert.equal(workers.length, 1);
    assert.match(workers[0], IDLE);
  });
});

test("status counts what a worker was sent and has finished", async () => {
  const { client, cli } = await site();
  const counts = async () => {
    const { stdout } = await cli("status");
    const all = [...stdout.matchAll(/sent=(\d+) finished=(\d+) qsize=(\d+)/g)].map((match) =>
      match.slice(1).map(Number)
    );
    for (const [sent, finished, qsize] of all) assert.equal(qsize, sent - finished);
    return all.reduce((sum, [, finished]) => sum + finished, 0);
  };
  const before = await counts();
  await (await client.publish("examples/add", [1, 1])).result();
  assert.equal(await counts(), before + 1);
});

test("status --json is one object with the same numbers, in snake case", async () => {
  const made = await site();
  await whileRunning(made, async (uuid) => {
    const { code, stdout, stderr } = await made.cli("status", "--json");
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    const [node, ...more] = ndjson(stdout);
    assert.deepEqual(more, []);
    const { node_id, pid, total, min, max, queues, state, leader, connection, queued } = node;
    assert.deepEqual({ node_id, pid, total, min, max }, {
      node_id: "n1",
      pid: made.node.pid,
      total: 2,
      min: 2,
      max: 2,
    });
    assert.deepEqual({ queues, state, leader, connection, queued }, {
      queues: ["default", "n1", "broadcast"],
      state: "running",
      leader: true,
      connection: "connected",
      queued: [],
    });
    assert.ok(node.rss > 10_000_000);
    assert.equal(node.workers.length, 2);
    // deno-lint-ignore no-explicit-any
    const [running] = node.workers.flatMap((worker: any) => worker.running);
    assert.deepEqual([running.uuid, running.task], [uuid, "examples/sleep"]);
    assert.ok(running.seconds >= 0);
    // The names of resources are their users'.
    const { resources: { offers, used, ...rest }, ...others } = node;
    assert.deepEqual([used, Object.keys(offers)], [{}, ["cpu", "memoryMb"]]);
    for (const key of JSON.stringify([rest, others]).matchAll(/"([^"]+)":/g)) {
      assert.match(key[1], /^[a-z_]+$/);
    }
  });
});

test("running prints the uuids in the seed's form, and --json an array", async () => {
  const made = await site();
  assert.deepEqual(ended(await made.cli("running")), { code: 0, stdout: "[]\n", stderr: "" });
  await whileRunning(made, async (first) => {
    const one = await made.cli("running");
    assert.deepEqual(ended(one), { code: 0, stdout: `['${first}']\n`, stderr: "" });
    await whileRunning(made, async (second) => {
      const [text, json] = await Promise.all([
        made.cli("running", "--node", "n1"),
        made.cli("running", "--json"),
      ]);
      assert.match(text.stdout, new RegExp(`^\\['${UUID}', '${UUID}'\\]\\n$`));
      assert.deepEqual(JSON.parse(json.stdout).sort(), [first, second].sort());
    });
  });
});

test("no command shows keyword arguments, nor what is named like a secret, and neither does the node's log", async () => {
  const made = await site();
  const commands = (uuid: string) => [
    ["status"],
    ["status", "--json"],
    ["running"],
    ["running", "--json"],
    ["list"],
    ["list", "--json"],
    ["show", uuid],
    ["show", uuid, "--json"],
    ["queue", "list", "--json"],
    ["node", "list", "--json"],
    ["control", "running"],
    ["control", "workers"],
    ["control", "node_status"],
    ["control", "main"],
    ["control", "running", "--data", JSON.stringify({ kwargs: { become_password: SECRET } })],
  ];
  const printed = await whileRunning(made, async (uuid) => {
    const results = [];
    for (const args of commands(uuid)) {
      const expect = args[0] === "control" ? ["--expected-replies", "1"] : [];
      const result = await made.cli(...args, ...expect);
      assert.equal(result.code, 0, `${args.join(" ")}: ${result.stderr}`);
      results.push({ args, text: result.stdout + result.stderr });
    }
    return results;
  });
  for (const { args, text } of printed) assert.ok(!text.includes(SECRET), args.join(" "));
  assert.ok(printed.filter(({ text }) => text.includes("[redacted]")).length >= 6);
  const { stdout, stderr } = made.node;
  assert.ok(!(stdout() + stderr()).includes(SECRET));
});

test("node ping and alive print who is there, and --json the replies", async () => {
  const { cli } = await site();
  for (const command of [["node", "ping"], ["alive"]]) {
    assert.deepEqual(ended(await cli(...command)), { code: 0, stdout: "n1 is alive\n", stderr: "" });
  }
  assert.deepEqual(ndjson((await cli("alive", "--json")).stdout), [{ node_id: "n1" }]);
});

test("node list prints a row a node with tabs in a pipe, and --json an object a node with ISO times", async () => {
  const { cli, node } = await site();
  const { code, stdout, stderr } = await cli("node", "list");
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const cells = stdout.trimEnd().split("\t");
  assert.deepEqual([cells[0], cells[1], cells[3], cells.at(-2), cells.at(-1)], [
    "n1",
    "running",
    `${node.pid}`,
    "leader",
    "default,n1",
  ]);
  const [{ last_seen, started_at, lease_until, alive, min, max, queues, slots, listener }] = ndjson(
    (await cli("node", "list", "--json")).stdout,
  );
  for (const time of [last_seen, started_at, lease_until]) assert.equal(new Date(time).toISOString(), time);
  assert.deepEqual({ alive, min, max, queues }, { alive: true, min: 2, max: 2, queues: ["default", "n1"] });
  assert.deepEqual({ slots, listener }, { slots: 2, listener: "connected" });
});

test("control prints the replies as JSON, and exits 5 when fewer come than expected", async () => {
  const { cli } = await site();
  const one = await cli("control", "alive", "--expected-replies", "1");
  assert.deepEqual(ended(one), { code: 0, stdout: '{"node_id":"n1"}\n', stderr: "" });
  const { code, stdout } = await cli("control", "alive", "--expected-replies", "2", "--timeout", "0.5");
  assert.deepEqual({ code, stdout }, { code: 5, stdout: '{"node_id":"n1"}\n' });
  const unknown = await cli("control", "frobnicate", "--expected-replies", "1", "--channel", "n1");
  assert.deepEqual(ndjson(unknown.stdout), [{ error: "No control method frobnicate", node_id: "n1" }]);
});

test("control and status refuse what they cannot send with 2", async () => {
  const { cli } = await site();
  const wrong: [args: string[], says: RegExp][] = [
    [["control"], /^Cannot send a control command: name one\n$/],
    [["control", "alive", "running"], /^Cannot send a control command: name one\n$/],
    [["control", "alive", "--data", "[1]"], /^Cannot read --data "\[1\]": it is not a JSON object\n$/],
    [["control", "alive", "--data", "{a}"], /^Cannot read --data "\{a\}": it is not a JSON object\n$/],
    [["control", "alive", "--timeout", "-1"], /^Flag --timeout needs seconds from 0: given "-1"\n$/],
    [["status", "--timeout=-0.5"], /^Flag --timeout needs seconds from 0: given "-0.5"\n$/],
    [["control", "alive", "--channel", " "], /^Cannot use " " as a queue: the name is blank\n$/],
  ];
  for (const [args, says] of wrong) {
    const { code, stdout, stderr } = await cli(...args);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" }, args.join(" "));
    assert.match(stderr, says);
  }
});

test("status names a live node that does not answer with [NO ANSWER] and exits 5; running and ping say it too", async (t) => {
  const { url, cli } = await base(t);
  await nodeFor(t, url, ["--node", "n1", "--workers", "2"]);
  const stopped = await nodeFor(t, url, ["--node", "n2", "--min-workers", "1", "--max-workers", "3"]);
  stopped.kill("SIGSTOP");
  const [status, running, ping, alone, json] = await Promise.all([
    cli("status"),
    cli("running"),
    cli("alive"),
    cli("status", "--node", "n2"),
    cli("status", "--json"),
  ]);
  const said = 'Node "n2" did not answer\n';
  assert.deepEqual({ code: status.code, stderr: status.stderr }, { code: 5, stderr: "" });
  const lines = status.stdout.trimEnd().split("\n");
  assert.match(lines[0], NODE);
  const silent = new RegExp(
    String.raw`^n2\[pid:${stopped.pid}\] workers total=1 min=1 max=3 rss=${MB} \[NO ANSWER\]$`,
  );
  assert.match(lines.at(-1)!, silent);
  assert.equal(lines.length, 4, "n1, its two workers, and the one line of n2");
  const [, row] = ndjson(json.stdout);
  const { answered, connection, node_id, total, queues } = row;
  assert.deepEqual({ answered, connection, node_id, total }, {
    answered: false,
    connection: "connected",
    node_id: "n2",
    total: 1,
  });
  assert.deepEqual(queues, ["default", "n2", "broadcast"]);
  assert.deepEqual([json.code, json.stderr, ndjson(json.stdout)[0].answered], [5, said, true]);
  assert.deepEqual(ended(running), { code: 5, stdout: "[]\n", stderr: said });
  assert.deepEqual(ended(ping), { code: 5, stdout: "n1 is alive\n", stderr: said });
  assert.equal(alone.code, 69);
  assert.equal(alone.stderr, "No node answered\n");
});

test("the node of this file exits 0, and its log has no secret", async () => {
  const { exit, output } = await site.end();
  assert.deepEqual(exit, { code: 0, signal: null });
  assert.ok(!output.includes(SECRET));
});
