import assert from "node:assert/strict";
import { type Order, readReport, type Report, writeReport, writeRun } from "../../runtime/pool/protocol.ts";
import { test } from "../harness.ts";

const JOB = {
  uuid: "d520da7d-66c1-4170-8305-ab89aec139f6",
  origin: null,
  attempt: 2,
  task: 'odd "name"\n{}',
  worker: "4711.1",
  timed: true,
};

test("writeRun() puts the arguments' text into the order as it is", () => {
  const args = '[1, "\\u0000\\ud800", {"deep": [1e3]}]';
  const order = writeRun({ ...JOB, args, kwargs: '{"b":2}', options: '{"bind":true}' });
  assert.ok(order.includes(args), "not parsed and written again");
  assert.deepEqual(JSON.parse(order), {
    t: "run",
    ...JOB,
    args: [1, "\0\ud800", { deep: [1000] }],
    kwargs: { b: 2 },
    options: { bind: true },
  });
});

test("writeRun() makes one line, whatever the task is called", () => {
  const order = writeRun({ ...JOB, args: "[]", kwargs: "{}", options: "{}" });
  assert.ok(!order.includes("\n"));
  assert.equal((JSON.parse(order) as Extract<Order, { t: "run" }>).task, JOB.task);
});

test("readReport() takes apart what writeReport() wrote", () => {
  const reports: [Report, string | undefined][] = [
    [{ t: "ready", heap: 5 }, undefined],
    [{ t: "closed" }, undefined],
    [{ t: "exit", what: "process.exit(1)\n" }, undefined],
    [{ t: "timeout", uuid: JOB.uuid, seconds: 2.5 }, undefined],
    [{ t: "progress", uuid: JOB.uuid }, '{"half":true}'],
    [{ t: "done", uuid: JOB.uuid, ok: true, started: 1, finished: 2, heap: 3 }, '"two\\nlines"'],
    [
      { t: "done", uuid: JOB.uuid, ok: false, started: 1, finished: 2, heap: 3, hopeless: true },
      '{"name":"Error"}',
    ],
  ];
  for (const [report, text] of reports) {
    assert.deepEqual(readReport(writeReport(report, text)), { report, text: text ?? "null" });
  }
});

test("readReport() leaves the text as it is, line feeds and all", () => {
  for (const text of ["", "null", "{\n}", "\n", "\u0000", "x".repeat(1_000_000)]) {
    assert.equal(readReport(writeReport({ t: "progress", uuid: JOB.uuid }, text))?.text, text);
  }
});

test("readReport() takes nothing that the worker did not write", () => {
  const foreign = [
    "",
    "hello",
    "{",
    "null",
    "[]",
    "5",
    '"done"',
    "{}",
    '{"t":5}',
    "hello\nworld",
    null,
    undefined,
    5,
    {
      t: "done",
    },
  ];
  for (const message of foreign) assert.equal(readReport(message), undefined, JSON.stringify(message));
});

test("the arguments' text survives the whole way to the worker, whatever is in it", () => {
  const texts = ["\u0000", "\ud800", "\udfff\ud800", "\u2028\u2029", '"\\', "é😀", "</script>", "\r\n"];
  const args = JSON.stringify(texts);
  assert.deepEqual(JSON.parse(writeRun({ ...JOB, args, kwargs: "{}", options: "{}" })).args, texts);
  const back = readReport(writeReport({ t: "progress", uuid: JOB.uuid }, args));
  assert.deepEqual(JSON.parse(back!.text), texts);
});
