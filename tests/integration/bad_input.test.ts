/** What is wrong is said with its value, kept where it was published, and harms nobody else. */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tempDir, test } from "../harness.ts";
import { base, cli, nodeFor, sharedSite } from "./site.ts";

const FIXTURES = fileURLToPath(new URL("../fixtures/tasks", import.meta.url));
const site = sharedSite(["--node", "bad-1", "--workers", "2", "--tasks", FIXTURES]);

/** What `publish()` refuses at once: nothing reaches the database. */
const CYCLE: unknown[] = [];
CYCLE.push(CYCLE);
const ARGS: [string, unknown, RegExp][] = [
  ["a BigInt", [1, 10n], /args\[1\] is a BigInt \(10n\), which JSON cannot carry/],
  [
    "a Date",
    [{ at: new Date(0) }],
    /args\[0\]\.at is a Date, which JSON cannot carry: pass date\.toISOString\(\)/,
  ],
  ["undefined", [undefined], /args\[0\] is undefined/],
  ["NaN", [NaN], /args\[0\] is NaN/],
  ["a function", [() => 1], /args\[0\] is a function/],
  ["a Map", [new Map()], /args\[0\] is a Map/],
  ["a cycle", CYCLE, /args\[0\] is a reference to a value that contains it/],
  ["no array", { 0: 1 }, /args is object, not an array/],
];
for (const [what, args, why] of ARGS) {
  test(`publish() refuses ${what} in args by its path`, async () => {
    const { client, sql } = await site();
    const before = await sql`select count(*)::int n from dispatcher.envelope`;
    const sent = client.publish("keeps", args as unknown[]);
    await assert.rejects(sent, (error: Error & { code: string }) => {
      assert.equal(error.code, "invalid_args");
      assert.match(error.message, /^Cannot publish "keeps": /);
      assert.match(error.message, why);
      return true;
    });
    assert.deepEqual(await sql`select count(*)::int n from dispatcher.envelope`, before);
  });
}

const OPTIONS: [string, object, string, RegExp][] = [
  ["a blank queue", { queue: " " }, "invalid_queue", /Cannot use " " as a queue: the name is blank/],
  [
    "a queue of 64 bytes",
    { queue: "ü".repeat(32) },
    "invalid_queue",
    /the name has 64 bytes, at most 63 are allowed/,
  ],
  ["a uuid that is none", { uuid: "0199" }, "invalid_envelope", /uuid "0199"/],
  ["a negative delay", { delay: -1 }, "invalid_envelope", /delay -1/],
  ["a timeout of 0", { timeout: 0 }, "invalid_envelope", /timeout 0/],
  ["a priority out of range", { priority: 40_000 }, "invalid_envelope", /priority 40000/],
  ["an option that is none", { prioritee: 1 }, "invalid_envelope", /prioritee/],
];
for (const [what, options, code, why] of OPTIONS) {
  test(`publish() refuses ${what} by its value`, async () => {
    const { client } = await site();
    await assert.rejects(client.publish("keeps", [], options), { code, message: why });
  });
}

test("a queue of 63 bytes is none too long", async () => {
  const { client, row } = await site();
  const queue = "q".repeat(63);
  assert.equal((await row((await client.publish("keeps", [], { queue })).uuid)).queue, queue);
});

for (const size of [7_999, 8_000, 8_001, 1_000_000]) {
  test(`arguments of ${size} bytes arrive as they were sent`, async (t) => {
    const made = await base(t);
    await nodeFor(t, made.url, ["--workers", "1", "--node", "echo"]);
    const text = "x".repeat(size - 4);
    const sent = await made.client.publish("examples/echo", [text]);
    assert.deepEqual(await sent.result(), [text]);
  });
}

test("NUL, unpaired surrogates and every kind of quote arrive as they were sent", async (t) => {
  const made = await base(t);
  await nodeFor(t, made.url, ["--workers", "1", "--node", "echo"]);
  const args = ["\0", "\ud800", "\udfff", "a\ud83d", "'\"`\\", "{},\n\r\t", "😀", "", "$1", "\u2028"];
  const kwargs = { "\0": "\0", "": null };
  const sent = await made.client.publish("examples/echo", args, { kwargs });
  assert.deepEqual(await sent.result(), [...args, kwargs]);
  assert.deepEqual((await made.row(sent.uuid)).kwargs, kwargs);
});

/** What only the worker can tell: it is discarded, with the reason, and never imported. */
const TASKS: [string, RegExp][] = [
  ["../../examples/add", /'\.\.\/\.\.\/examples\/add' is not a valid task/],
  ["/etc/passwd", /'\/etc\/passwd' is not a valid task/],
  ["file:///etc/passwd", /is not a valid task/],
  ["https://example.org/x", /is not a valid task/],
  ["a\\b", /is not a valid task/],
  ["a/%2e%2e/b", /is not a valid task/],
  ["nowhere", /'nowhere' is not a valid task: no file nowhere\.ts under the tasks root/],
  ["keeps#nothing", /export nothing of keeps is not made by task\(\)/],
];
for (const [task, why] of TASKS) {
  test(`an envelope for "${task}" is discarded at its first attempt, with the reason`, async () => {
    const { client, until } = await site();
    const { uuid } = await client.publish(task, [], { maxAttempts: 5 });
    const row = await until(uuid, "discarded");
    assert.equal(row.error!.name, "UnknownTaskError");
    assert.match(row.error!.message, why);
    assert.deepEqual(row.attempts.map(({ attempt, outcome, node }) => [attempt, outcome, node]), [[
      1,
      "discarded",
      "bad-1",
    ]]);
  });
}

test("a link that leaves the tasks root, and a path that is not allowed, are refused and not imported", async (t) => {
  const made = await base(t);
  const outside = tempDir();
  const root = join(tempDir(), "tasks");
  mkdirSync(join(root, "system"), { recursive: true });
  const touched = join(outside, "touched");
  const source = `import { writeFileSync } from "node:fs"; import { task } from "edge-dispatcher";
    writeFileSync(${JSON.stringify(touched)}, "imported"); export default task(() => 1);`;
  writeFileSync(join(outside, "evil.ts"), source);
  writeFileSync(join(root, "top.ts"), source);
  symlinkSync(join(outside, "evil.ts"), join(root, "system", "link.ts"));
  const config = join(outside, "config.json");
  writeFileSync(config, JSON.stringify({ task_allow: ["system/"] }));
  await nodeFor(t, made.url, ["--workers", "1", "--node", "n", "--tasks", root, "--config", config]);
  const link = await made.until((await made.client.publish("system/link")).uuid, "discarded");
  assert.match(
    link.error!.message,
    /'system\/link' is not a valid task: its file lies outside the tasks root/,
  );
  const top = await made.until((await made.client.publish("top")).uuid, "discarded");
  assert.match(top.error!.message, /'top' is not a valid task: only system\/ are allowed here/);
  const { existsSync } = await import("node:fs");
  assert.ok(!existsSync(touched));
});

test("a module that does not load keeps its error on the attempt", async () => {
  const { client, until } = await site();
  const row = await until((await client.publish("broken")).uuid, "discarded");
  assert.ok(row.attempts[0].error, "on the attempt");
  assert.equal(row.attempts[0].error!.message, row.error!.message);
  assert.notEqual(row.error!.name, "UnknownTaskError");
});

test("arguments that do not fit the schema are discarded by the worker, naming path and value", async () => {
  const { client, until } = await site();
  const row = await until((await client.publish("checked", ["a", 0], { maxAttempts: 4 })).uuid, "discarded");
  assert.match(row.error!.message, /^Arguments of "checked" do not fit its schema: args\[1\] 0: /);
  assert.equal(row.attempts.length, 1);
});

const SQL: [string, string, RegExp][] = [
  ["a blank task", `select dispatcher.publish(' ')`, /Cannot publish a task named ' ': the name is blank/],
  ["args that are no array", `select dispatcher.publish('x', '{}')`, /args is object, not an array/],
  [
    "kwargs that are no object",
    `select dispatcher.publish('x', '[]', '[]')`,
    /kwargs is array, not an object/,
  ],
  ["a blank queue", `select dispatcher.publish('x', '[]', '{}', ' ')`, /Cannot use ' ' as a queue/],
  ["an unknown option", `select dispatcher.publish('x', options => '{"dely": 1}')`, /no option "dely"/],
  [
    "a uuid that is none",
    `select dispatcher.publish('x', options => '{"uuid": "7"}')`,
    /uuid '7' is not a UUID/,
  ],
  ["what is not JSON", `select dispatcher.publish('x', 'nope')`, /invalid input syntax for type json/],
];
for (const [what, statement, why] of SQL) {
  test(`dispatcher.publish() in SQL refuses ${what}`, async () => {
    const { sql } = await site();
    await assert.rejects(sql.unsafe(statement), { message: why });
  });
}

const WORDS: [string, string[], RegExp][] = [
  [
    "a word that is no JSON",
    ["publish", "keeps", "text"],
    /Cannot read argument 1 "text" as JSON: a text needs quotes/,
  ],
  ["kwargs that are no object", ["publish", "keeps", "--kwargs", "[1]"], /kwargs/],
  ["no task", ["publish"], /no task is named/],
  ["a uuid that is none", ["publish", "keeps", "--uuid", "7"], /uuid "7"/],
  ["a blank queue", ["publish", "keeps", "--queue", " "], /Cannot use " " as a queue/],
];
for (const [what, words, why] of WORDS) {
  test(`publish on the command line refuses ${what} with 2`, async () => {
    const { url } = await site();
    const { code, stdout, stderr } = await cli(url, words);
    assert.deepEqual([code, stdout], [2, ""], stderr);
    assert.match(stderr, why);
  });
}

test("the node has outlived all of it", async () => {
  const { client } = await site();
  assert.equal(
    (await client.control("alive", undefined, { channel: "bad-1", timeout: 10, expected: 1 })).length,
    1,
  );
  const { exit } = await site.end();
  assert.deepEqual(exit, { code: 0, signal: null });
});
