/** What tasks write to their standard output and error: kept with their attempts, by line, once. */
import assert from "node:assert/strict";
import { WRITTEN } from "../fixtures/written.ts";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually, tempDir, test } from "../harness.ts";
import { type Rig, rig } from "./rig.ts";

const isDeno = "Deno" in globalThis;

/** What an attempt printed, by now. */
function linesOf({ printed }: Rig, of: string): string[] {
  return printed.filter(({ uuid }) => uuid === of).map(({ level, text }) => `${level} ${text}`);
}

/** Run it, and another behind it: whatever came out of the host beside the channel has come too. */
async function linesAfter(made: Rig, task: string, args: unknown[] = []) {
  const end = await made.run(task, args);
  return { end, lines: linesOf(made, end.claimed.uuid) };
}

test("what a task writes is its attempt's, by line, each once, the last without its end", async (t) => {
  const made = await rig(t);
  const { lines } = await linesAfter(made, "writes");
  assert.deepEqual(lines, WRITTEN);
  const again = await linesAfter(made, "writes");
  assert.deepEqual(again.lines, lines);
  // Past the channel, by the pipes of the host, came nothing: they are closed first.
  await made.pool.close(AbortSignal.abort());
  assert.equal(made.output.length, 2 * lines.length, made.output.join("\n"));
});

test("what nobody writes says nothing", async (t) => {
  const made = await rig(t);
  assert.equal((await made.run("writes#nothing")).result, "silent");
  assert.deepEqual([made.printed, made.said, made.output], [[], [], []]);
});

test("write() takes text and bytes as ever, calls back, and refuses the rest", async (t) => {
  const made = await rig(t);
  const { end, lines } = await linesAfter(made, "writes#encoded");
  assert.deepEqual(lines, ["info 5 €", "info ü", "info ü", "info called", "info \ufffd"]);
  assert.deepEqual(end.result, [["returned", "first", "second"], "ERR_INVALID_ARG_TYPE", true, 1]);
});

test("what is piped into process.stdout is the attempt's, and the next one can do it again", async (t) => {
  const made = await rig(t);
  for (let i = 0; i < 2; i++) {
    const { end, lines } = await linesAfter(made, "writes#piped");
    assert.equal(end.outcome, "completed");
    assert.deepEqual(lines, ["info one", "info two", "error three", "info four"]);
  }
});

if (isDeno) {
  test("what Deno.stdout and Deno.stderr are given is the attempt's", async (t) => {
    const made = await rig(t);
    for (let i = 0; i < 2; i++) {
      const { end, lines } = await linesAfter(made, "writes#byDeno");
      assert.deepEqual(end.result, [9, 13]);
      assert.deepEqual(lines, [
        "info by write",
        "error by writeSync",
        "info by stream",
        "info by stream",
        "info no end",
      ]);
    }
  });
}

test("a line without an end is held to a bound, and its length is told", async (t) => {
  const made = await rig(t);
  const { lines } = await linesAfter(made, "writes#long", [500]);
  assert.equal(lines.length, 2);
  assert.match(lines[0], /^info (0123456789){1000}… \(500000 characters\)$/);
  assert.equal(lines[1], "info short");
});

test("what is written has the bound of what is printed", async (t) => {
  const made = await rig(t, { outputLines: 3 });
  const { lines, end } = await linesAfter(made, "writes#much", [10]);
  assert.deepEqual(lines, ["info line 1", "info line 2", "info line 3"]);
  assert.deepEqual(made.said, [{
    uuid: end.claimed.uuid,
    level: "warning",
    text: "7 more lines were cut",
  }]);
});

test("with output_lines 0 what is written is the host's alone", async (t) => {
  const made = await rig(t, { outputLines: 0 });
  await made.run("writes#much", [2]);
  await eventually(() => assert.deepEqual(made.output, ["line 1", "line 2"]));
  assert.deepEqual(made.printed, []);
});

test("what a child process writes is the host's", async (t) => {
  const made = await rig(t);
  const { lines } = await linesAfter(made, "writes#child");
  assert.deepEqual(lines, ["info own"]);
  await eventually(() => assert.deepEqual(made.output.toSorted(), ["of a child", "own"]));
});

test("what hooks write while nothing runs is the host's", async (t) => {
  const hooks = join(tempDir(), "hooks.ts");
  writeFileSync(hooks, `export function onStart() { process.stdout.write("started\\n"); }\n`);
  const made = await rig(t, { hooks });
  await eventually(() => assert.deepEqual(made.output, ["started"]));
  assert.deepEqual((await linesAfter(made, "writes#much", [1])).lines, ["info line 1"]);
  assert.deepEqual(made.printed.length, 1);
});

for (const how of ["throw", "exit", "error"]) {
  test(`a line that was begun is there when the attempt ends by ${how}`, async (t) => {
    const made = await rig(t);
    const { end, lines } = await linesAfter(made, "writes#broken", [how, ""]);
    assert.equal(end.outcome, "failed");
    assert.deepEqual(lines, [`info before ${how}`]);
  });
}

test("a line that was begun is there when the attempt is killed", async (t) => {
  const made = await rig(t);
  const end = made.run("writes#broken", ["kill", join(tempDir(), "never")], { timeout: 0.3 });
  const { outcome, claimed, error } = await end;
  assert.deepEqual([outcome, error.name], ["failed", "TimeoutError"]);
  assert.deepEqual(linesOf(made, claimed.uuid), ["info before kill"]);
});
