/**
 * What a worker says: reports to the pool, progress at a bounded rate, and questions whose answers come later.
 *
 * @module
 */
import type { ErrorRecord } from "../errors.ts";
import type { ThreadPort } from "../platform/thread.ts";
import { OutputBound } from "./output_bound.ts";
import type { Tray } from "./tray.ts";
import type { AskWhat, Done, LogLevel, Order, Report } from "./protocol.ts";
import { BETWEEN, writeCompletion, writeReport } from "./worker_texts.ts";

const PROGRESS_EVERY_MS = 100;

/** The voice of one worker. */
export class WorkerVoice {
  readonly #port: ThreadPort;
  readonly #tray: Tray;
  // Progress of the running job: the last one that is held back, when one was last sent, and when the next may be.
  #held: { uuid: string; text: string } | undefined;
  #sentAt = -Infinity;
  #next: ReturnType<typeof setTimeout> | undefined;
  // What bound tasks have asked and not heard yet, by number.
  readonly #asked = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  #askSequence = 0;
  readonly #bound: OutputBound;

  constructor(port: ThreadPort, tray: Tray, { lines = Infinity, characters = Infinity } = {}) {
    this.#port = port;
    this.#tray = tray;
    this.#bound = new OutputBound(lines, characters);
  }

  say(report: Report, text?: string): void {
    this.#post(writeReport(report, text));
  }

  /** Say how an attempt has ended; if the thread has more to do it may be told together with the next. */
  done(done: Done, text: string, more: boolean): void {
    const said = done.ok ? writeCompletion(done, text) : writeReport(done, text);
    const tray = this.#tray;
    if (!more && tray.isEmpty || !tray.put(BETWEEN + said)) this.#post(said);
    else if (!more) this.#sendLain();
    else if (tray.ring()) this.#port.ring();
  }

  #post(text: string): void {
    this.#sendLain();
    this.#send(text);
  }

  /** What lies in the tray goes as it is: nothing that could fail is done to it once it is taken. */
  #sendLain(): void {
    const lain = this.#tray.take();
    if (lain !== "") this.#send(lain);
  }

  #send(text: string): void {
    this.#tray.posting();
    this.#port.post(text);
  }

  /** Say it, as far as an attempt may still say something. */
  log(uuid: string | null, level: LogLevel, message: string, printed?: true, unseen?: number): void {
    const text = uuid === null ? message : this.#bound.take(message, unseen);
    if (text !== null) this.say({ t: "log", uuid, level, printed }, JSON.stringify(text));
  }

  progress(uuid: string, text: string): void {
    this.#held = { uuid, text };
    const wait = this.#sentAt + PROGRESS_EVERY_MS - performance.now();
    if (wait <= 0) this.#flush();
    // Not left for the next call: there may be none for an hour.
    else this.#next ??= setTimeout(() => this.#flush(), wait);
  }

  #flush(): void {
    clearTimeout(this.#next);
    this.#next = undefined;
    if (!this.#held) return;
    this.#sentAt = performance.now();
    this.say({ t: "progress", uuid: this.#held.uuid }, this.#held.text);
    this.#held = undefined;
  }

  /** Ask the dispatcher; rejects with its error. */
  ask(uuid: string, what: AskWhat, payload: unknown): Promise<unknown> {
    const id = ++this.#askSequence;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.say({ t: "ask", id, uuid, what }, JSON.stringify(payload));
    });
  }

  /** An answer came. */
  answered({ id, ok, value }: Extract<Order, { t: "answer" }>): void {
    const question = this.#asked.get(id);
    this.#asked.delete(id);
    if (ok) return question?.resolve(value);
    const { name, message, code } = value as ErrorRecord;
    question?.reject(Object.assign(new Error(message), { name, code }));
  }

  /** A task is over: its last progress goes out, and whoever still waits for an answer waits in vain. */
  taskEnded(uuid: string): void {
    if (this.#held) this.#flush();
    const cut = this.#bound.end();
    if (cut > 0) {
      this.say({ t: "log", uuid, level: "warning" }, JSON.stringify(`${cut} more lines were cut`));
    }
    this.#sentAt = -Infinity;
    if (this.#asked.size > 0) this.#asked.clear();
  }
}
