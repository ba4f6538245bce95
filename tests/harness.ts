/**
 * The one import of every test file, the same on Deno, Bun and Node. Assertions are `node:assert/strict`.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { database, eventually, test } from "./harness.ts";
 *
 * test("publish() stores the envelope", async (t) => {
 *   const db = await database();
 *   t.after(() => db.drop());
 *   await eventually(async () => assert.equal(await waiting(db.url), 1));
 * });
 * ```
 *
 * One file by hand: `deno test -A FILE`, `bun test ./FILE`, `node --test FILE`. All: `deno task test`.
 */
export { test, type TestContext, type TestFunction, type TestOptions } from "./harness/testing.ts";
export { eventually, type EventuallyOptions } from "./harness/eventually.ts";
export { tempDir } from "./harness/temp_dir.ts";
export { needs, type Runtime, runtimes, thisRuntime } from "./harness/runtimes.ts";
export { database, needsServer, type TestDatabase } from "./harness/database.ts";
