import assert from "node:assert/strict";
import { Gathering } from "../../runtime/dispatch/gathering.ts";
import { test } from "../harness.ts";

test("Gathering that was to last for a minute is over soon when what has come since is not to wait", async (t) => {
  const over = Promise.withResolvers<void>();
  const gathering = new Gathering(over.resolve);
  t.after(() => gathering.end());
  assert.deepEqual([gathering.isOver(60_000), gathering.isOver()], [false, false]);
  await over.promise;
  assert.equal(gathering.isOver(60_000), true);
  gathering.end();
  assert.equal(gathering.isOver(60_000), false, "the next one");
});
