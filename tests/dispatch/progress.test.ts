import assert from "node:assert/strict";
import { ProgressWriter } from "../../runtime/dispatch/progress.ts";
import type { Claimed } from "../../runtime/store/store.ts";
import { test } from "../harness.ts";

const [one, other] = [{ uuid: "one" } as Claimed, { uuid: "other" } as Claimed];

/** A table whose answers come when the test says so. */
function open() {
  const asked: string[] = [];
  const answers: PromiseWithResolvers<void>[] = [];
  const writer = new ProgressWriter(({ uuid }, text) => {
    asked.push(`${uuid} ${text}`);
    answers.push(Promise.withResolvers());
    return answers.at(-1)!.promise;
  });
  const answered = async (at: number, error?: Error) => {
    if (error) answers[at].reject(error);
    else answers[at].resolve();
    await new Promise((done) => setTimeout(done));
  };
  return { writer, asked, answered };
}

test("ProgressWriter has one statement of an attempt under way, and the last word follows it", async () => {
  const { writer, asked, answered } = open();
  for (const text of ["1", "2", "3"]) writer.put(one, text);
  writer.put(other, "1");
  assert.deepEqual(asked, ["one 1", "other 1"]);
  await answered(0);
  assert.deepEqual(asked, ["one 1", "other 1", "one 3"]);
  await answered(2);
  writer.put(one, "4");
  assert.deepEqual(asked.at(-1), "one 4");
});

test("ProgressWriter goes on after a statement that fails", async () => {
  const { writer, asked, answered } = open();
  for (const text of ["1", "2"]) writer.put(one, text);
  await answered(0, new Error("away"));
  assert.deepEqual(asked, ["one 1", "one 2"]);
});
