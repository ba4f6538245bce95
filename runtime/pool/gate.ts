/**
 * Which of the jobs that a thread was given it may still begin. A thread gets several at once and runs them one after
 * the other, without a word of its host's between two; a busy thread hears no word at all. So the two share a number:
 * of the job that was begun last.
 *
 * ```text
 *  thread:  begin(n)      n − 1 → n, or else n was taken back
 *  host:    takeBack(m)   whatever it is → m, the last that was given: none up to m begins any more
 * ```
 *
 * @module
 */

/** The two ends of one gate; each makes it of the same memory. Jobs are counted from 1. */
export class Gate {
  readonly memory: SharedArrayBuffer;
  readonly #begun: Int32Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.memory = memory;
    this.#begun = new Int32Array(memory);
  }

  /** The thread begins a job; false when it was taken back. */
  begin(job: number): boolean {
    return Atomics.compareExchange(this.#begun, 0, job - 1, job) === job - 1;
  }

  /** Whether there is one that has not begun, up to this one, the last that was given. */
  hasMore(given: number): boolean {
    return given > Atomics.load(this.#begun, 0);
  }

  /** The host takes back what has not begun of the jobs up to this one, the last that was given; how many those are. */
  takeBack(given: number): number {
    return given - Atomics.exchange(this.#begun, 0, given);
  }
}
