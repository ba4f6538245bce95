import assert from "node:assert/strict";
import { readLines } from "../../cli/lines.ts";
import { test } from "../harness.ts";

const encoder = new TextEncoder();

async function* stream(chunks: (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
  for (const chunk of chunks) yield chunk;
}

async function linesOf(...chunks: (string | Uint8Array)[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of readLines(stream(chunks))) lines.push(line);
  return lines;
}

test("readLines() gives no line of an empty stream", async () => {
  assert.deepEqual(await linesOf(), []);
  assert.deepEqual(await linesOf("", ""), []);
});

test("readLines() gives the last line with or without its line feed", async () => {
  assert.deepEqual(await linesOf("a\nb\n"), ["a", "b"]);
  assert.deepEqual(await linesOf("a\nb"), ["a", "b"]);
});

test("readLines() keeps empty lines, so that line numbers are right", async () => {
  assert.deepEqual(await linesOf("\n\na\n\nb"), ["", "", "a", "", "b"]);
});

test("readLines() puts a line together that arrives in pieces", async () => {
  assert.deepEqual(await linesOf("o", "n", "e\ntw", "o\n", "three"), ["one", "two", "three"]);
});

test("readLines() gives the same lines wherever the bytes are cut, in the middle of a character too", async () => {
  const bytes = encoder.encode("grün\n日本\n\u{1f600}\nend");
  for (let cut = 0; cut <= bytes.length; cut++) {
    const lines = await linesOf(bytes.slice(0, cut), bytes.slice(cut));
    assert.deepEqual(lines, ["grün", "日本", "\u{1f600}", "end"], `cut at ${cut}`);
  }
});

test("readLines() gives the same lines of bytes that come one by one", async () => {
  const bytes = [...encoder.encode("a\u{1f600}b\nü\n")].map((byte) => Uint8Array.of(byte));
  assert.deepEqual(await linesOf(...bytes), ["a\u{1f600}b", "ü"]);
});

test("readLines() does not fail at bytes that are no UTF-8", async () => {
  assert.deepEqual(await linesOf(Uint8Array.of(0x61, 0xff, 0x0a, 0x62, 0xc3)), ["a\ufffd", "b\ufffd"]);
});

test("readLines() gives a line of a megabyte whole", async () => {
  const long = "x".repeat(1_000_000);
  const pieces = Array.from({ length: 16 }, (_, i) => `${long}\n`.slice(i * 65_536, (i + 1) * 65_536));
  assert.deepEqual((await linesOf(...pieces)).map((line) => line.length), [long.length]);
});

test("readLines() gives a line before the stream has ended", async () => {
  const { promise: never } = Promise.withResolvers<never>();
  async function* open(): AsyncGenerator<string> {
    yield "first\nsec";
    yield await never;
  }
  const lines = readLines(open());
  assert.deepEqual(await lines.next(), { value: "first", done: false });
});
