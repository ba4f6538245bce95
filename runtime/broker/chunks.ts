/**
 * Messages over the size of one NOTIFY travel in chunks, as dispatcherd cuts them: slices of the JSON text in
 * any order, put together by index.
 *
 * | what can fail | what happens |
 * |---|---|
 * | a chunk is lost | the message expires; the error names which chunks had arrived |
 * | forged metadata (version, negative or huge numbers) | refused and counted |
 * | chunks of endless messages | bounded: the oldest incomplete message gives way |
 *
 * @module
 */
import { z } from "zod";
import { uuid7 } from "../uuid.ts";
import { PAYLOAD_BYTES } from "./broker.ts";

const VERSION = "v1";
export const CHUNK_KEY = "__dispatcherd_chunk__";
const MAX_CHUNKS = 20_000;
const MAX_MESSAGES = 1_000;
const MAX_CHARS = 64 * 1024 * 1024;
const encoder = new TextEncoder();
const bytesOf = (text: string) => encoder.encode(text).length;

/** Cut a message into payloads that fit; one that fits is left as it is. */
export function toPayloads(message: string, limit: number = PAYLOAD_BYTES): string[] {
  // No character takes more than three bytes a UTF-16 unit: most messages need no counting.
  if (message.length * 3 <= limit || bytesOf(message) <= limit) return [message];
  const id = uuid7();
  // The numbers in the frame are not known yet: room for the longest ones.
  const room = limit - bytesOf(frame(id, MAX_CHUNKS, MAX_CHUNKS, ""));
  const slices: string[] = [];
  for (let at = 0; at < message.length;) {
    const slice = fitting(message.slice(at, at + room), room);
    slices.push(slice);
    at += slice.length;
  }
  return slices.map((slice, index) => frame(id, index, slices.length, slice));
}

function frame(id: string, index: number, total: number, payload: string): string {
  return JSON.stringify({ [CHUNK_KEY]: VERSION, message_id: id, index, total, payload });
}

/** The longest beginning of a text whose JSON form has at most `room` bytes. */
function fitting(text: string, room: number): string {
  let length = text.length;
  for (;;) {
    // Python does not join the halves of a surrogate pair that come in two texts.
    if (length > 1 && isHighSurrogate(text.charCodeAt(length - 1))) length--;
    const size = bytesOf(JSON.stringify(text.slice(0, length))) - 2;
    if (size <= room) return text.slice(0, length);
    length = Math.max(1, Math.min(length - 1, Math.floor(length * room / size)));
  }
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code < 0xdc00;
}

const chunkSchema = z.object({
  [CHUNK_KEY]: z.literal(VERSION),
  message_id: z.string().min(1).max(200),
  index: z.int().min(0),
  total: z.int().min(1).max(MAX_CHUNKS),
  payload: z.string(),
}).refine((chunk) => chunk.index < chunk.total, "index is not below total");

interface Partial {
  total: number;
  slices: Map<number, string>;
  chars: number;
  since: number;
}

/** Puts messages together; its fields are written by add and sweep. */
export class Assembler {
  readonly #partials = new Map<string, Partial>();
  readonly #timeoutMs: number;
  readonly status = {
    total_chunks_received: 0,
    successful_assemblies: 0,
    errored_assemblies: 0,
    timed_out_assemblies: 0,
    active_messages: 0,
  };
  #chars = 0;

  constructor(timeoutSeconds = 1_800) {
    this.#timeoutMs = timeoutSeconds * 1000;
  }

  /** Take a chunk; the text when the message is complete, undefined while it is not, an error when refused. */
  add(given: unknown, now: number): { text?: string; error?: string } {
    this.status.total_chunks_received++;
    const parsed = chunkSchema.safeParse(given);
    if (!parsed.success) return this.#refuse(`Cannot read a chunk: ${parsed.error.issues[0].message}`);
    const { message_id: id, index, total, payload } = parsed.data;
    const partial = this.#partials.get(id) ??
      { total, slices: new Map<number, string>(), chars: 0, since: now };
    if (partial.total !== total) {
      return this.#refuse(
        `Cannot read chunk ${index} of "${id}": it says ${total} chunks, others said ${partial.total}`,
      );
    }
    if (!partial.slices.has(index)) {
      partial.slices.set(index, payload);
      partial.chars += payload.length;
      this.#chars += payload.length;
    }
    this.#partials.set(id, partial);
    if (partial.slices.size < total) {
      this.#bound();
      this.status.active_messages = this.#partials.size;
      return {};
    }
    this.#drop(id);
    this.status.successful_assemblies++;
    // A slice may end inside an escape sequence: the text is joined before anybody parses it.
    return { text: Array.from({ length: total }, (_, i) => partial.slices.get(i)!).join("") };
  }

  /** Give up what is too old; a line for each that says what had arrived. */
  sweep(now: number): string[] {
    const lines: string[] = [];
    for (const [id, partial] of this.#partials) {
      if (now - partial.since < this.#timeoutMs) continue;
      const have = [...partial.slices.keys()].sort((a, b) => a - b).slice(0, 20).join(", ");
      lines.push(
        `Message "${id}" is incomplete: ${partial.slices.size} of ${partial.total} chunks arrived (${have})`,
      );
      this.#drop(id);
      this.status.timed_out_assemblies++;
    }
    return lines;
  }

  /** What is incomplete, for `chunks`. */
  partials(): Record<string, { received: number; total: number }> {
    return Object.fromEntries(
      [...this.#partials].map(([id, p]) => [id, { received: p.slices.size, total: p.total }]),
    );
  }

  #refuse(error: string): { error: string } {
    this.status.errored_assemblies++;
    return { error };
  }

  #bound(): void {
    while (this.#partials.size > MAX_MESSAGES || this.#chars > MAX_CHARS) {
      const oldest = this.#partials.keys().next().value;
      if (oldest === undefined) return;
      this.#drop(oldest);
      this.status.errored_assemblies++;
    }
  }

  #drop(id: string): void {
    this.#chars -= this.#partials.get(id)?.chars ?? 0;
    this.#partials.delete(id);
    this.status.active_messages = this.#partials.size;
  }
}
