/**
 * What a measurement is: a question, and rows that answer it.
 *
 * @module
 */
import type { Runtime } from "../tests/harness/runtimes.ts";
import type { Site } from "./site.ts";

/** How our own rows are called. */
export const OURS = "edge-dispatcher";

/** One line of an answer: who, and numbers by name. The unit stands in the name. */
export interface Row {
  peer: string;
  [number: string]: number | string;
}

/** Rows by the runtime that our node ran on; peers are on Node always. */
export type Answer = Partial<Record<Runtime, Row[]>>;

/** A question and how to answer it. */
export interface Question {
  question: string;
  run(site: Site): Promise<Answer>;
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

/** Each row with `ratio`: its number as a part of the first row's, or of what is given. */
export function withRatio(rows: readonly Row[], name: string, to = rows[0]?.[name], ratio = "ratio"): Row[] {
  return rows.map((row) => {
    const part = Number(row[name]) / Number(to);
    return Number.isFinite(part) ? { ...row, [ratio]: rounded(part) } : row;
  });
}

/** Four digits are more than machines here can repeat. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
