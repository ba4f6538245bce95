/**
 * The commands that all named things have: list, show, create, modify, delete.
 *
 * @module
 */
import { type Command, type Context, redact } from "edge-dispatcher/command";
import type { Db } from "../jobs/model/rows.ts";
import { byName, create, listAll, type Named, remove, type Table, update } from "../jobs/model/table.ts";
import type { Publish } from "../jobs/model/trigger.ts";
import { type Field, flagsOf, valuesOf } from "./fields.ts";
import { type Cells, COMMON, connected, nameOf, tell, writePairs, writeRows } from "./kit.ts";

/** A named thing on the command line. */
export interface Resource<Row extends Named, Shown extends Row = Row> {
  table: Table<Row>;
  /** In lists. */
  cells: Cells<Shown>;
  fields: readonly Field[];
  /** Rows with the names of what they point at. */
  view?(db: Db, rows: Row[]): Promise<Shown[]>;
  /** Instead of deleting the row alone. */
  remove?(db: Db, publish: Publish, id: number): Promise<unknown>;
}

const ALL = { limit: 100_000 };

/** List them by name. */
export function listCommand<Row extends Named, Shown extends Row>(
  { table, cells, view }: Resource<Row, Shown>,
  summary: string,
): Command {
  return {
    summary,
    usage: "",
    flags: COMMON,
    async run(context) {
      const { db } = await connected(context);
      const rows = await listAll(db, table, ALL);
      writeRows(context, cells, (view ? await view(db, rows) : rows as Shown[]).map(harmless));
    },
  };
}

/** Show one, a line a column. */
export function showCommand<Row extends Named, Shown extends Row>(
  { table, view }: Resource<Row, Shown>,
): Command {
  return {
    summary: `Show one ${table.noun}`,
    usage: "NAME",
    words: true,
    flags: COMMON,
    async run(context) {
      const name = nameOf(context, `show a ${table.noun}`);
      const { db } = await connected(context);
      const row = await byName(db, table, name);
      const [shown] = view ? await view(db, [row]) : [row];
      writeOne(context, harmless(shown));
    },
  };
}

/** A row, whole: a line a column, or JSON. */
export function writeOne({ io, flags }: Pick<Context, "io" | "flags">, row: Named): void {
  if (flags.json) return io.out(JSON.stringify(row));
  const { id, name, ...rest } = row;
  io.out(`${name} (${id})`);
  // Numbers of others only where their names are not there.
  const named = (key: string) => key.endsWith("_id") ? key.slice(0, -3) : key.replace(/_ids$/, "s");
  writePairs(io, Object.entries(rest).filter(([key]) => named(key) === key || !(named(key) in rest)));
}

/** Make one. */
export function createCommand<Row extends Named, Shown extends Row>(
  { table, fields }: Resource<Row, Shown>,
  { usage = "NAME", values = onlyName }: {
    usage?: string;
    /** Columns of the words behind the command. */
    values?(context: Context, what: string): Record<string, unknown>;
  } = {},
): Command {
  return {
    summary: `Make a ${table.noun}`,
    usage,
    words: true,
    flags: { ...flagsOf(fields), ...COMMON },
    async run(context) {
      const named = values(context, `create a ${table.noun}`);
      const { client, db } = await connected(context);
      const input = { ...named, ...await valuesOf(fields, context, db) };
      const row = await client.transaction((tx) => create(tx, table, input));
      tell(context, harmless(row), `${row.name} created`);
    },
  };
}

/** Change what is given. */
export function modifyCommand<Row extends Named, Shown extends Row>(
  { table, fields }: Resource<Row, Shown>,
  {
    usage = "NAME",
    values = (): Record<string, unknown> => ({}),
    nameIn = (context: Context) => context.rest,
  }: {
    usage?: string;
    values?(context: Context): Record<string, unknown>;
    /** The words that name it. */
    nameIn?(context: Context): string[];
  } = {},
): Command {
  return {
    summary: `Change a ${table.noun}: what is given, nothing else`,
    usage,
    words: true,
    flags: {
      rename: { type: "string", value: "NAME", help: "Its name from now on" },
      ...flagsOf(fields),
      ...COMMON,
    },
    async run(context) {
      const name = nameOf({ rest: nameIn(context) }, `change a ${table.noun}`);
      const { client, db } = await connected(context);
      const { id } = await byName(db, table, name);
      const patch = { ...values(context), ...await valuesOf(fields, context, db) };
      if (context.flags.rename !== undefined) patch.name = context.flags.rename;
      const row = await client.transaction((tx) => update(tx, table, id, patch));
      tell(context, harmless(row), `${row.name} changed`);
    },
  };
}

/** Delete what nothing uses. */
export function deleteCommand<Row extends Named, Shown extends Row>(
  { table, remove: own }: Resource<Row, Shown>,
): Command {
  return {
    summary: `Delete a ${table.noun} that nothing uses`,
    usage: "NAME",
    words: true,
    flags: COMMON,
    async run(context) {
      const name = nameOf(context, `delete a ${table.noun}`);
      const { client, db } = await connected(context);
      const row = await byName(db, table, name);
      await client.transaction(async (tx, publish) => {
        if (own) await own(tx, publish, row.id);
        else await remove(tx, table, row.id);
      });
      tell(context, harmless(row), `${row.name} deleted`);
    },
  };
}

/** The names of rows by id, for those that point at them. */
export async function namesOf<Row extends Named>(
  db: Db,
  table: Table<Row>,
): Promise<Map<number | null, string>> {
  return new Map((await listAll(db, table, ALL)).map(({ id, name }) => [id, name]));
}

/** Variables often hold secrets: those that are named so are hidden. */
export function harmless<Row extends object>(row: Row): Row {
  const hidden = ["extra_vars", "variables", "source_vars", "artifacts"];
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [key, hidden.includes(key) ? redact(value) : value]),
  ) as Row;
}

function onlyName(context: Context, what: string): Record<string, unknown> {
  return { name: nameOf(context, what) };
}
