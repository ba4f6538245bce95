// @runtimes bun,node
import assert from "node:assert/strict";
import { test } from "../harness.ts";
import { type Base, base, ended, ndjson, nodeFor, sharedSite, UUID } from "./site.ts";

// What failed stays retryable for as long as a test looks at it.
const site = sharedSite(["--node", "n1", "--workers", "2"], { DISPATCHER_BACKOFF_BASE: "3600" });
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Uuids that begin alike, of envelopes that nobody runs. */
async function alike({ client }: Base): Promise<string[]> {
  const uuids = ["01", "02", "13"].map((n) => `aaaabbbb-cccc-4ddd-8eee-ffffffffff${n}`);
  await client.publishMany(uuids.map((uuid, i) => ({ task: "t", args: [i], queue: "nobody", uuid })));
  return uuids;
}

test("list prints a row an envelope, newest first, with tabs and without a heading in a pipe", async () => {
  const { client, cli, until } = await site();
  const { uuid } = await client.publish("examples/add", [1, 2]);
  await until(uuid, "completed");
  const later = await client.publish("examples/echo", ["a\tb\nc"], { queue: "nobody" });
  const { code, stdout, stderr } = await cli("list");
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const rows = stdout.trimEnd().split("\n").map((line) => line.split("\t"));
  assert.deepEqual(rows.map(([uuid]) => uuid), [later.uuid, uuid]);
  assert.deepEqual(rows[1].slice(1, 4), ["completed", "default", "1"]);
  assert.match(rows[1][4], /^\d+(\.\d)? s$/);
  assert.deepEqual(rows[1].slice(5), ["n1", "examples/add(*[1,2])"]);
  assert.deepEqual(rows[0].slice(1, 4), ["available", "nobody", "0"]);
  assert.deepEqual(rows[0].slice(5), ["-", String.raw`examples/echo(*["a\tb\nc"])`]);
});

test("list narrows by state, queue, task, node and limit", async (t) => {
  const { client, cli, url, until } = await base(t);
  const done = await client.publish("examples/add", [1, 2], { queue: "a" });
  const failed = await client.publish("examples/fail", [], { queue: "b" });
  const later = await client.publish("examples/add", [1, 2], { queue: "b", delay: 600 });
  await nodeFor(t, url, ["--node", "n1", "--queues", "a,b", "--workers", "1"]);
  await until(done.uuid, "completed");
  await until(failed.uuid, "discarded");
  const all: [filter: string[], found: { uuid: string }[]][] = [
    [[], [later, failed, done]],
    [["--state", "completed"], [done]],
    [["--state", "scheduled, discarded"], [later, failed]],
    [["--queue", "b"], [later, failed]],
    [["--task", "examples/add"], [later, done]],
    [["--node", "n1"], [failed, done]],
    [["--queue", "b", "--task", "examples/add", "--state", "scheduled"], [later]],
    [["--limit", "1"], [later]],
    [["--queue", "none"], []],
    [["--queue", "' or true --"], []],
  ];
  for (const [filter, found] of all) {
    const { code, stdout } = await cli("list", ...filter, "--json");
    assert.equal(code, 0);
    assert.deepEqual(ndjson(stdout).map(({ uuid }) => uuid), found.map(({ uuid }) => uuid), filter.join(" "));
  }
});

test("list refuses an unknown state with 2 and a suggestion, and a limit that is none", async () => {
  const { cli } = await site();
  const state = await cli("list", "--state", "complete");
  const says = 'Unknown state "complete" (did you mean "completed"?)\n';
  assert.deepEqual(ended(state), { code: 2, stdout: "", stderr: says });
  for (const limit of ["0", "-1", "1.5"]) {
    const { code, stdout, stderr } = await cli("list", "--limit", limit);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" }, limit);
    assert.equal(stderr, `Flag --limit needs a whole number from 1: given "${limit}"\n`);
  }
});

test("list --json and show --json have every field in snake case, ISO times, and no kwargs", async () => {
  const { client, cli, until } = await site();
  const { uuid } = await client.publish("examples/fail", ["boo"], {
    kwargs: { a: 1 },
    priority: 3,
    timeout: 9,
  });
  await until(uuid, "discarded");
  const [shown] = ndjson((await cli("show", uuid, "--json")).stdout);
  const [listed] = ndjson((await cli("list", "--json", "--task", "examples/fail")).stdout);
  assert.deepEqual(listed, shown);
  assert.ok(!("kwargs" in shown));
  for (const time of [shown.created_at, shown.claimed_at, shown.finished_at]) assert.match(time, ISO);
  const { state, args, priority, timeout, queue, attempt, node, error, result } = shown;
  assert.deepEqual({ state, args, priority, timeout, queue, attempt, node, result }, {
    state: "discarded",
    args: ["boo"],
    priority: 3,
    timeout: 9,
    queue: "default",
    attempt: 1,
    node: "n1",
    result: null,
  });
  assert.deepEqual([error.name, error.message, error.cause.name], ["RangeError", "boo", "TypeError"]);
  assert.equal(shown.attempts.length, 1);
  assert.match(shown.attempts[0].worker, /^\d+\.\d+$/);
});

test("show prints the attempts with node, worker, times, error, stack and cause", async () => {
  const { client, cli, until } = await site();
  const { uuid } = await client.publish("examples/fail", ["boo"]);
  await until(uuid, "discarded");
  const { code, stdout, stderr } = await cli("show", uuid);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines[0], `${uuid} discarded`);
  for (
    const line of [
      '  task        examples/fail(*["boo"])',
      "  queue       default",
      "    RangeError: boo",
      "    caused by",
      "      TypeError: because it was asked to",
    ]
  ) assert.ok(lines.includes(line), `${line} in\n${stdout}`);
  const time = ISO.source.slice(1, -1);
  const attempt = new RegExp(
    `^ {2}attempt 1 {3}discarded on n1 worker \\d+\\.\\d+, ${time} to ${time}$`,
    "m",
  );
  assert.match(stdout, attempt);
  assert.match(stdout, /^ +at .*fail\.ts/m);
});

test("show prints the result of what is completed and each copy of a broadcast", async () => {
  const { client, cli } = await site();
  const { uuid } = await client.publish("examples/add", [1, 2], { queue: "broadcast" });
  await client.waitAll(uuid, 20);
  const { code, stdout } = await cli("show", uuid);
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`^${UUID} completed\n  broadcast   ${uuid}\n  task        examples/add`));
  assert.match(stdout, /^ {2}result {6}3$/m);
  assert.match(stdout, /^ {2}queue {7}n1$/m);
});

test("show, result and cancel take the beginning of a uuid, in either case", async (t) => {
  const made = await base(t);
  const [, , last] = await alike(made);
  for (const prefix of [last.slice(0, 35), last.toUpperCase(), "AAAABBBB-cccc-4ddd-8eee-ffffffffff1"]) {
    const [row] = ndjson((await made.cli("show", prefix, "--json")).stdout);
    assert.equal(row.uuid, last);
  }
  const cancelled = await made.cli("cancel", last.slice(0, 35));
  assert.deepEqual(ended(cancelled), { code: 0, stdout: `${last} cancelled\n`, stderr: "" });
});

test("an ambiguous beginning ends with 4 and names the candidates, an unknown one with 3, no uuid with 2", async (t) => {
  const made = await base(t);
  const uuids = await alike(made);
  for (const [command, verb] of [["show", "show"], ["result", "print the result of"], ["cancel", "cancel"]]) {
    const ambiguous = await made.cli(command, "aaaab");
    assert.deepEqual({ code: ambiguous.code, stdout: ambiguous.stdout }, { code: 4, stdout: "" });
    const [head, ...candidates] = ambiguous.stderr.trimEnd().split(/: |, /);
    assert.equal(head, `Cannot ${verb} "aaaab"`);
    assert.equal(candidates[0], "3 envelopes have this prefix");
    assert.deepEqual(candidates.slice(1).sort(), uuids);
    const unknown = await made.cli(command, "0199");
    assert.deepEqual(ended(unknown), {
      code: 3,
      stdout: "",
      stderr: `Cannot ${verb} "0199": no such envelope\n`,
    });
    const odd = await made.cli(command, "xyz");
    const says = `Cannot ${verb} "xyz": it is not a uuid or the first 4 or more digits of one\n`;
    assert.deepEqual(ended(odd), { code: 2, stdout: "", stderr: says });
  }
  assert.deepEqual((await made.client.list()).map((row) => row.state), [
    "available",
    "available",
    "available",
  ]);
});

test("show and result without a uuid, or with two, end with 2", async () => {
  const { cli } = await site();
  for (const command of ["show", "result"]) {
    for (const words of [[], ["aaaa", "bbbb"]]) {
      const { code, stdout, stderr } = await cli(command, ...words);
      assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
      assert.match(stderr, /^Cannot .+: name one uuid, or the beginning of one\n$/);
    }
  }
});

test("show prints a broadcast that no node has taken yet, without its kwargs", async (t) => {
  const { client, cli } = await base(t);
  const cast = async (delay?: number) =>
    (await client.publish("examples/add", [1, 2], {
      queue: "broadcast",
      delay,
      kwargs: { token: "hunter2" },
    })).uuid;
  const [now, later] = [await cast(), await cast(600)];
  const shown = await cli("show", now);
  assert.deepEqual([shown.code, shown.stderr], [0, ""]);
  const [head, task, queue] = shown.stdout.split("\n");
  assert.deepEqual([head, task, queue], [
    `${now} available`,
    "  task        examples/add(*[1,2])",
    "  queue       broadcast",
  ]);
  const [row] = ndjson((await cli("show", later, "--json")).stdout);
  assert.deepEqual([row.uuid, row.queue, row.state, row.attempts], [later, "broadcast", "scheduled", []]);
  assert.match(row.due_at, ISO);
  assert.ok(!(shown.stdout + JSON.stringify(row)).includes("hunter2"));
  assert.equal((await cli("show", "ffff")).code, 3);
});

test("result prints the result as it is, a broadcast's by node, and what failed on stderr with 1", async () => {
  const { client, cli, until } = await site();
  const long = "x".repeat(1_000);
  const done = await client.publish("examples/echo", [long, { password: "shown here" }]);
  await until(done.uuid, "completed");
  const result = await cli("result", done.uuid);
  assert.deepEqual(ended(result), { code: 0, stdout: `["${long}",{"password":"shown here"}]\n`, stderr: "" });
  const all = await client.publish("examples/add", [1, 2], { queue: "broadcast" });
  await client.waitAll(all.uuid, 20);
  assert.equal((await cli("result", all.uuid)).stdout, '{"n1":3}\n');
  const failed = await client.publish("examples/fail", ["boo"]);
  await until(failed.uuid, "discarded");
  const says = `Envelope ${failed.uuid} was discarded: RangeError: boo\n`;
  assert.deepEqual(ended(await cli("result", failed.uuid)), { code: 1, stdout: "", stderr: says });
  const gone = await client.publish("examples/add", [1, 2], { queue: "nobody" });
  await client.cancel([gone.uuid]);
  const { code, stdout, stderr } = await cli("result", gone.uuid);
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
  assert.match(stderr, new RegExp(`^Envelope ${gone.uuid} was cancelled: .+\n$`));
});

test("result of what is not final ends with 4 and says what it is", async () => {
  const { client, cli, until } = await site();
  const uuids = {
    scheduled: (await client.publish("examples/add", [1, 2], { delay: 600 })).uuid,
    available: (await client.publish("examples/add", [1, 2], { queue: "nobody" })).uuid,
    running: (await client.publish("examples/sleep", [600])).uuid,
    retryable: (await client.publish("examples/fail", [], { maxAttempts: 2 })).uuid,
  };
  await until(uuids.running, "running");
  await until(uuids.retryable, "retryable");
  for (const [state, uuid] of Object.entries(uuids)) {
    const stderr = `Envelope ${uuid} has no result yet: it is ${state}\n`;
    assert.deepEqual(ended(await cli("result", uuid)), { code: 4, stdout: "", stderr });
  }
  await client.cancel(Object.values(uuids));
});

test("result --wait follows to the outcome", async () => {
  const { client, cli } = await site();
  const { uuid } = await client.publish("examples/add", [1, 2], { delay: 0.3 });
  assert.deepEqual(ended(await cli("result", uuid, "--wait")), { code: 0, stdout: "3\n", stderr: "" });
});

test("queue list prints what stands in each queue, with tabs in a pipe and as JSON", async (t) => {
  const { client, cli } = await base(t);
  assert.deepEqual(ended(await cli("queue", "list")), { code: 0, stdout: "", stderr: "" });
  await client.publishMany([
    { task: "t", queue: "b" },
    { task: "t", queue: "b" },
    { task: "t", queue: "b", delay: 600 },
    { task: "t", queue: "a", delay: 600 },
  ]);
  const { code, stdout, stderr } = await cli("queue", "list");
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(stdout, /^a\t0\t0\t1\t0\t-\t-\tactive\nb\t2\t0\t1\t0\t\d+(\.\d)? s\t-\tactive\n$/);
  const [a, b] = ndjson((await cli("queue", "list", "--json")).stdout);
  const none = { running: 0, retryable: 0, paused: false, rate: 0 };
  assert.deepEqual(a, { queue: "a", scheduled: 1, available: 0, oldest_seconds: null, ...none });
  assert.ok(b.oldest_seconds >= 0);
  assert.deepEqual({ ...b, oldest_seconds: 0 }, {
    queue: "b",
    scheduled: 1,
    available: 2,
    oldest_seconds: 0,
    ...none,
  });
});

test("what is long or named like a secret is not shown of the arguments, in any form", async (t) => {
  const { client, cli } = await base(t);
  const args = [{ db_password: "hunter2", user: "me" }, "postgres://me:hunter2@host/db", "y".repeat(1_000)];
  const { uuid } = await client.publish("t", args);
  for (const command of [["list"], ["list", "--json"], ["show", uuid], ["show", uuid, "--json"]]) {
    const { stdout } = await cli(...command);
    assert.ok(!stdout.includes("hunter2"), command.join(" "));
    assert.ok(!stdout.includes("y".repeat(300)), command.join(" "));
    assert.ok(stdout.includes("[redacted]") && stdout.includes("postgres://me:"), command.join(" "));
  }
});

test("the node of this file drains and exits 0", async () => {
  assert.deepEqual((await site.end()).exit, { code: 0, signal: null });
});
