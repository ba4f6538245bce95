/**
 * Making what is not there and changing what is otherwise.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import { DispatcherError } from "edge-dispatcher";
import type { Db } from "../../jobs/model/rows.ts";
import { create, findNamed, type Named, type Table, update } from "../../jobs/model/table.ts";

/** What became of one thing of a document. */
export interface Applied {
  kind: string;
  name: string;
  did: "created" | "changed" | "unchanged";
}

/** How rows of a table are made and changed, where that is more than the row. */
export interface Writers<Row> {
  create(db: Db, values: unknown): Promise<Row>;
  update(db: Db, id: number, patch: unknown): Promise<Row>;
}

/**
 * Have a row be as it is said.
 *
 * @param scope Columns within which its name is unique, such as its inventory.
 */
export async function upsert<Row extends Named>(
  db: Db,
  table: Table<Row>,
  values: { name: string } & Record<string, unknown>,
  { scope = {}, writers }: { scope?: { inventory_id?: number }; writers?: Writers<Row> } = {},
): Promise<{ row: Row; did: Applied["did"] }> {
  const write = writers ?? {
    create: (db, values) => create(db, table, values),
    update: (db, id, patch) => update(db, table, id, patch),
  };
  const old = await findNamed(db, table, values.name, scope);
  if (!old) return { row: await write.create(db, { ...scope, ...values }), did: "created" };
  const patch = Object.fromEntries(
    Object.entries(values).filter(([key, value]) =>
      !isDeepStrictEqual((old as Record<string, unknown>)[key], value)
    ),
  );
  if (Object.keys(patch).length === 0) return { row: old, did: "unchanged" };
  return { row: await write.update(db, old.id, patch), did: "changed" };
}

/**
 * The id of what a document names; null and undefined are themselves.
 *
 * @throws {DispatcherError} `usage` when it is not there.
 */
export async function idNamed<Row extends Named, N extends string | null | undefined>(
  db: Db,
  table: Table<Row>,
  name: N,
  where: string,
): Promise<number | Exclude<N, string>> {
  if (typeof name !== "string") return name as Exclude<N, string>;
  const found = await findNamed(db, table, name);
  if (found) return found.id;
  throw new DispatcherError(
    "usage",
    `Cannot apply ${where}: there is no ${table.noun} ${JSON.stringify(name)}`,
  );
}

/** Those of several names. */
export async function idsNamed<Row extends Named>(
  db: Db,
  table: Table<Row>,
  names: readonly string[] | undefined,
  where: string,
): Promise<number[] | undefined> {
  if (names === undefined) return undefined;
  const ids: number[] = [];
  for (const name of names) ids.push(await idNamed(db, table, name, where));
  return ids;
}

/** Columns that were said. */
export function given(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
