/**
 * Tables: aligned on a terminal, tab-separated in a pipe.
 *
 * @module
 */
import type { IO } from "./io.ts";

/** A column: its heading and whether numbers stand in it. */
export interface Column {
  title: string;
  right?: boolean;
}

/** Write rows. In a pipe there is no heading, so that every line is a row. */
export function writeTable(io: IO, columns: Column[], rows: string[][]): void {
  const lines = rows.map((row) => row.map(oneLine));
  if (!io.tty) {
    for (const row of lines) io.out(row.join("\t"));
    return;
  }
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...lines.map((row) => row[i].length))
  );
  const line = (cells: string[]) =>
    cells.map((cell, i) => columns[i].right ? cell.padStart(widths[i]) : cell.padEnd(widths[i])).join("  ")
      .slice(0, io.columns)
      .trimEnd();
  io.out(line(columns.map((column) => column.title)));
  for (const row of lines) io.out(line(row));
}

/** A text that stays on its line and in its column. */
export function oneLine(text: string): string {
  return text.replace(/[\t\n]/g, " ");
}

/** Seconds as a person says them: `0.4 s`, `12 s`, `3 min`, `2 h`, `5 d`. */
export function ago(seconds: number): string {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** Bytes as the status screen has them: `106.730MB`. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(3)}MB`;
}
