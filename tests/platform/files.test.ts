/** Files as a thread looks for them, which on Deno is not by what Node has built in. */
import assert from "node:assert/strict";
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { fileUrl, isFile, realPath, SEPARATOR } from "../../runtime/platform/files.ts";
import { tempDir, test, thisRuntime } from "../harness.ts";

const ODD = [
  "plain",
  "with space",
  "100%",
  "%41",
  "a#b",
  "a?b",
  "[x]{y}",
  "tïldé~",
  "back\\slash",
  "line\nbreak",
  "tab\there",
];

/** The URL is right, and the engine does not import it. */
const REFUSED: Record<string, string[]> = { deno: [], node: ["back\\slash"], bun: ["back\\slash", "a?b"] };

for (const name of ODD) {
  test(`fileUrl() names what is in ${JSON.stringify(name)}, and it can be imported`, async () => {
    const dir = join(tempDir(), name);
    const file = join(dir, "it.mjs");
    mkdirSync(dir);
    writeFileSync(file, "export default 42;");
    assert.equal(fileURLToPath(fileUrl(file)), file);
    if (REFUSED[thisRuntime()].includes(name)) return;
    assert.equal((await import(fileUrl(file))).default, 42);
  });
}

test("isFile() is true of files and what leads to them alone", () => {
  const dir = tempDir();
  const at = (name: string) => join(dir, name);
  writeFileSync(at("file"), "");
  symlinkSync(at("file"), at("link"));
  symlinkSync(at("loop"), at("loop"));
  symlinkSync(at("nowhere"), at("dangling"));
  assert.deepEqual(["file", "link"].map(at).map(isFile), [true, true]);
  const none = [".", "missing", "loop", "dangling", "file/below", "x".repeat(300)];
  assert.deepEqual(none.map(at).filter(isFile), []);
});

test("realPath() follows links, and says what is not there", () => {
  const dir = tempDir();
  writeFileSync(join(dir, "file"), "");
  symlinkSync(join(dir, "file"), join(dir, "link"));
  assert.equal(realPath(join(dir, "link")), join(realpathSync(dir), "file"));
  assert.throws(() => realPath(join(dir, "missing")), { code: "ENOENT" });
  assert.equal(SEPARATOR, sep);
});
