/**
 * From what a program prints to events: those that our callback of ansible's writes between the rest, and all other
 * text as `verbose`, in the order in which they came. See `ansible/edge_events.py` for the frames.
 *
 * @module
 */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Draft } from "./events.ts";
import { begun, type Redactor } from "./redact.ts";

/** Characters of a `verbose` event at most. */
const TEXT_LIMIT = 16_000;
const FRAME_BEGIN = "\x1e";
const FRAME_END = "\x1f";

const eventSchema = z.object({
  uuid: z.uuid(),
  event: z.string().min(1),
  created: z.string(),
  stdout: z.string(),
  event_data: z.looseObject({
    host: z.string().default(""),
    play: z.string().default(""),
    task: z.string().default(""),
    role: z.string().default(""),
    res: z.looseObject({}).optional(),
  }),
});

const FAILED = new Set([
  "runner_on_failed",
  "runner_on_unreachable",
  "runner_on_async_failed",
  "runner_item_on_failed",
]);

/** Reads one program's output. */
export class Output {
  readonly #redactor: Redactor;
  readonly #begin: string;
  // What has come and is not an event yet: a text without its end, or a frame without its.
  #rest = "";
  // Frames of an event that goes on.
  #parts = "";

  /** @param mark Begins the frames; without one all is text. */
  constructor(redactor: Redactor, mark: string = randomUUID()) {
    this.#redactor = redactor;
    this.#begin = `${FRAME_BEGIN}${mark}:`;
  }

  /** Take a piece; gives what is complete with it. */
  push(text: string): Draft[] {
    this.#rest += text;
    const drafts: Draft[] = [];
    for (;;) {
      const at = this.#rest.indexOf(this.#begin);
      if (at < 0) break;
      drafts.push(...this.#texts(this.#rest.slice(0, at)));
      this.#rest = this.#rest.slice(at);
      const end = this.#rest.indexOf(FRAME_END);
      if (end < 0) return drafts;
      drafts.push(...this.#frame(this.#rest.slice(this.#begin.length, end)));
      this.#rest = this.#rest.slice(end + 1);
    }
    return [...drafts, ...this.#take(this.#complete())];
  }

  /** The line that has begun, for those who follow; what may be the beginning of something waits. */
  flush(): Draft[] {
    return this.#rest.startsWith(this.#begin) ? [] : this.#take(this.#settled());
  }

  /** What is left when no more comes. */
  end(): Draft[] {
    return this.#take(this.#rest.length);
  }

  /** How much of the rest are whole lines; of a line that is too long, all that is settled. */
  #complete(): number {
    const line = this.#rest.lastIndexOf("\n") + 1;
    return this.#rest.length - line <= TEXT_LIMIT ? line : this.#settled();
  }

  /** How much of the rest is neither a part of a secret nor of a frame. */
  #settled(): number {
    this.#rest = this.#redactor.text(this.#rest);
    return this.#rest.length - Math.max(this.#redactor.begun(this.#rest), begun(this.#rest, this.#begin));
  }

  #take(length: number): Draft[] {
    const end = whole(this.#rest, length);
    const taken = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end);
    return this.#texts(taken);
  }

  #texts(text: string): Draft[] {
    const clean = this.#redactor.text(text);
    const drafts: Draft[] = [];
    for (let at = 0; at < clean.length;) {
      // Whole lines, as far as there are any.
      const most = at + TEXT_LIMIT;
      const line = clean.length <= most ? clean.length : clean.lastIndexOf("\n", most - 1) + 1;
      const end = line > at ? line : whole(clean, most);
      drafts.push(verbose(clean.slice(at, end)));
      at = end;
    }
    return drafts;
  }

  #frame(frame: string): Draft[] {
    this.#parts += frame.slice(1);
    if (frame[0] === "+") return [];
    const text = this.#parts;
    this.#parts = "";
    const read = eventSchema.safeParse(json(text));
    // Somebody else's idea of an event: shown, not lost.
    if (!read.success) return this.#texts(`${text}\n`);
    const { uuid, event, created, stdout, event_data } = read.data;
    const { host, play, task, role, res } = event_data;
    const about = { host, play, task, role };
    return [{
      uuid,
      event,
      created,
      stdout: this.#redactor.text(stdout),
      ...this.#redactor.data(about) as typeof about,
      failed: FAILED.has(event),
      changed: res?.changed === true,
      event_data: this.#redactor.data(event_data) as Record<string, unknown>,
    }];
  }
}

/** A place to cut a text at, or the one before it where that is inside of a character. */
function whole(text: string, at: number): number {
  const first = text.charCodeAt(at - 1);
  return at < text.length && first >= 0xd800 && first < 0xdc00 ? at - 1 : at;
}

/** A text as an event. */
export function verbose(stdout: string): Draft {
  return { event: "verbose", stdout };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
