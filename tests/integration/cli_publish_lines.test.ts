import assert from "node:assert/strict";
import { test } from "../harness.ts";
import { base, ended, UUID } from "./site.ts";

const UUIDS = new RegExp(`^(${UUID}\n)*$`);

test("publish - publishes a line each of 5,000 and prints their uuids in order", async (t) => {
  const { cliWith, client } = await base(t);
  const calls = Array.from(
    { length: 5_000 },
    (_, i) => JSON.stringify({ task: "examples/add", args: [i, 1] }),
  );
  const { code, stdout, stderr } = await cliWith(["publish", "-"], { stdin: calls.join("\n") });
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.match(stdout, UUIDS);
  const uuids = stdout.trimEnd().split("\n");
  assert.equal(new Set(uuids).size, 5_000);
  const rows = new Map((await client.list({ limit: 5_000 })).map((row) => [row.uuid, row.args]));
  assert.deepEqual(uuids.map((uuid) => rows.get(uuid)), calls.map((call) => JSON.parse(call).args));
});

test("publish - names every bad line by its number, publishes the others and exits 1", async (t) => {
  const { cliWith, client } = await base(t);
  const lines: [line: string, says?: RegExp][] = [
    ['{"task": "examples/add", "args": [0]}'],
    ["not json", /^Line 2: Cannot read line "not json" as JSON/],
    [""],
    ["[1]", /^Line 4: Cannot read line: it is not an object$/],
    ["null", /^Line 5: Cannot read line: it is not an object$/],
    ['{"args": [1]}', /^Line 6: Cannot publish a task named undefined: the name is blank$/],
    ['{"task": 5}', /^Line 7: Cannot publish a task named 5: the name is blank$/],
    ['{"task": "t", "args": {"a": 1}}', /^Line 8: Cannot publish "t": args is .+, not an array$/],
    ['{"task": "t", "queue": ""}', /^Line 9: Cannot use "" as a queue: the name is blank$/],
    ['{"task": "t", "colour": "red"}', /^Line 10: Cannot publish "t": .*colour/],
    ['{"task": "t", "uuid": "0199"}', /^Line 11: Cannot publish "t": uuid "0199": it is not a UUID$/],
    ['{"task": "t", "on_duplicate": "never"}', /^Line 12: Cannot publish "t": onDuplicate "never": .+$/],
    ['  {"task": "examples/add", "args": [1]}  \r'],
    ['{"task": "examples/add", "args": [2]}'],
  ];
  const stdin = lines.map(([line]) => line).join("\n");
  const { code, stdout, stderr } = await cliWith(["publish", "-"], { stdin });
  assert.equal(code, 1);
  assert.equal(stdout.trimEnd().split("\n").length, 3);
  const wanted = lines.flatMap(([, says]) => says ?? []);
  const said = stderr.trimEnd().split("\n").sort((a, b) =>
    Number(a.split(/\W/)[1]) - Number(b.split(/\W/)[1])
  );
  assert.equal(said.length, wanted.length, stderr);
  wanted.forEach((says, i) => assert.match(said[i], says));
  const args = (await client.list()).map((row) => row.args).sort();
  assert.deepEqual(args, [[0], [1], [2]]);
});

test("publish - takes every option of an envelope", async (t) => {
  const { cliWith, client } = await base(t);
  const uuid = "11111111-2222-4333-8444-555555555555";
  const call = { task: "t", args: [1], kwargs: { a: 1 }, queue: "q", timeout: 2.5, delay: 60, priority: -1 };
  const stdin = JSON.stringify({ ...call, max_attempts: 3, uuid, guid: "g", time_pub: 1795498750.08 });
  const { code, stdout, stderr } = await cliWith(["publish", "-"], { stdin });
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `${uuid}\n`, stderr: "" });
  const [row] = await client.list();
  assert.deepEqual(
    [row.args, row.kwargs, row.queue, row.timeout, row.priority, row.max_attempts, row.state],
    [
      [1],
      { a: 1 },
      "q",
      2.5,
      -1,
      3,
      "scheduled",
    ],
  );
  assert.equal(row.options.guid, "g");
});

test("publish - says of a uuid that it is known, within one run and in a later one, and exits 0", async (t) => {
  const { cliWith, client } = await base(t);
  const uuid = "11111111-2222-4333-8444-555555555555";
  const line = (n: number) => JSON.stringify({ task: "t", args: [n], uuid });
  const known = `Already known: ${uuid} (nothing was published)\n`;
  const first = await cliWith(["publish", "-"], { stdin: `${line(1)}\n${line(2)}\n` });
  assert.deepEqual(ended(first), { code: 0, stdout: `${uuid}\n${uuid}\n`, stderr: known });
  const second = await cliWith(["publish", "-"], { stdin: line(3) });
  assert.deepEqual(ended(second), { code: 0, stdout: `${uuid}\n`, stderr: known });
  assert.deepEqual((await client.list()).map((row) => row.args), [[1]]);
});

test("publish - of nothing publishes nothing and exits 0", async (t) => {
  const { cliWith } = await base(t);
  for (const stdin of ["", "\n", "  \n\n"]) {
    assert.deepEqual(ended(await cliWith(["publish", "-"], { stdin })), { code: 0, stdout: "", stderr: "" });
  }
});

test("publish - refuses flags and words that would be lost", async (t) => {
  const { cliWith, client } = await base(t);
  for (const [odd, args] of [["--queue", ["--queue", "q"]], ["--wait", ["--wait"]], ["1", ["1"]]] as const) {
    const result = await cliWith(["publish", "-", ...args], { stdin: '{"task": "t"}' });
    const stderr = `Cannot use ${odd} together with -: each line has its own fields\n`;
    assert.deepEqual(ended(result), { code: 2, stdout: "", stderr });
  }
  assert.equal((await client.list()).length, 0);
});

test("publish - says of what an equal one stands for that it was not published", async (t) => {
  const { cliWith, client } = await base(t);
  const first = await client.publish("t", [1], { queue: "nobody", onDuplicate: "discard" });
  const line = (n: number) =>
    JSON.stringify({ task: "t", args: [n], queue: "nobody", on_duplicate: "discard" });
  const { code, stdout, stderr } = await cliWith(["publish", "-"], { stdin: `${line(1)}\n${line(2)}\n` });
  assert.equal(code, 0);
  assert.match(stdout, UUIDS);
  assert.equal(stderr, `Duplicate of ${first.uuid} (nothing was published)\n`);
  assert.deepEqual((await client.list()).map((row) => row.args).sort(), [[1], [2]]);
});

test("publish - keeps 7,999, 8,000, 8,001 and 1,000,000 bytes of arguments, NUL and lone surrogates", async (t) => {
  const { cliWith, client } = await base(t);
  const sizes = [7_999, 8_000, 8_001, 1_000_000].map((size) => ["x".repeat(size - 4)]);
  const args = [...sizes, ["\u0000", "\ud800", "a\udfff", "\u{1f600}", '"\\', "\u2028"]];
  const stdin = args.map((args) => JSON.stringify({ task: "t", args, kwargs: { "\u0000": "\ud83d" } })).join(
    "\n",
  );
  const { code, stdout, stderr } = await cliWith(["publish", "-"], { stdin });
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  const rows = new Map((await client.list()).map((row) => [row.uuid, row]));
  const kept = stdout.trimEnd().split("\n").map((uuid) => rows.get(uuid)!);
  assert.deepEqual(kept.map((row) => row.args), args);
  for (const row of kept) assert.deepEqual(row.kwargs, { "\u0000": "\ud83d" });
});
