/**
 * What a measurement is: a question, and rows that answer it.
 *
 * @module
 */
import type { Runtime } from "./runtimes.ts";
import type { Site } from "./site.ts";

/** One line of an answer: who, and numbers by name. The unit stands in the name. */
export interface Row {
  peer: string;
  [number: string]: number | string;
}

/** A question and how to answer it. */
export interface Question {
  question: string;
  /** Rows, or rows by runtime. */
  run(site: Site): Promise<Row[] | Partial<Record<Runtime, Row[]>>>;
}

/** The middle one of several measurements. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The value below which so much of all lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** The median with the range of what was measured. */
export function spread(name: string, values: readonly number[]): Record<string, number> {
  return {
    [name]: rounded(median(values)),
    [`${name}_min`]: rounded(Math.min(...values)),
    [`${name}_max`]: rounded(Math.max(...values)),
  };
}

/** Four digits are more than machines here can repeat. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
