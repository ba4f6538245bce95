/**
 * Rows as they leave the database: as JSON, since arrays, big numbers and times are then the same over every
 * connection, and checked, since another version may have written them.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import type { z } from "zod";

/** A pool or a transaction of the `postgres` package. */
export interface Db {
  unsafe(text: string, params?: never[]): PromiseLike<readonly Record<string, unknown>[]>;
}

/**
 * Run a statement that returns rows (a select, or an insert, update or delete with `returning`) and check them. Cast
 * each parameter; JSON is given as `$1::text::jsonb` with {@link json}, arrays as `$1::text::bigint[]` with {@link list}.
 *
 * @throws {DispatcherError} `invalid_row` is said as `config`: the row and the column are named, not the value.
 *
 * @example
 * ```ts ignore
 * const hosts = await rows(sql, hostSchema, "select * from awx.host where inventory_id = $1::bigint", [3]);
 * ```
 */
export async function rows<T>(
  db: Db,
  schema: z.ZodType<T>,
  text: string,
  params: readonly unknown[] = [],
): Promise<T[]> {
  const found = await db.unsafe(`with r as (${text}) select to_jsonb(r) as row from r`, params as never[]);
  return found.map(({ row }) => {
    const parsed = schema.safeParse(row);
    if (parsed.success) return parsed.data;
    const [{ path, message }] = parsed.error.issues;
    const id = (row as { id?: unknown }).id ?? "without id";
    throw new DispatcherError("config", `Cannot read row ${id}: ${path.join(".")}: ${message}`);
  });
}

/** The first row, or undefined. */
export async function row<T>(
  db: Db,
  schema: z.ZodType<T>,
  text: string,
  params: readonly unknown[] = [],
): Promise<T | undefined> {
  return (await rows(db, schema, text, params))[0];
}

/** A value for `$n::text::jsonb`. */
export function json(value: unknown): string {
  return JSON.stringify(value ?? null);
}

/** Numbers for `$n::text::bigint[]`. */
export function list(ids: readonly number[]): string {
  return `{${ids.join(",")}}`;
}

/** What was asked for is not there. */
export function notFound(what: string, name: unknown): DispatcherError {
  return new DispatcherError("not_found", `Cannot find ${what} ${JSON.stringify(name)}`);
}
