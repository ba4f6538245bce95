/** What tasks print: kept with their attempts, bounded, shown, followed. */
import assert from "node:assert/strict";
import { WRITTEN } from "../fixtures/written.ts";
import { eventually, test } from "../harness.ts";
import { spawnCli } from "../processes.ts";
import { FIXTURES } from "./cluster.ts";
import { ended, environment, ndjson, sharedSite } from "./site.ts";

const args = ["--node", "n1", "--workers", "2", "--tasks", FIXTURES];
const site = sharedSite(args, { DISPATCHER_OUTPUT_LINES: "50" });

const texts = (lines: { text: string }[]) => lines.map(({ text }) => text);

test("logs prints what an attempt printed and said, in order, with its level, and no secret", async () => {
  const made = await site();
  const { uuid } = await made.client.publish("says", [], { guid: "g-1" });
  await made.until(uuid, "completed");
  const lines = await eventually(async () => {
    const found = await made.client.logs(uuid);
    return found.length === 9 && found;
  });
  assert.deepEqual(lines && lines.map(({ level, text }) => `${level} ${text}`), [
    "info count 1 of { a: [ 1, 2 ] }",
    "debug quiet",
    "warning two",
    "warning lines",
    "error broken",
    "info group",
    "info   inside",
    "info postgres://me:[redacted]@host/db password=[redacted] NUL:\\u0000",
    "warning said",
  ]);
  const { stdout, code } = await made.cli("logs", uuid.slice(0, 13) + uuid.slice(13));
  assert.equal(code, 0);
  assert.match(stdout.split("\n")[0], /^\d{4}-\S+Z INFO {4}count 1 of \{ a: \[ 1, 2 \] \}$/);
  const [first] = ndjson((await made.cli("logs", uuid, "--json")).stdout);
  assert.deepEqual({ ...first, at: null }, {
    uuid,
    fence: 1,
    seq: 1,
    attempt: 1,
    node: "n1",
    at: null,
    level: "info",
    text: "count 1 of { a: [ 1, 2 ] }",
  });
  const told = new RegExp(
    `^\\S+Z INFO {4}count 1 of .* uuid=${uuid} guid=g-1 task=says attempt=1 node=n1$`,
    "m",
  );
  assert.match(made.node.stderr(), told);
});

test("what is written to standard output and error is kept as what is printed is, and once in the node's log", async () => {
  const made = await site();
  const { uuid } = await made.client.publish("writes", []);
  await made.until(uuid, "completed");
  const lines = await eventually(async () => {
    const found = await made.client.logs(uuid);
    return found.length === WRITTEN.length && found;
  });
  assert.deepEqual(
    lines && lines.map(({ level, text }) => `${level} ${text}`),
    WRITTEN.map((line) => line.replace("hunter2", "[redacted]")),
  );
  const told = made.node.stderr().split("\n").filter((line) => line.includes(`uuid=${uuid}`));
  for (const text of ["and a third", "by console", "on stderr, in pieces", "[redacted] and no end"]) {
    assert.equal(told.filter((line) => line.includes(text)).length, 1, text);
  }
  assert.ok(!made.node.stderr().split("\n").some((line) => /in pieces$/.test(line)), "without its attempt");
});

test("what is over the bound is counted and not kept", async () => {
  const made = await site();
  const { uuid } = await made.client.publish("says#much", [5_000]);
  await made.until(uuid, "completed");
  const lines = await eventually(async () => {
    const found = texts(await made.client.logs(uuid));
    return found.length === 51 && found;
  });
  assert.ok(lines);
  assert.equal(lines[49], "line 50");
  assert.equal(lines[50], "4950 more lines were cut");
});

test("each attempt has its own lines, and --attempt shows those of one", async () => {
  const made = await site();
  const { uuid } = await made.client.publish("says#twice", []);
  await made.until(uuid, "completed");
  await eventually(async () => assert.equal((await made.client.logs(uuid)).length, 2));
  assert.deepEqual(texts(await made.client.logs(uuid, { attempt: 2 })), ["attempt 2"]);
  const { stdout } = await made.cli("logs", uuid, "--attempt", "1");
  assert.match(stdout, /^\S+Z INFO {4}attempt 1\n$/);
  assert.equal((await made.cli("logs", uuid, "--attempt", "0")).code, 2);
  const [first, second] = await made.client.logs(uuid);
  assert.deepEqual(texts(await made.client.logs(uuid, { after: first })), [second.text]);
});

test("logs -f prints lines as they come and ends with the envelope", async () => {
  const made = await site();
  const { uuid } = await made.client.publish("says#waits", []);
  let seen = "";
  const following = spawnCli(["logs", uuid, "-f"], {
    env: environment(made.url),
    printed: (text) => seen += text,
  });
  await eventually(() => seen.includes("begun"), { within: 20_000 });
  await made.client.cancel([uuid]);
  const { code, stdout } = await following;
  assert.equal(code, 0);
  assert.deepEqual(stdout.trimEnd().split("\n").map((line) => line.split("    ")[1]), [
    "begun",
    "told to end",
  ]);
});

test("logs of what printed nothing says so on stderr; of what is not there it exits 3", async () => {
  const made = await site();
  const { uuid } = await made.client.publish("results", []);
  assert.deepEqual(ended(await made.cli("logs", uuid)), {
    code: 0,
    stdout: "",
    stderr: `Nothing was printed by ${uuid}\n`,
  });
  assert.equal((await made.cli("logs", "00000000-0000-7000-8000-000000000000")).code, 3);
});

test("the node of this file exits 0, and its log has no secret", async () => {
  const { exit, output } = await site.end();
  assert.deepEqual(exit, { code: 0, signal: null });
  assert.ok(!output.includes("hunter2"));
});
