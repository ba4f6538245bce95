import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir, test } from "../harness.ts";
import { rig } from "./rig.ts";

const options = (value: object) => ({ options: JSON.stringify(value) });
const read = (file: string) => readFileSync(file, "utf8").trim().split("\n");

test("context.control() asks the node and gets its answer", async (t) => {
  const made = await rig(t);
  made.ask = (what, payload) => Promise.resolve({ what, payload });
  const { result } = await made.run("bound#asks", ["running", { task: "x" }]);
  assert.deepEqual(result, { what: "control", payload: { command: "running", data: { task: "x" } } });
});

test("context.control() rejects with the node's error, and the task may catch it", async (t) => {
  const made = await rig(t);
  made.ask = () => Promise.reject(Object.assign(new Error("the node is busy"), { code: "unavailable" }));
  const { outcome, error } = await made.run("bound#asks", ["running"]);
  assert.equal(outcome, "failed");
  assert.deepEqual([error.message, error.code], ["the node is busy", "unavailable"]);
});

test("context.publish() publishes through the node", async (t) => {
  const made = await rig(t);
  const sent = { uuid: "u", queue: "default", known: false, duplicateOf: null };
  const asked: unknown[] = [];
  made.ask = (what, payload) => {
    asked.push([what, payload]);
    return Promise.resolve(sent);
  };
  assert.deepEqual((await made.run("bound#publishes", ["examples/add", [1, 1]])).result, sent);
  assert.deepEqual(asked, [["publish", { task: "examples/add", args: [1, 1], options: { priority: 3 } }]]);
});

test("context.publish() refuses what JSON cannot carry before it asks", async (t) => {
  const made = await rig(t);
  const { outcome, error } = await made.run("bound#publishesBadly");
  assert.equal(outcome, "failed");
  assert.match(error.message, /args\[0\]\[0\] is a BigInt \(10n\)/);
});

test("context.log() says it with the envelope's uuid and level", async (t) => {
  const made = await rig(t);
  const { claimed: { uuid } } = await made.run("bound#says", ["hello"]);
  assert.deepEqual(made.said, [
    { uuid, level: "info", text: "hello" },
    { uuid, level: "error", text: "hello" },
  ]);
});

test("bind in the message binds a task that does not ask for it", async (t) => {
  const made = await rig(t);
  const end = await made.run("bound#plain", [7], options({ bind: true }));
  assert.deepEqual(end.result, [end.claimed.uuid, 7]);
  assert.deepEqual((await made.run("bound#plain", [7])).result, [7]);
});

test("callbacks run after success, in order, in the same worker, with the uuid of their parent", async (t) => {
  const made = await rig(t);
  const file = join(tempDir(), "notes");
  const callbacks = ["first", "second"].map((line) => ({ task: "notes", args: [file, line] }));
  const errbacks = [{ task: "notes", args: [file, "never"] }];
  const { claimed: { uuid }, outcome } = await made.run(
    "notes",
    [file, "parent"],
    options({ callbacks, errbacks }),
  );
  assert.equal(outcome, "completed");
  assert.deepEqual(read(file), [`parent ${uuid}`, `first ${uuid}`, `second ${uuid}`]);
});

test("errbacks run after failure, and the error stays the parent's", async (t) => {
  const made = await rig(t);
  const file = join(tempDir(), "notes");
  const errbacks = [{ task: "notes", args: [file, "after"] }];
  const end = await made.run(
    "notes#fails",
    [file, "parent"],
    options({ errbacks, callbacks: [{ task: "nowhere" }] }),
  );
  assert.deepEqual([end.outcome, end.error.message], ["failed", "on purpose"]);
  assert.deepEqual(read(file), ["parent", `after ${end.claimed.uuid}`]);
});

test("a callback that fails is said and changes nothing of its parent", async (t) => {
  const made = await rig(t);
  const callbacks = [{ task: "../nowhere" }, { task: "bound#says", args: ["still here"] }];
  const { outcome, result, claimed: { uuid } } = await made.run("bound#plain", [1], options({ callbacks }));
  assert.deepEqual([outcome, result], ["completed", [1]]);
  assert.match(made.said[0].text, /^Callback \.\.\/nowhere failed: UnknownTaskError: /);
  assert.deepEqual(made.said.map((one) => one.uuid), [uuid, uuid, uuid]);
  assert.equal(made.said[1].text, "still here");
});
