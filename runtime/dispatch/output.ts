/**
 * What attempts print and say, on its way from the pool to the table: in batches, beside the settling, and never in its
 * way.
 *
 * | what can fail | what happens |
 * |---|---|
 * | the database is away | lines are kept, up to a bound, and written later; written twice they change nothing |
 * | there are more lines than the bound | the newest are dropped; how many is said in the log |
 * | a task prints without end | its thread sends a bounded number of lines, then a count |
 *
 * @module
 */
import { type Clock, jitter } from "../clock.ts";
import type { Events } from "../events.ts";
import { redactLine } from "../redact.ts";
import type { LogStore, NewLine } from "../store/log.ts";
import type { Claimed } from "../store/store.ts";

const BATCH = 500;
const MOST = 20_000;
/** How long lines wait for company; those of an attempt that ends do not. */
const GATHER_MS = 200;
const RETRY_MS = 1_000;

interface Waiting extends Omit<NewLine, "age"> {
  /** Monotonic milliseconds. */
  since: number;
}

/** What it writes with. */
export interface OutputParts {
  node: string;
  store: LogStore;
  clock: Clock;
  events: Events;
}

/** The lines of all attempts of one node. */
export class OutputWriter {
  readonly #parts: OutputParts;
  // How many lines each attempt has; an attempt is the same object from its claim to its end.
  readonly #counts = new WeakMap<Claimed, number>();
  #waiting: Waiting[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #writing: Promise<void> | undefined;
  #dropped = 0;

  constructor(parts: OutputParts) {
    this.#parts = parts;
  }

  /** Keep a text of one or more lines, redacted; returns it as it may be shown. */
  put(claimed: Claimed, level: string, text: string): string {
    const shown = redactLine(text);
    const { uuid, fence, attempt } = claimed;
    const since = this.#parts.clock.monotonic();
    for (const line of shown.split("\n")) {
      const seq = (this.#counts.get(claimed) ?? 0) + 1;
      this.#counts.set(claimed, seq);
      if (this.#waiting.length >= MOST) this.#dropped++;
      else this.#waiting.push({ uuid, fence, seq, attempt, level, text: line, since });
    }
    if (this.#waiting.length >= BATCH) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), GATHER_MS);
    return shown;
  }

  /** An attempt has ended: who follows it wants its last lines. */
  ended(claimed: Claimed): void {
    if (this.#counts.has(claimed)) void this.flush();
  }

  /** Write all that waits; resolves when it is written, or cannot be now. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return this.#writing ??= this.#write().finally(() => this.#writing = undefined);
  }

  async #write(): Promise<void> {
    const { node, store, clock } = this.#parts;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH);
      const now = clock.monotonic();
      try {
        await store.writeLog(node, batch.map(({ since, ...line }) => ({ ...line, age: now - since })));
      } catch {
        // The settling says that the database is away.
        this.#timer ??= setTimeout(() => void this.flush(), jitter(RETRY_MS));
        return;
      }
      this.#waiting.splice(0, batch.length);
    }
    if (this.#dropped === 0) return;
    const text = `${this.#dropped} lines of output were dropped: the database did not take them in time`;
    this.#dropped = 0;
    this.#parts.events.emit("warning", "output.dropped", text);
  }

  /** Write what is left, and no more. */
  async close(): Promise<void> {
    await this.flush();
    clearTimeout(this.#timer);
  }
}
