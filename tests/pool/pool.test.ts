import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { database, eventually, tempDir, test, type TestContext, thisRuntime } from "../harness.ts";
import { spawnCli, startNode } from "../processes.ts";
import { rig, SHIPPED } from "./rig.ts";

const TWO = { minSlots: 2, maxSlots: 2 };
const hostOf = (worker: string | null) => worker?.split(".")[0];

test("Pool runs a function, a class and what takes any number of arguments", async (t) => {
  const { run } = await rig(t, { root: SHIPPED });
  const ends = await Promise.all([
    run("examples/add", [1, 2]),
    run("examples/Adder", [1, 2]),
    run("examples/echo", [null, { a: [] }]),
  ]);
  assert.deepEqual(ends.map((end) => end.outcome), ["completed", "completed", "completed"]);
  assert.deepEqual(ends.map((end) => end.result), [3, 3, [null, { a: [] }]]);
});

test("Pool carries arguments and results of any size unchanged, large between small", async (t) => {
  const { run } = await rig(t, { root: SHIPPED });
  const texts = [
    "",
    '"\\\n\0',
    "\ud800é€😀".repeat(3_000),
    "x",
    '"'.repeat(300_000),
    "\x1e,\n".repeat(2_000),
  ];
  const ends = await Promise.all(texts.map((text, i) => run("examples/echo", [i, text])));
  assert.deepEqual(ends.map((end) => end.result), texts.map((text, i) => [i, text]));
});

test("Pool puts more slots into a host as it grows, unless it is told how many", async (t) => {
  const grown = await rig(t, { minSlots: 6, maxSlots: 6, slotsPerHost: undefined });
  const { fleet } = grown.pool;
  const sizes = [...fleet.hosts].map((host) => [host.room, fleet.on(host).length]);
  assert.deepEqual(sizes, [[4, 4], [8, 2]]);
  const told = await rig(t, { minSlots: 3, maxSlots: 3, slotsPerHost: 1 });
  assert.equal(told.pool.fleet.hosts.size, 3);
});

test("Pool keeps name, message, stack and cause of an error", async (t) => {
  const { run } = await rig(t, { root: SHIPPED });
  const { outcome, error, hopeless } = await run("examples/fail", ["on purpose"]);
  assert.equal(outcome, "failed");
  assert.equal(hopeless, undefined);
  assert.deepEqual([error.name, error.message], ["RangeError", "on purpose"]);
  assert.match(error.stack!, /examples\/fail\.ts:\d+:\d+/);
  assert.deepEqual([error.cause!.name, error.cause!.message], ["TypeError", "because it was asked to"]);
  assert.match(error.cause!.stack!, /examples\/fail\.ts/);
});

test("Pool passes kwargs as a last object argument, and none when they are empty", async (t) => {
  const { run } = await rig(t, { root: SHIPPED });
  assert.deepEqual((await run("examples/echo", [1], { kwargs: '{"b":2}' })).result, [1, { b: 2 }]);
  assert.deepEqual((await run("examples/echo", [], { kwargs: '{"b":2}' })).result, [{ b: 2 }]);
  assert.deepEqual((await run("examples/echo", [1], { kwargs: "{}" })).result, [1]);
});

test("Pool gives a bound task its context", async (t) => {
  const { run } = await rig(t);
  const end = await run("context", ["x"], { attempt: 4 });
  const { uuid } = end.claimed;
  assert.deepEqual(end.result, { uuid, attempt: 4, workerId: end.worker, aborted: false, args: ["x"] });
  const origin = "0197f000-0000-7000-8000-000000000001";
  const copy = await run("context", [], { origin });
  assert.equal((copy.result as { uuid: string }).uuid, origin);
});

test("Pool runs a task with the arguments as its schema leaves them", async (t) => {
  const { run } = await rig(t);
  assert.equal((await run("checked", [" ab ", 2])).result, "abab");
});

test("Pool refuses arguments that do not fit the schema, and no attempt more", async (t) => {
  const { run } = await rig(t);
  const { outcome, error, hopeless, policy } = await run("checked", ["a", 0]);
  assert.equal(outcome, "failed");
  assert.deepEqual([hopeless, policy?.maxAttempts], [true, 5]);
  assert.equal(error.name, "ArgumentsError");
  assert.match(error.message, /^Arguments of "checked" do not fit its schema: args\[1\] 0: /);
});

test("Pool ends a task at the task's own timeout", async (t) => {
  const { run } = await rig(t, { abortGrace: 10 });
  const { outcome, error } = await run("waits#short");
  assert.equal(outcome, "failed");
  assert.deepEqual(error, { name: "TimeoutError", message: "Ran longer than 0.2 s" });
});

test("Pool lets the timeout of the message go before the task's", async (t) => {
  const { run } = await rig(t, { abortGrace: 10 });
  const { error } = await run("waits#short", [], { timeout: 0.1 });
  assert.equal(error.message, "Ran longer than 0.1 s");
});

const THROWN = {
  text: 'Thrown value is not an Error: "just a text"',
  nothing: "Thrown value is not an Error: null",
  missing: "Thrown value is not an Error: undefined",
  trap: "Thrown value cannot be described",
};
test("Pool makes an error of whatever is thrown", async (t) => {
  const { run } = await rig(t);
  for (const [name, message] of Object.entries(THROWN)) {
    const { outcome, error } = await run(`throws#${name}`);
    assert.deepEqual([outcome, error], ["failed", { name: "Error", message }]);
  }
  const { error } = await run("throws#coded");
  assert.deepEqual([error.name, error.message, error.code], ["TypeError", "with a code", "E_CODE"]);
});

/** Run a task that breaks its thread beside one that waits; the host and the sibling must go on. */
async function besideSibling(t: TestContext, task: string) {
  const made = await rig(t, TWO);
  const open = join(tempDir(), "open");
  const sibling = made.run("waits#gate", [open]);
  await eventually(() => made.progress.length > 0);
  const end = await made.run(task);
  const next = await made.run("context");
  assert.equal(hostOf(next.worker), hostOf(end.worker), "the host went on");
  writeFileSync(open, "");
  const { outcome, worker } = await sibling;
  assert.deepEqual([outcome, hostOf(worker)], ["completed", hostOf(end.worker)]);
  assert.equal(made.pool.totals.crashed, 0);
  return { ...made, end };
}

for (const [task, message] of [["rejection", /nobody listens/], ["thrown", /thrown by a timer/]] as const) {
  test(`Pool charges an error past the task's promise to its attempt alone: ${task}`, async (t) => {
    const { end } = await besideSibling(t, `stray#${task}`);
    assert.equal(end.outcome, "failed");
    assert.equal(end.error.name, "RangeError");
    assert.match(end.error.message, message);
  });
}

test("Pool never takes the end that the runtime makes after an uncaught error for an exit of the task", async (t) => {
  const { run } = await rig(t, TWO);
  const ends = await Promise.all(Array.from({ length: 8 }, () => run("stray#thrown")));
  // While threads take their time to start, what waits for one goes back; it has not run.
  const ran = ends.filter(({ outcome }) => outcome !== "released");
  assert.deepEqual(new Set(ran.map(({ error }) => error.name)), new Set(["RangeError"]));
});

test("Pool contains a stack overflow", async (t) => {
  const { end } = await besideSibling(t, "stray#overflow");
  assert.deepEqual([end.outcome, end.error.name], ["failed", "RangeError"]);
});

test("Pool keeps the result of a task that throws after its return, and replaces its worker", async (t) => {
  const { pool, run, ends } = await rig(t);
  const end = await run("stray#afterwards");
  assert.deepEqual([end.outcome, end.result], ["completed", "returned"]);
  await eventually(() => !pool.fleet.slots.has(Number(end.worker!.split(".")[1])));
  const next = await run("context");
  assert.equal(next.outcome, "completed");
  assert.notEqual(next.worker, end.worker);
  assert.equal(ends.length, 2);
});

const EXITS: Record<string, string> = {
  byProcess: "process.exit(3)",
  byImport: thisRuntime() === "deno" ? "Deno.exit(3)" : "process.exit(3)",
  caught: "process.exit(3)",
  later: "process.exit(3)",
  ...(thisRuntime() === "deno" ? { byDeno: "Deno.exit(3)", byClose: "close()" } : {}),
};
for (const [task, call] of Object.entries(EXITS)) {
  test(`Pool fails the attempt alone that ends its worker: ${task}`, async (t) => {
    const { end } = await besideSibling(t, `exits#${task}`);
    assert.equal(end.outcome, "failed");
    assert.deepEqual(end.error, { name: "WorkerExit", message: `The task called ${call}` });
  });
}

test("Pool takes no notice of what a task posts to the owner of its thread", async (t) => {
  const { end, ends } = await besideSibling(t, "stray#posts");
  assert.deepEqual([end.outcome, end.result], ["completed", "posted"]);
  assert.equal(new Set(ends).size, ends.length);
});

for (
  const [task, why] of [["big", /result\.deep\[0\] is a BigInt/], [
    "cycle",
    /result\.self is a reference/,
  ]] as const
) {
  test(`Pool fails a result that JSON cannot carry, and no attempt more: ${task}`, async (t) => {
    const { run } = await rig(t);
    const { outcome, error, hopeless } = await run(`results#${task}`);
    assert.deepEqual([outcome, hopeless, error.name], ["failed", true, "ResultError"]);
    assert.match(error.message, why);
    assert.match(error.message, new RegExp(`result of "results#${task}"`));
  });
}

test("Pool takes undefined as null, and a Date as JSON writes it", async (t) => {
  const { run } = await rig(t);
  const nothing = await run("results#nothing");
  assert.deepEqual([nothing.outcome, nothing.text], ["completed", "null"]);
  assert.equal((await run("results#date")).result, "1970-01-01T00:00:00.000Z");
});

test("Pool tells the first progress at once, and the last one at the end", async (t) => {
  const { run, progress } = await rig(t);
  const end = await run("context#counts", [500]);
  assert.deepEqual(progress.at(0)!.value, { at: 1 });
  assert.deepEqual(progress.at(-1)!.value, { at: 500 });
  assert.deepEqual(JSON.parse(end.progress!), { at: 500 });
  assert.ok(progress.length < 50, `${progress.length} of 500 were sent`);
});

test("Pool tells the last of two progresses while the task goes on", async (t) => {
  const { run, progress } = await rig(t);
  const open = join(tempDir(), "open");
  const end = run("waits#reports", [open]);
  await eventually(() => assert.deepEqual(progress.map(({ value }) => value), ["first", "second"]));
  writeFileSync(open, "");
  assert.equal((await end).outcome, "completed");
});

test("Pool keeps the error of a module that does not load", async (t) => {
  const { run } = await rig(t);
  for (let i = 0; i < 2; i++) {
    const { outcome, error } = await run("broken");
    assert.equal(outcome, "failed");
    assert.deepEqual([error.name, error.message], ["SyntaxError", "this module is broken"]);
    assert.equal(error.cause?.message, "on purpose");
  }
});

test("Pool keeps the error of a module that does not parse", async (t) => {
  const root = tempDir();
  writeFileSync(join(root, "odd.ts"), "export default = 1;\n");
  const { run } = await rig(t, { root });
  const { outcome, error } = await run("odd");
  assert.equal(outcome, "failed");
  assert.match(`${error.name}: ${error.message}`, /odd\.ts|SyntaxError|Unexpected/);
});

test("Pool passes on what a task prints, line by line, and takes none of it for a message", async (t) => {
  const { run, output, ends } = await rig(t);
  assert.equal((await run("prints")).result, "printed");
  await eventually(() => {
    for (const line of ["a line on stdout", "a line on stderr", "half a line, and its end"]) {
      assert.ok(output.includes(line), `${line} in ${JSON.stringify(output)}`);
    }
    assert.ok(output.some((line) => line.startsWith('["ended",1,')));
  });
  assert.equal(ends.length, 1);
});

test("Pool carries a megabyte of arguments there and back", async (t) => {
  const { run } = await rig(t, { root: SHIPPED });
  const args = ["é".repeat(500_000), Array.from({ length: 10_000 }, (_, i) => i)];
  const { outcome, result } = await run("examples/echo", args);
  assert.equal(outcome, "completed");
  assert.deepEqual(result, args);
});

test("Pool carries NUL, unpaired surrogates and line breaks unchanged", async (t) => {
  const { run } = await rig(t, { root: SHIPPED });
  const odd = ["\u0000", "\ud800", "a\udfffb", "\n\r\u2028\u2029", "\u{1f600}", '"\\'];
  const { text } = await run("examples/echo", odd);
  assert.deepEqual(JSON.parse(text!), odd);
  const failed = await run("examples/fail", ["\u0000\ud800\n"]);
  assert.equal(failed.error.message, "\u0000\ud800\n");
  const indented = await run("examples/echo", [], { args: '[\n  "a",\n  "b" ]', kwargs: '\n{ "c": 1 }\n' });
  assert.deepEqual(indented.result, ["a", "b", { c: 1 }]);
});

test("a task file anywhere imports edge-dispatcher by its bare name", async (t) => {
  const db = await database();
  t.after(() => db.drop());
  const tasks = join(tempDir(), "my tasks");
  mkdirSync(join(tasks, "deep"), { recursive: true });
  writeFileSync(
    join(tasks, "deep", "triple.ts"),
    `import { task } from "edge-dispatcher";\nexport default task((x: number): number => 3 * x);\n`,
  );
  const cwd = tempDir();
  const node = await startNode({ url: db.url, cwd, args: ["--tasks", tasks, "--workers", "1"] });
  t.after(() => node.stop());
  const done = await spawnCli(["publish", "deep/triple", "14", "--wait", "--database-url", db.url], { cwd });
  assert.equal(done.code, 0, done.stderr);
  assert.equal(done.stdout.trim().split("\n").at(-1), "42");
});
