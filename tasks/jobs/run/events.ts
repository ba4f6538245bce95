/**
 * The events of one job on their way: numbered without gaps, gathered for a moment, written in batches. Where the
 * store is away they wait here; when too many wait, whoever makes them is made to wait as well.
 *
 * @module
 */
import { randomUUID } from "node:crypto";

/** What is known of an event before it is one. */
export interface Draft {
  uuid?: string;
  event: string;
  /** ISO. */
  created?: string;
  host?: string;
  play?: string;
  task?: string;
  role?: string;
  failed?: boolean;
  changed?: boolean;
  /** With its line ends: the output of a job is that of its events, one after the other. */
  stdout: string;
  event_data?: Record<string, unknown>;
}

/** An event as it is stored and sent. */
export interface JobEvent extends Required<Draft> {
  job_id: number;
  /** From 1. */
  counter: number;
  /** Lines of the output before it, and with it. */
  start_line: number;
  end_line: number;
}

/** Where events go. */
export interface EventStore {
  /** Written twice they are there once. */
  write(events: readonly JobEvent[]): Promise<void>;
  /** The last word of a job: so many there are. Not asked where the end of the job itself says so. */
  end?(jobId: number, events: number): Promise<void>;
  /** Whether what failed may work later. */
  isTransient(error: unknown): boolean;
  close(): Promise<void>;
}

/** Events in a batch, and milliseconds for which the first of it waits. */
const BATCH = 500;
const GATHER_MS = 250;
/** What may wait: then nothing more is read. */
const MOST_EVENTS = 5_000;
const MOST_CHARACTERS = 8_000_000;
/** For the last events of what is aborted. */
const LAST_WORDS_MS = 250;
const AGAIN_MS = { first: 100, most: 2_000 };

/** Where a job's events begin: at 0, unless it was interrupted and begins again. */
export interface Beginning {
  counter: number;
  lines: number;
}

/** Takes the events of one job. */
export class EventSink {
  readonly #jobId: number;
  readonly #store: EventStore;
  #counter: number;
  #lines: number;
  #waiting: JobEvent[] = [];
  #characters = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  // The writing under way.
  #writing: Promise<void> | undefined;
  #failed: Error | undefined;
  #roomFor: (() => void)[] = [];
  #closed = false;

  constructor(jobId: number, store: EventStore, { counter, lines }: Beginning = { counter: 0, lines: 0 }) {
    this.#jobId = jobId;
    this.#store = store;
    this.#counter = counter;
    this.#lines = lines;
  }

  /** How many there were. */
  get count(): number {
    return this.#counter;
  }

  /**
   * Take events. Resolves when there is room for more.
   *
   * @throws What the store said of events that it will never take.
   */
  async add(drafts: readonly Draft[]): Promise<void> {
    if (this.#failed) throw this.#failed;
    // The last words of what was killed.
    if (this.#closed) return;
    for (const draft of drafts) this.#put(draft);
    if (this.#waiting.length >= BATCH) this.#write();
    else if (this.#waiting.length > 0) this.#timer ??= setTimeout(() => this.#write(), GATHER_MS);
    if (this.#waiting.length > MOST_EVENTS || this.#characters > MOST_CHARACTERS) {
      await new Promise<void>((room) => this.#roomFor.push(room));
      if (this.#failed) throw this.#failed;
    }
  }

  #put(draft: Draft): void {
    const lines = count(draft.stdout, "\n");
    const event: JobEvent = {
      host: "",
      play: "",
      task: "",
      role: "",
      failed: false,
      changed: false,
      ...draft,
      uuid: draft.uuid ?? randomUUID(),
      created: draft.created ?? new Date().toISOString(),
      event_data: draft.event_data ?? {},
      job_id: this.#jobId,
      counter: ++this.#counter,
      start_line: this.#lines,
      end_line: this.#lines += lines,
    };
    this.#characters += event.stdout.length;
    this.#waiting.push(event);
  }

  /**
   * Write what is left and, where the store wants it, the end.
   *
   * @param hurry Once it is aborted, an outage is not waited for any longer than a moment.
   * @throws What the store said.
   */
  async close({ hurry, end = true }: { hurry?: AbortSignal; end?: boolean } = {}): Promise<void> {
    let bound: ReturnType<typeof setTimeout> | undefined;
    const aborted = () => bound = setTimeout(() => this.#closed = true, LAST_WORDS_MS);
    if (hurry?.aborted) aborted();
    else hurry?.addEventListener("abort", aborted);
    try {
      this.#write();
      while (this.#writing) await this.#writing;
      if (this.#failed) throw this.#failed;
      if (end) await this.#patiently(async () => await this.#store.end?.(this.#jobId, this.#counter));
    } finally {
      this.#closed = true;
      hurry?.removeEventListener("abort", aborted);
      clearTimeout(bound);
      clearTimeout(this.#timer);
      await this.#store.close();
    }
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing ??= this.#writeAll().catch((error) => {
      this.#failed = error as Error;
      this.#waiting = [];
    }).finally(() => {
      this.#writing = undefined;
      for (const room of this.#roomFor.splice(0)) room();
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH);
      await this.#patiently(() => this.#store.write(batch));
      this.#waiting = this.#waiting.slice(batch.length);
      for (const { stdout } of batch) this.#characters -= stdout.length;
      for (const room of this.#roomFor.splice(0)) room();
    }
  }

  /** Again and again while the store is away. */
  async #patiently(work: () => Promise<unknown>): Promise<void> {
    for (let pause = AGAIN_MS.first;; pause = Math.min(pause * 2, AGAIN_MS.most)) {
      try {
        return void await work();
      } catch (error) {
        if (this.#closed || !this.#store.isTransient(error)) throw error;
        await new Promise((again) => setTimeout(again, pause * (0.5 + Math.random())));
      }
    }
  }
}

function count(text: string, what: string): number {
  let found = 0;
  for (let at = text.indexOf(what); at >= 0; at = text.indexOf(what, at + 1)) found++;
  return found;
}
