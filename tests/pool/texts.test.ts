import assert from "node:assert/strict";
import type { Report } from "../../runtime/pool/protocol.ts";
import { isDone, joinRun, readReport, splitReports, writeRun } from "../../runtime/pool/pool_texts.ts";
import { readRun, splitRuns, writeCompletion, writeReport } from "../../runtime/pool/worker_texts.ts";
import { test } from "../harness.ts";

const JOB = {
  uuid: "d520da7d-66c1-4170-8305-ab89aec139f6",
  origin: null,
  attempt: 2,
  task: "examples/add",
  timed: true,
};
const NOTHING = { args: "[]", kwargs: "{}", options: "{}" };
const WORKER = "4711.1";

test("readRun() reads what writeRun() wrote, with the arguments' text as it was", () => {
  const args = '[1, "\\u0000\\ud800", {"deep": [1e3]}]';
  const order = writeRun({ ...JOB, args, kwargs: '{"b":2}', options: '{"bind":true}' });
  assert.ok(order.includes(args), "not parsed and written again");
  assert.deepEqual(readRun(order, WORKER), {
    ...JOB,
    worker: WORKER,
    args: [1, "\0\ud800", { deep: [1000] }],
    kwargs: { b: 2 },
    options: { bind: true },
  });
  const more = { ...JOB, origin: "c9a646d3-9c61-4cb7-bfcd-ee2522c8f633", timed: false, ...NOTHING };
  assert.deepEqual(readRun(writeRun(more), WORKER), {
    ...more,
    worker: WORKER,
    args: [],
    kwargs: {},
    options: {},
  });
});

test("readRun() reads a task's name, whatever it is", () => {
  const names = [
    'odd "name"\n{}',
    "",
    '"',
    '"quoted"',
    "a\x1eb\x1fc",
    "{",
    "ä\0😀",
    "a.b#c",
    "a/b-c_d#e",
    "\ud800",
  ];
  for (const task of names) {
    const [, order, ...more] = splitRuns(joinRun(WORKER, writeRun({ ...JOB, ...NOTHING, task })))!;
    assert.deepEqual([readRun(order, WORKER).task, more], [task, []]);
  }
});

test("readRun() gives every job objects of its own", () => {
  const order = writeRun({ ...JOB, ...NOTHING });
  const [one, other] = [readRun(order, WORKER), readRun(order, WORKER)];
  one.args.push(1);
  one.kwargs.a = one.options.priority = 1;
  assert.deepEqual([other.args, other.kwargs, other.options], [[], {}, {}]);
});

test("splitReports() takes apart what lies in one text, and does not look into a single one", () => {
  assert.deepEqual(splitReports("\x1ea\x1eb\nnull\x1ec"), ["a", "b\nnull", "c"]);
  for (const text of ["", "a", "a\nb\x1ec"]) assert.deepEqual(splitReports(text), [text]);
});

test("splitRuns() takes orders apart that travel together, and tells them from others", () => {
  const orders = ["[1]", "[\n]", '["{"]'].map((args) => writeRun({ ...JOB, ...NOTHING, args }));
  assert.deepEqual(splitRuns(orders.reduce(joinRun, WORKER)), [WORKER, ...orders]);
  assert.equal(splitRuns('{"t":"close"}'), undefined);
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

test("readReport() takes apart what writeCompletion() wrote", () => {
  const done = { t: "done" as const, uuid: JOB.uuid, ok: true, started: 1.5, finished: 2e12, heap: 0 };
  for (const text of ["null", '"two\\nlines"', "{\n}", `"${"x".repeat(100_000)}"`]) {
    assert.deepEqual(readReport(writeCompletion(done, text)), { report: done, text });
    assert.ok(isDone(writeCompletion(done, text)));
  }
  const short = { ...done, started: 1_764_000_000_000, finished: 1_764_000_000_000 + 0.125 };
  assert.ok(writeCompletion(short, "").includes("\x1f125\x1f"), "in microseconds");
  assert.deepEqual(readReport(writeCompletion(short, "1"))!.report, short);
  assert.ok(isDone(writeReport({ ...done, ok: false }, "{}")));
  assert.ok(!isDone(writeReport({ t: "ready", heap: 1 })));
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
    "+",
    "+\n",
    "+\nnull",
    `+${JOB.uuid}\nnull`,
    `+${JOB.uuid}\x1f1\x1f2\nnull`,
    `+${JOB.uuid}\x1f1\x1f2\x1fmuch\nnull`,
    `+${JOB.uuid}\x1f1\x1fInfinity\x1f3\nnull`,
    '+{"t":"done"}',
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
  assert.deepEqual(readRun(writeRun({ ...JOB, ...NOTHING, args }), WORKER).args, texts);
  const back = readReport(writeReport({ t: "progress", uuid: JOB.uuid }, args));
  assert.deepEqual(JSON.parse(back!.text), texts);
});
