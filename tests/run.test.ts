// @runtimes deno
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Runtime, runtimes, tempDir, test } from "./harness.ts";
import { findTestFiles, runtimesOf } from "./runner/files.ts";
import { findLeftovers } from "./runner/leftovers.ts";
import { type FileResult, runFile } from "./runner/run_file.ts";
import { summarise } from "./runner/summary.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const all = Object.keys(runtimes()) as Runtime[];
const names = (notes: { name: string }[]) => notes.map((note) => note.name);

/** Below the id of the run, if there is one, so that what this leaves is found even if this file is killed. */
const runId = (fixture: string, runtime: Runtime) =>
  `${process.env.TEST_RUN_ID ?? `edge-self-${process.pid}`}.${fixture}-${runtime}`;

function run(
  fixture: string,
  runtime: Runtime,
  { timeout = 30_000, grace }: { timeout?: number; grace?: number } = {},
): Promise<FileResult> {
  return runFile({
    runtime,
    binary: runtimes()[runtime],
    path: `tests/fixtures/${fixture}.ts`,
    cwd: ROOT,
    env: {},
    report: join(tempDir(), "report.jsonl"),
    runId: runId(fixture, runtime),
    timeout,
    grace,
  });
}

for (const runtime of all) {
  test(`runFile() on ${runtime} counts passed, failed and skipped tests`, async () => {
    const result = await run("mixed", runtime);
    assert.equal(result.passed, 3);
    assert.deepEqual(names(result.failed), ["fails", "fails later", "times out"]);
    assert.deepEqual(result.skipped, [{ name: "is skipped", detail: "no moon" }]);
    assert.match(result.failed[0].detail, /1 !== 2/);
    assert.match(result.failed[1].detail, /Error: later/);
    assert.match(result.failed[2].detail, /timed out after 100 ms/);
    assert.match(result.output, /cleaned up after true/);
  });

  test(`runFile() on ${runtime} fails what did not run when the process ends early`, async () => {
    const result = await run("exits", runtime);
    assert.equal(result.passed, 1);
    assert.deepEqual(names(result.failed), ["exits", "never runs"]);
    assert.match(result.failed[0].detail, /did not end \(killed by SIGKILL\)/);
  });

  test(`runFile() on ${runtime} fails a file that throws at its top level`, async () => {
    const result = await run("top_level", runtime);
    assert.equal(result.failed.length, 1);
    assert.match(result.output, /at the top/);
  });

  test(`runFile() on ${runtime} fails a file with an error outside of its tests`, async () => {
    const result = await run("stray", runtime);
    assert.ok(result.failed.length > 0);
    assert.match(result.output + result.failed[0].detail, /too late/);
  });

  test(`runFile() on ${runtime} fails a file without a test`, async () => {
    assert.equal((await run("empty", runtime)).failed.length, 1);
  });

  const noProc = process.platform !== "linux" && "needs /proc";
  test(`runFile() on ${runtime} names and kills what a test leaves running`, { skip: noProc }, async () => {
    const result = await run("leftover", runtime, { grace: 100 });
    assert.equal(result.passed, 1);
    assert.deepEqual(names(result.failed), ["(left running)"]);
    assert.match(result.failed[0].detail, /^process \d+: .*sleep 333$/);
    assert.deepEqual(findLeftovers(runId("leftover", runtime)), []);
  });
}

test("runFile() kills a file that hangs", async () => {
  const results = await Promise.all(all.map((runtime) => run("hangs", runtime, { timeout: 4_000 })));
  for (const { runtime, passed, failed } of results) {
    assert.equal(passed, 1, runtime);
    assert.deepEqual(failed, [{ name: "hangs", detail: "did not end (hung: killed after 4 s)" }], runtime);
  }
});

test("summarise() sums up over runtimes and ends with the count line", () => {
  const base = { path: "tests/a.test.ts", ms: 1, output: "" };
  const skipped = [{ name: "c", detail: "no moon" }];
  const { text, ok } = summarise([
    { ...base, runtime: "deno", passed: 2, failed: [], skipped },
    { ...base, runtime: "bun", passed: 1, failed: [{ name: "b", detail: "\nError: x\n  at y" }], skipped },
  ], [{ name: "(left running)", detail: "process 1: sleep" }]);
  assert.equal(ok, false);
  assert.ok(text.endsWith("\n3 passed, 2 failed, 2 skipped"), text);
  assert.match(text, /^ {2}bun tests\/a\.test\.ts › b: Error: x$/m);
  assert.match(text, /^ {2}deno,bun tests\/a\.test\.ts › c: no moon$/m);
});

test("summarise() says where screenshots are, before the count line", () => {
  const one: FileResult = {
    path: "a",
    runtime: "node",
    ms: 1,
    output: "",
    passed: 1,
    failed: [],
    skipped: [],
  };
  assert.match(
    summarise([one], [], "/x/artifacts").text,
    /\n\nScreenshots:\n {2}\/x\/artifacts\n\n1 passed, 0 failed, 0 skipped$/,
  );
  assert.ok(!summarise([one], []).text.includes("Screenshots"));
});

test("summarise() fails a run without a test", () => {
  assert.deepEqual(summarise([], []).ok, false);
  assert.ok(summarise([], []).text.endsWith("\n0 passed, 1 failed, 0 skipped"));
});

test("runtimesOf() reads the convention from the first lines", () => {
  assert.deepEqual(runtimesOf("import x;\n"), ["deno", "bun", "node"]);
  assert.deepEqual(runtimesOf("/** Doc. */\n// @runtimes node, deno\n"), ["deno", "node"]);
  assert.throws(() => runtimesOf("// @runtimes demo\n"), /unknown runtime demo/);
});

test("findTestFiles() takes patterns with and without a star, and no fixture", () => {
  const found = (...patterns: string[]) => findTestFiles(ROOT, patterns).map((file) => file.path);
  assert.deepEqual(found("tests/run.test.ts"), ["tests/run.test.ts"]);
  assert.ok(found("h*ness", "run.test").includes("tests/harness.test.ts"));
  assert.ok(!found().some((path) => path.includes("fixtures")));
});
