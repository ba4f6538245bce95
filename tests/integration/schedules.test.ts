import assert from "node:assert/strict";
import { join } from "node:path";
import { eventually, tempDir, test } from "../harness.ts";
import { spawnCli } from "../processes.ts";
import { cluster } from "./cluster.ts";

const tick = { task: "examples/add", args: [1, 1], every: 1, catch_up: "all" };

test("a cluster schedule runs each tick once on two nodes, and goes on when its leader is killed", async (t) => {
  const { node, client } = await cluster(t);
  const config = { schedules: { tick }, lease_seconds: 3, leader_seconds: 3, heartbeat_seconds: 1 };
  const nodes = [
    await node({ name: "n1", workers: 1, config }),
    await node({ name: "n2", workers: 1, config }),
  ];
  const times = async () =>
    (await client.list({ task: "examples/add", limit: 1_000 })).map((row) => row.time_pub!).sort((a, b) =>
      a - b
    );
  await eventually(async () => (await times()).length >= 3, { within: 20_000 });
  const leader = (await client.nodes()).find((row) => row.leader)!.name;
  nodes.find(({ name }) => name === leader)!.kill("SIGKILL");
  const before = (await times()).length;
  await eventually(async () => (await times()).length >= before + 4, { within: 30_000 });
  // The time of a tick's envelope is the tick's own: none is missing and none is doubled.
  const all = await times();
  assert.deepEqual(
    all.slice(1).map((time, i) => Math.round((time - all[i]) * 1000)),
    all.slice(1).map(() => 1000),
  );
});

test("cli schedule lists, pauses, resumes and runs, and control --socket asks without a database", async (t) => {
  const { node, cli, until } = await cluster(t);
  const socket_path = join(tempDir(), "n.sock");
  const hourly = { ...tick, every: 3600, kwargs: {} };
  await node({ name: "n1", workers: 1, config: { schedules: { hourly }, socket_path } });
  const listed = async () => JSON.parse((await cli("schedule", "list", "--json")).stdout);
  assert.deepEqual([(await listed()).name, (await listed()).every, (await listed()).enabled], [
    "hourly",
    3600,
    true,
  ]);
  assert.equal((await cli("schedule", "pause", "hourly")).stdout, "hourly paused\n");
  assert.deepEqual([(await listed()).enabled, (await listed()).next_at], [false, null]);
  assert.equal((await cli("schedule", "resume", "hourly")).stdout, "hourly enabled\n");
  assert.equal((await listed()).enabled, true);
  const run = await cli("schedule", "run", "hourly");
  await until(run.stdout.trim(), (row) => row.state === "completed" && row.result === 2);
  const wrong = await cli("schedule", "run", "hurly");
  assert.equal(wrong.code, 3);
  assert.match(wrong.stderr, /Cannot run schedule "hurly": no such schedule \(did you mean "hourly"\?\)/);
  const asked = await spawnCli(["control", "alive", "--socket", socket_path]);
  assert.deepEqual([asked.code, JSON.parse(asked.stdout)], [0, { node_id: "n1" }]);
  assert.equal((await spawnCli(["control", "alive", "--socket", `${socket_path}.none`])).code, 69);
});

test("schedules of scope node are listed with their nodes, and only the configuration pauses them", async (t) => {
  const { node, cli, client } = await cluster(t);
  const sweep = {
    task: "examples/add",
    args: [1, 1],
    cron: "0 3 * * *",
    scope: "node",
    kwargs: { token: "hunter2" },
  };
  const beat = { task: "examples/add", args: [1, 1], every: 3600, scope: "node", enabled: false };
  await node({ name: "n1", workers: 1, config: { schedules: { sweep, beat } } });
  const n2 = await node({
    name: "n2",
    workers: 1,
    config: { schedules: { sweep, tick: { ...tick, every: 3600 } } },
  });
  const table = (await cli("schedule", "list")).stdout.trim().split("\n").map((line) => line.split("\t"));
  assert.deepEqual(table.map(([name, , rhythm, state, , , scope]) => [name, rhythm, state, scope]), [
    ["tick", "every 3600 s", "enabled", "cluster"],
    ["beat", "every 3600 s", "paused", "node n1"],
    ["sweep", "0 3 * * *", "enabled", "node n1, n2"],
  ]);
  assert.match(table[2][4], /^\d{4}-\d\d-\d\dT03:00:00\.000Z$/, "when a cron expression ticks is known");
  const json = (await cli("schedule", "list", "--json")).stdout;
  assert.ok(!json.includes("hunter2"));
  assert.deepEqual(JSON.parse(json.trim().split("\n")[2]).nodes, ["n1", "n2"]);
  for (const verb of ["run", "pause", "resume"]) {
    const { code, stderr } = await cli("schedule", verb, "sweep");
    assert.deepEqual([code, stderr.includes(`Cannot ${verb} schedule "sweep": it is of scope node`)], [
      4,
      true,
    ]);
  }
  n2.kill("SIGTERM");
  await n2.exited;
  const sweeps = (await client.schedules()).filter(({ name }) => name === "sweep");
  assert.deepEqual(sweeps.map(({ nodes }) => nodes), [["n1"]]);
});

test("a schedule that the file turns off and on again ticks; one that a person paused waits for a person", async (t) => {
  const { node, client, cli } = await cluster(t);
  const hourly = { ...tick, every: 3600 };
  const start = async (enabled: boolean) => {
    const schedules = { file: { ...hourly, enabled }, person: { ...hourly, enabled } };
    const made = await node({ name: "n1", workers: 1, config: { schedules } });
    return async () => {
      made.kill("SIGTERM");
      await made.exited;
    };
  };
  const enabled = async () => (await client.schedules()).map((row) => [row.name, row.enabled]);
  await (await start(false))();
  assert.deepEqual(await enabled(), [["file", false], ["person", false]]);
  assert.equal((await cli("schedule", "pause", "person")).code, 0);
  await (await start(true))();
  assert.deepEqual(await enabled(), [["file", true], ["person", false]]);
  assert.equal((await cli("schedule", "resume", "person")).code, 0);
  assert.deepEqual(await enabled(), [["file", true], ["person", true]]);
});

test("cli schedule next prints the next ticks of an expression without a database", async () => {
  const next = await spawnCli([
    "schedule",
    "next",
    "0 6 * * *",
    "--timezone",
    "Europe/Berlin",
    "--count",
    "2",
  ]);
  assert.match(next.stdout, /^(\d{4}-\d\d-\d\dT0[45]:00:00\.000Z\n){2}$/);
  assert.equal((await spawnCli(["schedule", "next", "0 6 * *"])).code, 2);
});
