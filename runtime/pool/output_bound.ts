/**
 * How much of what an attempt says leaves its thread: so many lines and characters, then only how many there were. A
 * task that prints without end costs a count.
 *
 * @module
 */

const LINE_LIMIT = 10_000;

/** The bound of one attempt after the other. */
export class OutputBound {
  readonly #most: { lines: number; characters: number };
  #lines = 0;
  #characters = 0;
  #cut = 0;

  constructor(lines: number, characters: number) {
    this.#most = { lines, characters };
  }

  /** What may be said of a text, whose first line had so many more characters: all, its first lines, or nothing. */
  take(text: string, unseen = 0): string | null {
    const lines = text.split("\n");
    const kept: string[] = [];
    for (const [i, line] of lines.entries()) {
      const length = i === 0 ? line.length + unseen : line.length;
      const clipped = length > LINE_LIMIT ? `${line.slice(0, LINE_LIMIT)}… (${length} characters)` : line;
      if (this.#cut > 0 || this.#lines >= this.#most.lines || !this.#hasRoom(clipped)) this.#cut++;
      else {
        this.#lines++;
        this.#characters += clipped.length;
        kept.push(clipped);
      }
    }
    return kept.length === 0 ? null : kept.join("\n");
  }

  #hasRoom(line: string): boolean {
    return this.#characters + line.length <= this.#most.characters;
  }

  /** Begin anew for the next attempt; how many lines of this one were cut. */
  end(): number {
    const cut = this.#cut;
    this.#lines = this.#characters = this.#cut = 0;
    return cut;
  }
}
