import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../cli/main.ts";
import { tempDir, test } from "../harness.ts";
import { fakeIO } from "./fake_io.ts";

test("init makes a project named for its folder, and says what it made", async () => {
  const dir = join(tempDir(), "My Tasks");
  const io = fakeIO();
  assert.equal(await run(["init", dir], io), 0);
  assert.deepEqual(io.outLines.filter((line) => line.startsWith("made ")).length, io.outLines.length);
  const { name, dependencies } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
  assert.equal(name, "my-tasks");
  assert.match(dependencies["edge-dispatcher"], /^\^\d+\.\d+\.\d+$/);
  assert.match(readFileSync(join(dir, "tasks/hello.ts"), "utf8"), /from "edge-dispatcher"/);
  assert.ok(!readFileSync(join(dir, "deno.json"), "utf8").includes("-A"));
});

test("init never writes over what is there", async () => {
  const dir = tempDir();
  mkdirSync(join(dir, "tasks"));
  writeFileSync(join(dir, "tasks/hello.ts"), "mine");
  writeFileSync(join(dir, "package.json"), "{}");
  const io = fakeIO();
  assert.equal(await run(["init", dir, "--package", "file:../x.tgz"], io), 0);
  assert.deepEqual(io.outLines.filter((line) => line.startsWith("kept ")), [
    "kept package.json",
    "kept tasks/hello.ts",
  ]);
  assert.equal(readFileSync(join(dir, "tasks/hello.ts"), "utf8"), "mine");
  const again = fakeIO();
  assert.equal(await run(["init", dir], again), 0);
  assert.ok(again.outLines.every((line) => line.startsWith("kept ")));
});

test("init says what it cannot write", async () => {
  const file = join(tempDir(), "file");
  writeFileSync(file, "");
  const io = fakeIO();
  assert.equal(await run(["init", file], io), 4);
  assert.match(io.errLines.join(), /^Cannot write ".*file\/package\.json": /);
  assert.equal(await run(["init", "a", "b"], fakeIO()), 2);
});
