/**
 * Progress of long work: one line on stderr that is written over, on a terminal only.
 *
 * @module
 */
import type { IO } from "./io.ts";

const EVERY_MS = 100;
const WIDTH = 24;

/** A bar, or a count where nobody knows how much there is. */
export class Progress {
  readonly #io: Pick<IO, "status" | "columns">;
  readonly #label: string;
  readonly #now: () => number;
  readonly #startedAt: number;
  #drawnAt = -Infinity;
  #drawn = false;
  #done = 0;
  total: number | undefined;

  constructor(
    io: Pick<IO, "status" | "columns">,
    label: string,
    total?: number,
    now: () => number = () => performance.now(),
  ) {
    this.#io = io;
    this.#label = label;
    this.total = total;
    this.#now = now;
    this.#startedAt = now();
  }

  /** So much more is done. */
  advance(count: number, total: number | undefined = this.total): void {
    this.#done += count;
    this.total = total;
    if (this.#now() - this.#drawnAt < EVERY_MS) return;
    this.#drawnAt = this.#now();
    this.#drawn = true;
    this.#io.status?.(this.text().slice(0, this.#io.columns - 1));
  }

  /** What the line says. */
  text(): string {
    const { total } = this;
    const seconds = (this.#now() - this.#startedAt) / 1000;
    const rate = seconds < 0.5 ? "" : `  ${Math.round(this.#done / seconds)}/s`;
    if (total === undefined) return `${this.#label} ${this.#done}${rate}`;
    const part = total === 0 ? 1 : Math.min(1, this.#done / total);
    const full = Math.round(part * WIDTH);
    const bar = `[${"=".repeat(full)}${" ".repeat(WIDTH - full)}]`;
    return `${this.#label} ${bar} ${Math.floor(part * 100)} %  ${this.#done}/${total}${rate}`;
  }

  /** Take the line away: what follows stands on it. */
  end(): void {
    if (this.#drawn) this.#io.status?.("");
    this.#drawn = false;
  }
}
