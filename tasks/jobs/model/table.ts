/**
 * The one way in which what has a name is made, changed, found and deleted. What is given is checked here; what the
 * database refuses is said in words.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { z } from "zod";
import { type Db, json, list, notFound, row, rows } from "./rows.ts";
import { inWords } from "./said.ts";
import { type Kind, refuseIfUsed } from "./uses.ts";

/** What every row here has. */
export interface Named {
  id: number;
  name: string;
}

/** A table of named things. Its columns are the keys of `input`; what is not given is the table's own default. */
export interface Table<Row extends Named> {
  kind: Kind;
  /** For messages. */
  noun: string;
  row: z.ZodType<Row>;
  /** What may be given. Without defaults, since a change gives only what it changes. */
  input: z.ZodObject;
  /** What must hold of all columns together; returns why it does not. */
  rule?(row: Partial<Row>): string | undefined;
  /** Columns that list the ids of others. */
  lists?: Readonly<Record<string, Kind>>;
}

/** A name: not blank, on one line. */
export const nameSchema = z.string().max(512).refine(
  // deno-lint-ignore no-control-regex
  (name) => name.trim() !== "" && !/[\u0000-\u001f\u007f]/.test(name),
  "a name is not blank and stays on one line",
);
export const idSchema = z.int().min(1);
export const wholeSeconds = z.int().min(0).max(2_147_483_647);

/**
 * Make one.
 *
 * @throws {DispatcherError} `usage` for what cannot be, `refused` for a name that is taken.
 *
 * @example
 * ```ts ignore
 * const project = await create(sql, PROJECTS, { name: "site", scm_type: "git", scm_url: "https://…" });
 * ```
 */
export async function create<Row extends Named>(db: Db, table: Table<Row>, input: unknown): Promise<Row> {
  const what = `create ${table.noun} ${quoted((input as Named)?.name)}`;
  const values = checked(table.input, input, what);
  obey(table, values as Partial<Row>, what);
  await listsExist(db, table, values, what);
  const columns = Object.keys(values).join(", ");
  const text = `insert into awx.${table.kind} (${columns})
    select ${columns} from jsonb_populate_record(null::awx.${table.kind}, $1::text::jsonb) returning *`;
  return (await inWords(what, values, () => row(db, table.row, text, [json(values)])))!;
}

/**
 * Change what is given and leave the rest.
 *
 * @throws {DispatcherError} `not_found`, `usage`, `refused`.
 */
export async function update<Row extends Named>(
  db: Db,
  table: Table<Row>,
  id: number,
  patch: unknown,
): Promise<Row> {
  const now = await byId(db, table, id);
  const what = `update ${table.noun} ${quoted(now.name)}`;
  const values = checked(table.input.partial(), patch, what);
  if (Object.keys(values).length === 0) return now;
  obey(table, { ...now, ...values }, what);
  await listsExist(db, table, values, what);
  const columns = Object.keys(values).join(", ");
  const text = `update awx.${table.kind} set (${columns}) =
      (select ${columns} from jsonb_populate_record(null::awx.${table.kind}, $2::text::jsonb))
    where id = $1::bigint returning *`;
  const changed = await inWords(what, values, () => row(db, table.row, text, [id, json(values)]));
  if (!changed) throw notFound(table.noun, id);
  return changed;
}

/**
 * Delete one that nothing uses.
 *
 * @throws {DispatcherError} `not_found`; `refused`, naming what uses it.
 */
export async function remove<Row extends Named>(db: Db, table: Table<Row>, id: number): Promise<Row> {
  const now = await locked(db, table, id);
  const what = `delete ${table.noun} ${quoted(now.name)}`;
  await refuseIfUsed(db, table.kind, id, what);
  await inWords(
    what,
    {},
    () => db.unsafe(`delete from awx.${table.kind} where id = $1::bigint`, [id] as never[]),
  );
  return now;
}

/** All of them by name, or those after a name. */
export async function listAll<Row extends Named>(
  db: Db,
  table: Table<Row>,
  { after, limit = 1_000 }: { after?: string; limit?: number } = {},
): Promise<Row[]> {
  return await rows(
    db,
    table.row,
    `select * from awx.${table.kind} where ($1::text is null or name > $1::text) order by name, id limit $2::int`,
    [after ?? null, limit],
  );
}

/** @throws {DispatcherError} `not_found`. */
export async function byId<Row extends Named>(db: Db, table: Table<Row>, id: number): Promise<Row> {
  const found = await row(db, table.row, `select * from awx.${table.kind} where id = $1::bigint`, [id]);
  if (!found) throw notFound(table.noun, id);
  return found;
}

/**
 * The one of this name; else, where it is a number, the one of this id.
 *
 * @throws {DispatcherError} `not_found`.
 */
export async function byName<Row extends Named>(db: Db, table: Table<Row>, name: string): Promise<Row> {
  const found = await row(
    db,
    table.row,
    `select * from awx.${table.kind} where name = $1::text or id = $2::bigint order by name = $1::text desc limit 1`,
    [name, /^[1-9]\d{0,14}$/.test(name) ? Number(name) : null],
  );
  if (!found) throw notFound(table.noun, name);
  return found;
}

/** The one of exactly this name, if there is one; in an inventory, where names are unique there. */
export async function findNamed<Row extends Named>(
  db: Db,
  table: Table<Row>,
  name: string,
  scope: { inventory_id?: number } = {},
): Promise<Row | undefined> {
  const scoped = scope.inventory_id === undefined
    ? `select * from awx.${table.kind} where name = $1::text`
    : `select * from awx.${table.kind} where name = $1::text and inventory_id = $2::bigint`;
  return await row(
    db,
    table.row,
    scoped,
    scope.inventory_id === undefined ? [name] : [name, scope.inventory_id],
  );
}

/** The row, which nobody deletes or points at while the transaction lasts. */
export async function locked<Row extends Named>(db: Db, table: Table<Row>, id: number): Promise<Row> {
  const text = `select * from awx.${table.kind} where id = $1::bigint for update`;
  const found = await row(db, table.row, text, [id]);
  if (!found) throw notFound(table.noun, id);
  return found;
}

/**
 * Check what was given.
 *
 * @param secret Whether the value must not be in the message.
 * @throws {DispatcherError} `usage`, naming the field and the value.
 */
export function checked<T>(schema: z.ZodType<T>, input: unknown, what: string, secret = false): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  let given: unknown = input;
  for (const key of path) given = (given as Record<PropertyKey, unknown> | undefined)?.[key];
  const shown = secret || path.length === 0 ? "" : `: given ${clipped(JSON.stringify(given) ?? "nothing")}`;
  const place = path.length === 0 ? "" : `${path.join(".")}: `;
  throw new DispatcherError("usage", `Cannot ${what}: ${place}${message}${shown}`);
}

/** A name for a message. */
export function quoted(name: unknown): string {
  return typeof name === "string" ? JSON.stringify(name) : "without a name";
}

function obey<Row extends Named>(table: Table<Row>, values: Partial<Row>, what: string): void {
  const why = table.rule?.(values);
  if (why) throw new DispatcherError("usage", `Cannot ${what}: ${why}`);
}

async function listsExist<Row extends Named>(
  db: Db,
  { lists = {} }: Table<Row>,
  values: Record<string, unknown>,
  what: string,
): Promise<void> {
  for (const [column, kind] of Object.entries(lists)) {
    const ids = values[column] as number[] | undefined;
    if (!ids?.length) continue;
    // The lock keeps them until the transaction's end: an array is no foreign key.
    const found = await rows(
      db,
      z.object({ id: z.int() }),
      `select id from awx.${kind} where id = any($1::text::bigint[]) for key share`,
      [list(ids)],
    );
    const missing = ids.find((id) => !found.some((row) => row.id === id));
    if (missing === undefined) continue;
    throw new DispatcherError("usage", `Cannot ${what}: there is no ${kind.replaceAll("_", " ")} ${missing}`);
  }
}

function clipped(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}
