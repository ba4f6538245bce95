/** What docs/retries.md shows is what runs. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir, test } from "../harness.ts";
import { rig, SHIPPED } from "../pool/rig.ts";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

test("docs/retries.md shows its examples as they are", () => {
  const source = read("tasks/examples/retries.ts");
  const blocks = [...read("docs/retries.md").matchAll(/^```ts\n(.*?)^```$/gms)].map(([, text]) => text);
  assert.equal(blocks.length, 4);
  for (const block of blocks) assert.ok(source.includes(block), block);
});

test("the examples of docs/retries.md do what it says", async (t) => {
  const { run } = await rig(t, { root: SHIPPED });
  const first = await run("examples/retries#flaky", [3]);
  const policy = { maxAttempts: 5, backoff: { base: 1, factor: 3, max: 60 } };
  assert.deepEqual([first.outcome, first.policy], ["failed", policy]);
  assert.equal((await run("examples/retries#flaky", [3], { attempt: 3 })).result, 3);
  assert.equal((await run("examples/retries#polite")).delay, 60);
  assert.deepEqual((await run("examples/retries#send", [429])).verdict, {
    do: "retry",
    delay: 30,
    charge: true,
  });
  const gone = await run("examples/retries#send", [410]);
  assert.deepEqual([gone.verdict, gone.error.message], [{ do: "discard" }, "the account is closed"]);
  assert.equal((await run("examples/retries#send", [200])).result, "sent");
  const file = join(tempDir(), "ready");
  const { verdict } = await run("examples/retries#awaits", [file]);
  assert.deepEqual(verdict, { do: "retry", delay: 10, charge: false });
  writeFileSync(file, "");
  assert.equal((await run("examples/retries#awaits", [file])).result, file);
});
