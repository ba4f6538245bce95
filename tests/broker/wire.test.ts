import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { readWire, type Wire, writeTask } from "../../runtime/broker/wire.ts";
import { seal } from "../../runtime/envelope.ts";
import { hashUuid } from "../../runtime/uuid.ts";
import { test } from "../harness.ts";

interface Recorded {
  case: string;
  channel: string;
  payload: string;
}

/** What the real Python library sent, a message a line. */
const recorded: Recorded[] = readFileSync(new URL("../fixtures/dispatcherd.jsonl", import.meta.url), "utf8")
  .trim().split("\n").map((line) => JSON.parse(line));

/** Fields that have a column of their own; the others stay with the message. */
const COLUMNS = ["task", "uuid", "args", "kwargs", "time_pub", "timeout", "delay", "priority"];

function envelope(payload: string, queue = "default") {
  const wire = readWire(payload, queue);
  assert.equal(wire.kind, "task", JSON.stringify(wire));
  return wire as Extract<Wire, { kind: "task" }>;
}

/** Why a payload is refused. */
function why(payload: string): string {
  const wire = readWire(payload, "default");
  assert.equal(wire.kind, "refused", `${payload.slice(0, 80)} was not refused`);
  return (wire as Extract<Wire, { kind: "refused" }>).why;
}

const task = (fields: object) => JSON.stringify({ task: "a.b", ...fields });

test("the recording has task and control messages", () => {
  const kinds = recorded.map(({ payload, channel }) => readWire(payload, channel).kind);
  assert.equal(kinds.filter((kind) => kind === "task").length, 10);
  assert.equal(kinds.filter((kind) => kind === "control").length, 11);
  assert.equal(kinds.length, 21);
});

for (const { case: name, channel, payload } of recorded) {
  const message = JSON.parse(payload);
  test(`readWire() reads what dispatcherd sends: ${name}`, () => {
    if (message.control === undefined) return checkTask(message, envelope(payload, channel), channel);
    assert.deepEqual(readWire(payload, channel), {
      kind: "control",
      command: message.control,
      replyTo: message.reply_to,
      data: message.control_data ?? {},
    });
  });
}

function checkTask(
  message: Record<string, unknown>,
  read: ReturnType<typeof envelope>,
  channel: string,
): void {
  const { uuid, ownUuid, queue, task, args, kwargs, options, timePub, timeout, delay } = read.envelope;
  assert.deepEqual(
    { uuid, task, args: JSON.parse(args), kwargs: JSON.parse(kwargs), timePub, timeout, delay },
    {
      uuid: message.uuid,
      task: message.task,
      args: message.args ?? [],
      kwargs: message.kwargs ?? {},
      timePub: message.time_pub,
      timeout: message.timeout ?? null,
      delay: message.delay ?? null,
    },
  );
  const others = Object.entries(message).filter(([field]) => !COLUMNS.includes(field));
  // Python's uuids have no time in them.
  const due = Math.round(1000 * (timePub + (delay ?? 0)));
  assert.deepEqual(JSON.parse(options), { ...Object.fromEntries(others), due });
  assert.deepEqual([read.anonymous, ownUuid, queue], [false, true, channel]);
}

test("readWire() makes up a uuid where there is none", () => {
  const { anonymous, envelope: sealed } = envelope('{"task": "a"}');
  assert.equal(anonymous, true);
  assert.equal(sealed.ownUuid, false);
  assert.match(sealed.uuid, /^[0-9a-f-]{14}7/);
  assert.notEqual(envelope('{"task": "a"}').envelope.uuid, sealed.uuid);
});

test("readWire() derives a uuid from an id that is none, the same each time, and keeps the id", () => {
  const { anonymous, envelope: sealed } = envelope(task({ uuid: "internal-job-42", time_pub: 1.5 }));
  assert.equal(anonymous, false);
  assert.equal(sealed.uuid, hashUuid("internal-job-42"));
  assert.deepEqual(JSON.parse(sealed.options), { message_uuid: "internal-job-42", due: 1_500 });
});

test("readWire() takes resources and preemptible, as writeTask() writes them", () => {
  const asked = seal("a", [1], { resources: { gpu: 2 }, preemptible: true });
  const { envelope: read } = envelope(writeTask(asked));
  assert.deepEqual(JSON.parse(read.options), JSON.parse(asked.options));
  assert.deepEqual(JSON.parse(envelope(task({ resources: null, preemptible: null })).envelope.options), {});
});

test("readWire() takes a uuid in capitals for the same", () => {
  const uuid = "D520DA7D-66C1-4170-8305-AB89AEC139F6";
  assert.equal(envelope(task({ uuid })).envelope.uuid, uuid.toLowerCase());
});

test("readWire() takes null for a field without a value, as Python writes it", () => {
  const nulls = {
    uuid: null,
    args: null,
    kwargs: null,
    time_pub: null,
    timeout: null,
    delay: null,
    priority: null,
  };
  const { anonymous, envelope: sealed } = envelope(task({ ...nulls, on_duplicate: null }));
  assert.equal(anonymous, true);
  assert.deepEqual([sealed.args, sealed.kwargs, sealed.options], ["[]", "{}", "{}"]);
  assert.deepEqual([sealed.timeout, sealed.delay, sealed.priority], [null, null, 0]);
});

test("readWire() takes the time of arrival where the message names none", () => {
  const wire = readWire('{"task": "a"}', "default", 1_800_000_000_500) as Extract<Wire, { kind: "task" }>;
  assert.equal(wire.envelope.timePub, 1_800_000_000.5);
});

test("readWire() takes a text that is not JSON for the name of a task", () => {
  for (const text of ["examples.add", "awx.main.tasks.system.add", "{not json", "hello world"]) {
    const { anonymous, envelope: sealed } = envelope(text);
    assert.equal(sealed.task, text);
    assert.deepEqual([sealed.args, sealed.kwargs, anonymous], ["[]", "{}", true]);
  }
});

test("readWire() refuses a blank payload and JSON that is no object", () => {
  const cases: [string, string][] = [
    ["", "it is blank"],
    [" \n", "it is blank"],
    ["[1, 2]", "it is an array, not an object"],
    ["42", "it is a number, not an object"],
    ['"examples.add"', "it is a string, not an object"],
    ["true", "it is a boolean, not an object"],
    ["null", "it is null, not an object"],
  ];
  for (const [payload, expected] of cases) assert.equal(why(payload), `Cannot read a message: ${expected}`);
});

test("readWire() names the field whose value is of the wrong kind", () => {
  const cases: [object, string][] = [
    [{ task: 5 }, "task"],
    [{ task: null }, "task"],
    [{ task: "" }, "task"],
    [{ task: "x".repeat(1_001) }, "task"],
    [{ uuid: 5 }, "uuid"],
    [{ uuid: "" }, "uuid"],
    [{ args: { a: 1 } }, "args"],
    [{ args: "x" }, "args"],
    [{ kwargs: [1] }, "kwargs"],
    [{ kwargs: "x" }, "kwargs"],
    [{ time_pub: "now" }, "time_pub"],
    [{ timeout: "5" }, "timeout"],
    [{ timeout: -1 }, "timeout"],
    [{ delay: -1 }, "delay"],
    [{ delay: true }, "delay"],
    [{ priority: 1.5 }, "priority"],
    [{ priority: 40_000 }, "priority"],
    [{ on_duplicate: "sometimes" }, "on_duplicate"],
    [{ resources: [1] }, "resources"],
    [{ resources: { gpu: -1 } }, "resources.gpu"],
    [{ preemptible: 1 }, "preemptible"],
  ];
  for (const [fields, field] of cases) {
    assert.ok(why(task(fields)).startsWith(`Cannot read a task message: ${field}: `), why(task(fields)));
  }
  assert.match(why("{}"), /^Cannot read a task message: task: /);
  assert.match(why('{"control": 5}'), /^Cannot read a control message: control: /);
  assert.match(why(`{"control": "alive", "reply_to": "${"x".repeat(64)}"}`), /: reply_to: /);
  assert.match(why('{"control": "alive", "control_data": [1]}'), /: control_data: /);
});

test("readWire() refuses what no database column can hold, which would fail all that is adopted with it", () => {
  assert.match(why('{"task": "a\\u0000b"}'), /: task: it has a control character$/);
  assert.match(why(task({ delay: 1e300 })), /: delay: /);
  assert.match(why('{"task": "a", "args": [1e400]}'), /: args\[0\] is Infinity/);
});

test("readWire() refuses what is nested too deep instead of throwing", () => {
  for (const levels of [1_001, 50_000]) {
    const [open, close] = ["[".repeat(levels), "]".repeat(levels)];
    assert.match(why(`{"task": "a", "args": ${open}${close}}`), /is nested over 1000 levels deep/);
    assert.match(why(`{"task": "a", "kwargs": {"k": ${open}${close}}}`), /is nested over 1000 levels deep/);
    assert.match(why(`{"task": "a", "more": ${open}${close}}`), /is nested over 1000 levels deep/);
  }
});

test("readWire() keeps hostile texts in the arguments as they are", () => {
  const texts = ["\u0000", "\ud800", '"', "\\", "{}", "é😀"];
  assert.deepEqual(JSON.parse(envelope(task({ args: texts })).envelope.args), texts);
});

test("readWire() keeps fields that it does not know with the message", () => {
  const extra = {
    bind: true,
    guid: "g",
    callbacks: [{ task: "c" }],
    whatever: { deep: [1] },
    on_duplicate: "serial",
  };
  assert.deepEqual(JSON.parse(envelope(task(extra)).envelope.options), extra);
});

test("readWire() hands on a chunk unread, and a control message without a reply channel", () => {
  const chunk = { __dispatcherd_chunk__: "v9", anything: [1] };
  assert.deepEqual(readWire(JSON.stringify(chunk), "default"), { kind: "chunk", chunk });
  const control = readWire('{"control": "cancel", "reply_to": null, "control_data": null}', "default");
  assert.deepEqual(control, { kind: "control", command: "cancel", replyTo: null, data: {} });
});
