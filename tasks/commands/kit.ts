/**
 * What all commands of the control plane are made of: its database, its flags, and the forms in which rows are shown.
 *
 * @module
 */
import type { Client } from "edge-dispatcher";
import {
  type Column,
  type Context,
  DATABASE_FLAGS,
  type Flags,
  type IO,
  JSON_FLAG,
  oneLine,
  usage,
  writeTable,
} from "edge-dispatcher/command";
import type { Db } from "../jobs/model/rows.ts";

/** Flags of every command that reads or changes one thing. */
export const COMMON: Flags = { ...JSON_FLAG, ...DATABASE_FLAGS };

/** The flag of lists. */
export const LIMIT: Flags = {
  "max": { type: "number", value: "N", help: "So many at most, by default 100" },
};

/** A client, and its database. */
export async function connected(context: Context): Promise<{ client: Client; db: Db }> {
  const client = await context.client();
  return { client, db: client.database() };
}

/**
 * The one word behind a command.
 *
 * @throws {DispatcherError} `usage` for none and for several.
 */
export function nameOf({ rest }: Pick<Context, "rest">, what: string): string {
  if (rest.length === 1) return rest[0];
  if (rest.length === 0) throw usage(`Cannot ${what}: name one`);
  throw usage(
    `Cannot ${what}: name one, not ${rest.length}: ${rest.map((word) => JSON.stringify(word)).join(", ")}`,
  );
}

/** So many as `--max` says. */
export function maxOf({ flags }: Pick<Context, "flags">): number {
  const max = (flags.max as number | undefined) ?? 100;
  if (Number.isInteger(max) && max >= 1 && max <= 100_000) return max;
  throw usage(`Flag --max needs a whole number from 1 to 100000: given "${max}"`);
}

/** A job's number. */
export function jobIdOf(word: string): number {
  if (/^[1-9]\d{0,14}$/.test(word)) return Number(word);
  throw usage(`Cannot find job ${JSON.stringify(word)}: a job has a number`);
}

/** How a row is shown in a table. */
export type Cells<Row> = readonly [title: string, cell: (row: Row) => unknown, right?: boolean][];

/** Rows as a table, or as JSON, one a line. */
export function writeRows<Row>(
  { io, flags }: Pick<Context, "io" | "flags">,
  cells: Cells<Row>,
  rows: readonly Row[],
): void {
  if (flags.json) {
    for (const row of rows) io.out(JSON.stringify(row));
    return;
  }
  const columns: Column[] = cells.map(([title, , right]) => ({ title, right }));
  writeTable(io, columns, rows.map((row) => cells.map(([, cell]) => text(cell(row)))));
}

/** A line for each pair; those without a value are left out. */
export function writePairs(io: IO, pairs: readonly (readonly [name: string, value: unknown])[]): void {
  const shown = pairs.filter(([, value]) => !isEmpty(value));
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  for (const [name, value] of shown) io.out(`  ${name.padEnd(width)}  ${oneLine(text(value))}`);
}

/** What became of one thing: a line, or the row as JSON. */
export function tell({ io, flags }: Pick<Context, "io" | "flags">, row: unknown, line: string): void {
  io.out(flags.json ? JSON.stringify(row) : line);
}

/** An ISO time to the second, as tables have it. */
export function moment(time: string | null): string {
  return time === null ? "-" : `${new Date(time).toISOString().slice(0, 19)}Z`;
}

function text(value: unknown): string {
  if (value === null || value === undefined || value === "") return "-";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.length === 0 ? "-" : value.map(String).join(",");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Whether there is nothing to show of it. */
export function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
