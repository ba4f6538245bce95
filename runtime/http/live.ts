/**
 * Whoever watches gets what has changed, as server-sent events. However many watch, the cluster is looked at once a
 * round, each page is drawn once a round for all who watch it, and while nobody watches nothing happens at all.
 *
 * ```text
 *   first watcher ──► round: look ──► draw each page ──► send what changed ──► rest ──┐
 *                       ▲                                                             │
 *                       └──────────────────────── while somebody watches ◄────────────┘
 * ```
 *
 * | what fails | what happens |
 * |---|---|
 * | the database | each round says so, beside what was known last |
 * | a watcher that does not read | it is sent nothing until it has, then everything; after a while its stream is ended |
 * | a page that is dear to draw | it is drawn less often, so that drawing takes a sixth of the time at most |
 *
 * @module
 */
import { jitter } from "../clock.ts";
import { errorLine } from "../errors.ts";
import type { HttpParts } from "./parts.ts";
import type { Sampler } from "./sampler.ts";

/** From the beginning of one round to that of the next, and between two in any case. */
const [PERIOD_MS, REST_MS] = [550, 150];
/** Times as long as its drawing took a page rests. */
const REST_FACTOR = 5;
const MOST_WATCHERS = 500;
/** Bytes that may wait for a watcher to read them, and rounds that it may not. */
const [MOST_BYTES, MOST_SKIPPED] = [1_048_576, 40];

/** What a page says now, by section. */
export type Drawing = ReadonlyMap<string, string>;

/** One page as somebody watches it. */
export interface Watched {
  /** The same for the same drawing. */
  key: string;
  draw(): Promise<Drawing>;
  /** One event from what has changed. */
  event(changed: Drawing, about: About): string;
  /** For this watcher alone. */
  personal?(text: string): string;
}

/** How old a drawing is. */
export interface About {
  /** ISO, by the database's clock; null before the first look. */
  now: string | null;
  /** Milliseconds since it was looked at. */
  age: number;
  failure: string | null;
}

interface Watcher {
  controller: ReadableStreamDefaultController<Uint8Array>;
  personal(text: string): string;
  /** It has not had all that was sent. */
  behind: boolean;
  skipped: number;
  end(): void;
}

interface Channel {
  watched: Watched;
  watchers: Set<Watcher>;
  drawing: Drawing;
  /** Milliseconds since 1970 at which it was looked at. */
  taken: number;
  /** Monotonic; not drawn before. */
  next: number;
}

const utf8 = new TextEncoder();
/** What differs between two drawings although nothing has changed: how long ago something was. */
const PASSING = /(<time [^>]*data-ago>|<span class="num" data-tick>)[^<]*/g;

/** All who watch one node's pages. */
export class Live {
  readonly #parts: HttpParts;
  readonly #sampler: Sampler;
  readonly #channels = new Map<string, Channel>();
  #running = false;

  constructor(parts: HttpParts, sampler: Sampler) {
    this.#parts = parts;
    this.#sampler = sampler;
    parts.closing.addEventListener("abort", () => this.#endAll(), { once: true });
  }

  get watchers(): number {
    return [...this.#channels.values()].reduce((sum, { watchers }) => sum + watchers.size, 0);
  }

  /** Watch; undefined when too many do. The stream ends when `gone` does, or the server. */
  watch(watched: Watched, gone: AbortSignal): ReadableStream<Uint8Array> | undefined {
    if (this.watchers >= MOST_WATCHERS || this.#parts.closing.aborted) return undefined;
    let watcher: Watcher;
    const end = () => this.#leave(watched.key, watcher);
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        const personal = watched.personal ?? ((text: string) => text);
        watcher = { controller, personal, behind: true, skipped: 0, end };
        this.#enter(watched, watcher);
        gone.addEventListener("abort", end, { once: true });
      },
      cancel: end,
    }, new ByteLengthQueuingStrategy({ highWaterMark: MOST_BYTES }));
  }

  #enter(watched: Watched, watcher: Watcher): void {
    const channel = this.#channels.get(watched.key) ??
      { watched, watchers: new Set(), drawing: new Map(), taken: 0, next: 0 };
    this.#channels.set(watched.key, channel);
    channel.watchers.add(watcher);
    // So that a browser knows at once that it is connected.
    watcher.controller.enqueue(utf8.encode("retry: 1000\n\n"));
    if (!this.#running) void this.#run();
  }

  #leave(key: string, watcher: Watcher): void {
    const channel = this.#channels.get(key);
    if (!channel?.watchers.delete(watcher)) return;
    if (channel.watchers.size === 0) this.#channels.delete(key);
    try {
      watcher.controller.close();
    } catch {
      // The other side has ended it.
    }
  }

  #endAll(): void {
    for (const { watchers } of this.#channels.values()) for (const watcher of [...watchers]) watcher.end();
  }

  async #run(): Promise<void> {
    const { clock, closing } = this.#parts;
    this.#running = true;
    try {
      while (this.#channels.size > 0 && !closing.aborted) {
        const begun = clock.monotonic();
        // Its failure is told to those who watch.
        await this.#sampler.take().catch(() => {});
        for (const channel of [...this.#channels.values()]) await this.#round(channel);
        await clock.sleep(Math.max(REST_MS, jitter(PERIOD_MS, 0.1) - (clock.monotonic() - begun)), closing);
      }
    } finally {
      this.#running = false;
    }
  }

  async #round(channel: Channel): Promise<void> {
    const { clock } = this.#parts;
    const begun = clock.monotonic();
    let { failure } = this.#sampler;
    let drawing = channel.drawing;
    if (begun >= channel.next && failure === null) {
      const taken = this.#sampler.last!.taken;
      try {
        drawing = await channel.watched.draw();
        channel.taken = taken;
      } catch (error) {
        failure = errorLine(error);
      }
      channel.next = begun + (clock.monotonic() - begun) * REST_FACTOR;
    }
    const now = this.#sampler.last?.now ?? null;
    const about = { now, age: clock.now() - channel.taken, failure };
    const changed = differences(channel.drawing, drawing);
    channel.drawing = drawing;
    this.#send(channel, changed, about);
  }

  #send({ watched, watchers, drawing }: Channel, changed: Drawing, about: About): void {
    const news = watched.event(changed, about);
    let whole: string | undefined;
    for (const watcher of [...watchers]) {
      const { controller, behind, personal } = watcher;
      if ((controller.desiredSize ?? 0) <= 0) {
        watcher.behind = true;
        if (++watcher.skipped > MOST_SKIPPED) watcher.end();
        continue;
      }
      if (behind) whole ??= watched.event(drawing, about);
      controller.enqueue(utf8.encode(personal(behind ? whole! : news)));
      // Before the first drawing there is nothing to be even with.
      watcher.behind = drawing.size === 0;
      watcher.skipped = 0;
    }
  }
}

function differences(before: Drawing, after: Drawing): Drawing {
  const still = (text: string | undefined) => text?.replace(PASSING, "$1");
  return new Map([...after].filter(([id, text]) => still(before.get(id)) !== still(text)));
}

/** An event as it goes over the line; JSON has no line breaks. */
export function eventText(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
