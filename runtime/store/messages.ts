/**
 * Where what comes from the server is read to, on Node: one piece of memory for each connection, out of which the client
 * is handed whole messages. Else each read makes a buffer of its own, and the client joins those that a message spans:
 * with arguments of 10 kB a third of a dispatcher's time was the engine looking for what it could throw away.
 *
 * ```text
 *  memory:  [ message | message | half a mess………… room ]
 *             └── handed out ───┘ └─ goes to the front ─► the rest is read behind it
 * ```
 *
 * What is handed out lasts for as long as the call does: the client makes strings of it at once. (It keeps what a COPY
 * or `.raw()` brings; connections with either must be read as usual.)
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** What a connection has at first, and the most that it keeps once a larger message is through. */
const FIRST = 2 ** 16;
const KEPT = 2 ** 18;
/** The type of a message, and its length, which counts itself. */
const HEAD = 5;

/** The memory of one connection, from its first message on. */
export class Messages {
  #memory: Buffer = Buffer.allocUnsafeSlow(FIRST);
  #filled = 0;

  /** Where to read to. */
  room(): Uint8Array {
    return this.#memory.subarray(this.#filled);
  }

  /** So many bytes came there. Hands out the messages that are whole, one behind the other; none: does not. */
  came(count: number, hand: (messages: Buffer) => void): void {
    const end = this.#filled + count;
    const { whole, wants } = wholeOf(this.#memory, end);
    this.#filled = end - whole;
    try {
      if (whole > 0) hand(this.#memory.subarray(0, whole));
    } finally {
      this.#keep(whole, end, wants);
    }
  }

  /** What is left goes to the front, of another piece of memory if this one is too small or too large. */
  #keep(whole: number, end: number, wants: number): void {
    const size = this.#sizeFor(wants, end === this.#memory.length);
    const rest = this.#memory.subarray(whole, end);
    if (size !== this.#memory.length) this.#memory = Buffer.allocUnsafeSlow(size);
    if (whole > 0 || rest.buffer !== this.#memory.buffer) this.#memory.set(rest);
  }

  /** It grows with what has come: what a message says of its length may be anything, if no PostgreSQL is there. */
  #sizeFor(wants: number, isFull: boolean): number {
    const { length } = this.#memory;
    if (wants > KEPT) return isFull ? Math.min(2 * length, Math.max(wants, length)) : length;
    return isFull || length > KEPT ? Math.min(2 * length, KEPT) : length;
  }
}

/** How many of so many bytes are whole messages, and what the next one wants, as far as that is known. */
function wholeOf(memory: Buffer, end: number): { whole: number; wants: number } {
  let whole = 0;
  while (whole + HEAD <= end) {
    const wants = 1 + memory.readUInt32BE(whole + 1);
    if (whole + wants > end) return { whole, wants };
    whole += wants;
  }
  return { whole, wants: 0 };
}
