/**
 * Where a thread lays the ends of attempts while it goes on with the next, for its host to fetch: memory of both, which
 * outlives the thread. A message for each would cost more than all else that is done for a small task.
 *
 * ```text
 *  thread:  put() ─ bell ─►  put()  put()  …  put()           with the last, or before any other message: take()
 *  host:                          a moment later take()       also before it says that the thread has ended
 * ```
 *
 * | what could go wrong | why it does not |
 * |---|---|
 * | both take the same | a take counts only if nothing was put or taken since it looked: the state changes with each |
 * | a message overtakes what lies here, or is overtaken | before a message the thread posts what is left; after it nothing is put until the host says that it has come |
 * | the thread dies while it puts something | the state changes last: then it is not there, as if it had died before |
 * | the thread dies while it takes what is left | it is text already when it is taken, and posted at once |
 * | a task posts messages by itself | the numbers differ from then on, and nothing more is put: all travels as messages |
 *
 * @module
 */

/** Words of the memory: the gate's, then these. */
const STATE = 1;
const RECEIVED = 2;
const BELL = 3;
const HEAD_BYTES = 16;
/** A host fetches it within a millisecond or two, in which so much is not said. */
const ROOM = 32_768;
/** Characters of a text at most; what is larger is better off as a message. */
const LARGE = 1_000;

/** Bytes that a tray shares with a gate. */
export const TRAY_BYTES = HEAD_BYTES + ROOM;

const decoder = new TextDecoder();

/** The two ends of one tray; each makes it of the same memory. */
export class Tray {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  // Messages that went to the host; written and read by the thread.
  #posted = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, HEAD_BYTES / 4);
    this.#bytes = new Uint8Array(memory, HEAD_BYTES, ROOM);
  }

  // ---- thread

  /** Lay a text behind the others; false when it must be a message. */
  put(text: string): boolean {
    if (text.length > LARGE || Atomics.load(this.#words, RECEIVED) !== this.#posted) return false;
    const { length } = text;
    const bytes = this.#bytes;
    while (true) {
      const state = Atomics.load(this.#words, STATE);
      const used = state & 0xffff;
      if (used + length > ROOM) return false;
      // Not by an encoder: to make it a view of the place costs more than this does.
      for (let i = 0; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code > 0x7f) return false;
        bytes[used + i] = code;
      }
      if (Atomics.compareExchange(this.#words, STATE, state, state + length) === state) return true;
    }
  }

  get isEmpty(): boolean {
    return (Atomics.load(this.#words, STATE) & 0xffff) === 0;
  }

  /** Whether the host must be told that something lies here: it does not know yet. */
  ring(): boolean {
    return Atomics.exchange(this.#words, BELL, 1) === 0;
  }

  /** A message goes to the host, behind all that lay here. */
  posting(): void {
    this.#posted = (this.#posted + 1) | 0;
  }

  // ---- host

  /** A message has come. */
  received(): void {
    Atomics.add(this.#words, RECEIVED, 1);
  }

  /** Take what lies here, and want to be told of what comes. */
  fetch(): string {
    Atomics.store(this.#words, BELL, 0);
    return this.take();
  }

  // ---- both

  /** Take what lies here, one text behind the other. */
  take(): string {
    while (true) {
      const state = Atomics.load(this.#words, STATE);
      const used = state & 0xffff;
      if (used === 0) return "";
      // Made before it is taken: a thread whose heap is full may end here.
      const text = decoder.decode(this.#bytes.slice(0, used));
      // Of another number, so that it is not mistaken for what is put next, if that is as long.
      const empty = ((state >>> 16) + 1) << 16;
      if (Atomics.compareExchange(this.#words, STATE, state, empty) === state) return text;
    }
  }
}
