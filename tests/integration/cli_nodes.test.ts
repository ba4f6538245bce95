/** What the command line does to live nodes, and what it hears of them. */
import assert from "node:assert/strict";
import type { WatchedEvent } from "../../runtime/control/watch.ts";
import { eventually, test } from "../harness.ts";
import { ended, ndjson, sharedSite } from "./site.ts";

const site = sharedSite(["--node", "n1", "--min-workers", "1", "--max-workers", "2"], {
  DISPATCHER_HEARTBEAT_SECONDS: "1",
});
const SECRET = "hunter2";

test("client.events() hears claims and ends of attempts of one envelope, without its kwargs", async (t) => {
  const { client } = await site();
  const heard: WatchedEvent[] = [];
  const stop = new AbortController();
  const watching = client.events((event) => heard.push(event), { signal: stop.signal });
  t.after(() => watching);
  // Until the node has heard that it is watched.
  const uuid = await eventually(async () => {
    const published = await client.publish("examples/echo", [1], { kwargs: { token: SECRET } });
    await published.result();
    return heard.some((event) => event.event === "claimed") && published.uuid;
  });
  await eventually(() => heard.some((event) => event.uuid === uuid && event.event === "attempt.completed"));
  stop.abort();
  await watching;
  assert.ok(!JSON.stringify(heard).includes(SECRET));
});

test("events prints what happens as NDJSON, and ends with 0 at Ctrl-C", async () => {
  const { client, cliWith } = await site();
  const stop = new AbortController();
  let seen = "";
  const printed = (text: string) => seen += text;
  const running = cliWith(["events", "--json", "--task", "examples/add"], { printed, signal: stop.signal });
  await eventually(async () => {
    await (await client.publish("examples/add", [1, 1])).result();
    return seen.includes("attempt.completed");
  }, { within: 20_000 });
  stop.abort();
  const { code, stdout, stderr } = await running;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  for (const { event, at, node, task } of ndjson(stdout)) {
    assert.match(event, /^(claimed|attempt\.completed)$/);
    assert.deepEqual([node, task, new Date(at).toISOString()], ["n1", "examples/add", at]);
  }
});

test("node drain lets a node claim nothing and stay; node resume lets it claim again", async () => {
  const { cli, client, row } = await site();
  assert.deepEqual(ended(await cli("node", "drain", "n1", "--wait")), {
    code: 0,
    stdout: "n1 drains: 0 running\n",
    stderr: "",
  });
  const { uuid } = await client.publish("examples/add", [1, 1]);
  const { code, stdout } = await cli("node", "list");
  assert.match(stdout, /^n1\tdraining\t/);
  assert.equal(code, 0);
  assert.equal((await row(uuid)).state, "available");
  assert.deepEqual(ended(await cli("node", "resume", "n1")), {
    code: 0,
    stdout: "n1 claims again\n",
    stderr: "",
  });
  assert.equal((await client.wait(uuid)).result, 2);
  // Its row is written beside what it claims again, and may come after.
  await eventually(async () => assert.equal((await client.nodes())[0].state, "running"));
});

test("node scale changes the live pool, up and down, and the node's row", async () => {
  const { cli, client } = await site();
  const { stdout } = await cli("node", "scale", "n1", "3", "5");
  assert.equal(stdout, "n1 has 3 to 5 slots (before: 1 to 2)\n");
  const slots = async () => {
    const [{ slots, min, max }] = await client.nodes();
    return { slots, min, max };
  };
  await eventually(async () => assert.deepEqual(await slots(), { slots: 3, min: 3, max: 5 }), {
    within: 20_000,
  });
  const [reply] = ndjson((await cli("node", "scale", "n1", "1", "1", "--json")).stdout);
  assert.deepEqual(reply, { min: 1, max: 1, previous_min: 3, previous_max: 5, node_id: "n1" });
  await eventually(async () => assert.deepEqual(await slots(), { slots: 1, min: 1, max: 1 }), {
    within: 20_000,
  });
  assert.equal(await (await client.publish("examples/add", [1, 1])).result(), 2);
});

test("node show tells the row and the node's own answer; node log-level changes its log", async () => {
  const { cli, node } = await site();
  const shown = await cli("node", "show", "n1");
  assert.equal(shown.code, 0);
  assert.match(shown.stdout, new RegExp(`^n1\n  state       running\n.*\n  process     ${node.pid} on `));
  assert.match(shown.stdout, /^\. {2}worker\[tid:/m);
  const [json] = ndjson((await cli("node", "show", "n1", "--json")).stdout);
  assert.deepEqual([json.name, json.status.node_id, json.status.state], ["n1", "n1", "running"]);
  const told = await cli("node", "log-level", "n1", "debug");
  assert.equal(told.stdout, "n1 logs DEBUG and above (before: INFO)\n");
  const [back] = ndjson((await cli("node", "log-level", "n1", "info", "--json")).stdout);
  assert.deepEqual(back, { logger: "dispatcher", level: "INFO", previous_level: "DEBUG", node_id: "n1" });
});

test("commands for one node refuse what they cannot do with 2, 3 and 4", async () => {
  const { cli } = await site();
  const wrong: [args: string[], code: number, says: RegExp][] = [
    [["drain"], 2, /^Name one node: given 0 words\n$/],
    [["scale", "n1", "2"], 2, /^Name one node, the least and the most slots: given 2 words\n$/],
    [["scale", "n1", "4", "2"], 2, /^Cannot scale "n1" to 4\.\.2: the most is below the least\n$/],
    [["scale", "n1", "0", "2"], 2, /^Cannot scale "n1" to "0": it is no number of slots from 1 to 1000\n$/],
    [["show", "n2"], 3, /^No node "n2" \(did you mean "n1"\?\)\n$/],
    [["drain", "n2"], 3, /^No node "n2" \(did you mean "n1"\?\)\n$/],
    [["log-level", "n1", "loud"], 4, /^Node "n1" refused: Unknown log level "loud"\n$/],
  ];
  for (const [args, code, says] of wrong) {
    const result = await cli("node", ...args);
    assert.equal(result.code, code, args.join(" "));
    assert.match(result.stderr, says);
  }
});

test("the node of this file exits 0", async () => {
  assert.deepEqual((await site.end()).exit, { code: 0, signal: null });
});
