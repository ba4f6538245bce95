import assert from "node:assert/strict";
import fc from "fast-check";
import { PAYLOAD_BYTES } from "../../runtime/broker/broker.ts";
import { Assembler, toPayloads } from "../../runtime/broker/chunks.ts";
import { test } from "../harness.ts";

const bytes = (text: string) => new TextEncoder().encode(text).length;

/** A message of exactly so many bytes. */
const sized = (size: number) => JSON.stringify({ x: "y".repeat(size - '{"x":""}'.length) });

interface Chunk {
  __dispatcherd_chunk__: string;
  message_id: string;
  index: number;
  total: number;
  payload: string;
}

function chunks(message: string): Chunk[] {
  const payloads = toPayloads(message);
  assert.ok(payloads.length > 1);
  return payloads.map((payload) => JSON.parse(payload));
}

/** Put chunks together in the order given; what came out with each. */
function assemble(given: unknown[], assembler = new Assembler()) {
  return given.map((chunk) => assembler.add(chunk, 0));
}

function chunk(fields: Partial<Record<keyof Chunk, unknown>> = {}): unknown {
  return { __dispatcherd_chunk__: "v1", message_id: "m", index: 0, total: 2, payload: "x", ...fields };
}

/** The same order every time, and not the first one. */
function shuffled<T>(items: T[]): T[] {
  return items.map((item, i) => ({ item, key: (i * 7919 + 13) % 104_729 })).sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

test("toPayloads() leaves what fits into one NOTIFY as it is", () => {
  for (const size of [10, 2_600, 7_998, PAYLOAD_BYTES]) {
    const message = sized(size);
    assert.equal(bytes(message), size);
    assert.deepEqual(toPayloads(message), [message]);
  }
});

test("toPayloads() cuts 8,000 and 8,001 bytes and a megabyte into payloads that fit", () => {
  for (const size of [8_000, 8_001, 1_048_576]) {
    const message = sized(size);
    const payloads = toPayloads(message);
    assert.ok(payloads.length > 1);
    for (const payload of payloads) assert.ok(bytes(payload) <= PAYLOAD_BYTES, `${bytes(payload)} bytes`);
    const done = assemble(payloads.map((payload) => JSON.parse(payload)));
    assert.equal(done.at(-1)?.text, message);
    assert.deepEqual(done.slice(0, -1), done.slice(0, -1).map(() => ({})));
  }
});

test("toPayloads() frames chunks as dispatcherd does", () => {
  const parts = chunks(sized(20_000));
  const [{ message_id }] = parts;
  assert.match(message_id, /^[0-9a-f-]{36}$/);
  parts.forEach((part, i) => {
    const { payload, ...frame } = part;
    assert.deepEqual(frame, { __dispatcherd_chunk__: "v1", message_id, index: i, total: parts.length });
    assert.ok(payload.length > 0);
  });
  assert.notEqual(chunks(sized(20_000))[0].message_id, message_id);
});

test("toPayloads() counts bytes, not characters", () => {
  for (const text of ["é", "€", "😀", '"', "\\", "\u0000", "\ud800"]) {
    const message = JSON.stringify({ x: text.repeat(9_000) });
    const parts = toPayloads(message);
    for (const part of parts) {
      assert.ok(bytes(part) <= PAYLOAD_BYTES, `${JSON.stringify(text)}: ${bytes(part)}`);
    }
    assert.equal(assemble(parts.map((part) => JSON.parse(part))).at(-1)?.text, message);
  }
});

test("toPayloads() never cuts a surrogate pair in half, which Python would not join again", () => {
  for (let shift = 0; shift < 4; shift++) {
    const message = JSON.stringify({ x: "a".repeat(shift) + "😀".repeat(9_000) });
    for (const { payload } of chunks(message)) assert.ok(payload.isWellFormed());
  }
});

test("toPayloads() may cut an escape sequence: the text is joined before it is parsed", () => {
  const value = { x: '\\"\u0001'.repeat(6_000) };
  const parts = chunks(JSON.stringify(value));
  assert.ok(
    parts.some(({ payload }) => /(^|[^\\])(\\\\)*\\(u[0-9a-f]{0,3})?$/.test(payload)),
    "one ends in an escape",
  );
  assert.deepEqual(JSON.parse(assemble(parts).at(-1)!.text!), value);
});

test("toPayloads() and the assembler bring back any text, at any limit", () => {
  const text = fc.string({ unit: "binary", maxLength: 600 });
  fc.assert(fc.property(text, fc.integer({ min: 200, max: 900 }), (value, limit) => {
    const parts = toPayloads(value, limit);
    for (const part of parts) assert.ok(bytes(part) <= limit);
    if (parts.length === 1) return assert.equal(parts[0], value);
    assert.equal(assemble(shuffled(parts).map((part) => JSON.parse(part))).at(-1)?.text, value);
  }));
});

test("Assembler joins halves of a surrogate pair and of an escape that others cut", () => {
  const cut = (at: string[]) => at.map((payload, index) => chunk({ index, total: at.length, payload }));
  assert.equal(assemble(cut(['"\ud83d', '\ude00"'])).at(-1)?.text, '"😀"');
  assert.equal(assemble(cut(['"\\ud8', "3d\\u", 'de00"'])).at(-1)?.text, '"\\ud83d\\ude00"');
});

test("Assembler takes chunks in any order and interleaved with those of others", () => {
  const messages = [sized(50_000), sized(60_000), sized(70_000)];
  const assembler = new Assembler();
  const done = assemble(shuffled(messages.flatMap((message) => chunks(message))), assembler);
  const texts = done.flatMap((
    { text, error },
  ) => [...(text === undefined ? [] : [text]), ...(error ? [error] : [])]);
  assert.deepEqual(texts.sort((a, b) => a.length - b.length), messages);
  assert.equal(assembler.status.successful_assemblies, 3);
  assert.equal(assembler.status.active_messages, 0);
  assert.equal(assembler.status.total_chunks_received, done.length);
});

test("Assembler takes a chunk that comes twice for one, the first of them", () => {
  const assembler = new Assembler();
  const twice = [chunk({ payload: "a" }), chunk({ payload: "z" }), chunk({ index: 1, payload: "b" })];
  assert.deepEqual(assemble(twice, assembler), [{}, {}, { text: "ab" }]);
});

test("Assembler gives out a message of one chunk, and an empty one", () => {
  assert.deepEqual(assemble([chunk({ total: 1 })]), [{ text: "x" }]);
  assert.deepEqual(assemble([chunk({ payload: "" }), chunk({ index: 1, payload: "" })]), [{}, { text: "" }]);
});

test("Assembler refuses and counts what is forged", () => {
  const forged = [
    chunk({ __dispatcherd_chunk__: "v2" }),
    chunk({ __dispatcherd_chunk__: null }),
    chunk({ index: -1 }),
    chunk({ index: 2 }),
    chunk({ index: 0.5 }),
    chunk({ index: "0" }),
    chunk({ index: 1e15, total: 1e15 + 1 }),
    chunk({ total: 0 }),
    chunk({ total: -2 }),
    chunk({ total: 1e9 }),
    chunk({ total: Number.MAX_VALUE }),
    chunk({ total: null }),
    chunk({ message_id: "" }),
    chunk({ message_id: 5 }),
    chunk({ message_id: "x".repeat(201) }),
    chunk({ payload: 5 }),
    chunk({ payload: undefined }),
    null,
    [],
    "chunk",
  ];
  const assembler = new Assembler();
  for (const { text, error } of assemble(forged, assembler)) {
    assert.equal(text, undefined);
    assert.match(error!, /^Cannot read a chunk: /);
  }
  assert.equal(assembler.status.errored_assemblies, forged.length);
  assert.deepEqual(assembler.partials(), {});
});

test("Assembler refuses a chunk that says another total than the first, and still completes the message", () => {
  const [first, other, last] = assemble([
    chunk({ payload: "a" }),
    chunk({ index: 1, total: 3 }),
    chunk({ index: 1 }),
  ]);
  assert.deepEqual(first, {});
  assert.equal(other.error, 'Cannot read chunk 1 of "m": it says 3 chunks, others said 2');
  assert.deepEqual(last, { text: "ax" });
});

test("Assembler gives up what is too old, naming what had arrived", () => {
  const assembler = new Assembler(60);
  assembler.add(chunk({ message_id: "old", index: 2, total: 4 }), 1_000);
  assembler.add(chunk({ message_id: "old", index: 0, total: 4 }), 50_000);
  assembler.add(chunk({ message_id: "young" }), 50_000);
  assert.deepEqual(assembler.sweep(60_999), []);
  assert.deepEqual(assembler.sweep(61_000), ['Message "old" is incomplete: 2 of 4 chunks arrived (0, 2)']);
  assert.deepEqual(assembler.partials(), { young: { received: 1, total: 2 } });
  assert.equal(assembler.status.timed_out_assemblies, 1);
  assert.equal(assembler.status.active_messages, 1);
  assert.deepEqual(
    assembler.add(chunk({ message_id: "old", index: 1, total: 4 }), 61_000),
    {},
    "it begins anew",
  );
});

test("Assembler names at most twenty chunks of a message that it gives up", () => {
  const assembler = new Assembler(1);
  for (let index = 0; index < 500; index++) assembler.add(chunk({ index, total: 501 }), 0);
  const [line] = assembler.sweep(1_000);
  assert.ok(line.endsWith("(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19)"), line);
  assert.match(line, /500 of 501 chunks/);
});

test("Assembler stays bounded under 100,000 halves of messages, and the newest are the ones it keeps", () => {
  const assembler = new Assembler();
  for (let i = 0; i < 100_000; i++) assert.deepEqual(assembler.add(chunk({ message_id: `m${i}` }), 0), {});
  assert.equal(assembler.status.active_messages, 1_000);
  assert.equal(Object.keys(assembler.partials()).length, 1_000);
  assert.equal(assembler.status.errored_assemblies, 99_000);
  assert.deepEqual(assembler.add(chunk({ message_id: "m99999", index: 1, payload: "y" }), 0), { text: "xy" });
  assert.deepEqual(assembler.add(chunk({ message_id: "m0", index: 1 }), 0), {});
});

test("Assembler holds no more than 64 million characters", () => {
  const assembler = new Assembler();
  const payload = "x".repeat(8 * 1024 * 1024);
  for (let i = 0; i < 12; i++) assembler.add(chunk({ message_id: `m${i}`, payload }), 0);
  assert.deepEqual(Object.keys(assembler.partials()), ["m4", "m5", "m6", "m7", "m8", "m9", "m10", "m11"]);
});
