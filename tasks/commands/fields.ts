/**
 * Columns as flags: what a template says, from the command line to its row.
 *
 * @module
 */
import { type Context, type Flags, parseJson, usage } from "edge-dispatcher/command";
import type { Db } from "../jobs/model/rows.ts";
import { byName, type Named, type Table } from "../jobs/model/table.ts";
import { VARS_FLAG, varsOf } from "./vars.ts";

/** A flag and the column that it sets. */
export interface Field {
  flags: Flags;
  column: string;
  /** Its value; undefined where the flag was not given. */
  read(context: Context, db: Db): Promise<unknown>;
}

const YES_NO = ["yes", "no"] as const;

export function textField(flag: string, column: string, value: string, help: string): Field {
  return plain(flag, column, { type: "string", value, help });
}

export function numberField(flag: string, column: string, value: string, help: string): Field {
  return plain(flag, column, { type: "number", value, help });
}

export function choiceField(flag: string, column: string, choices: readonly string[], help: string): Field {
  const value = choices.join("|");
  return {
    flags: { [flag]: { type: "string", value, choices, help } },
    column,
    read: ({ flags }) => Promise.resolve(choiceOf(flags[flag], flag, choices)),
  };
}

/** Not a switch, since a change must be able to say no. */
export function yesNoField(flag: string, column: string, help: string): Field {
  const { flags, read } = choiceField(flag, column, YES_NO, help);
  return {
    flags,
    column,
    async read(context, db) {
      const word = await read(context, db);
      return word === undefined ? undefined : word === "yes";
    },
  };
}

/** The name or number of another thing; an empty one takes it away. */
export function referenceField<Row extends Named>(
  flag: string,
  column: string,
  table: Table<Row>,
  help: string,
): Field {
  return {
    flags: { [flag]: { type: "string", value: "NAME", help } },
    column,
    async read({ flags }, db) {
      const name = flags[flag] as string | undefined;
      if (name === undefined || name === "") return name === "" ? null : undefined;
      return (await byName(db, table, name)).id;
    },
  };
}

/** Names or numbers of other things, with commas between them; an empty text takes them all away. */
export function referencesField<Row extends Named>(
  flag: string,
  column: string,
  table: Table<Row>,
  help: string,
): Field {
  return {
    flags: { [flag]: { type: "string", value: "NAME,…", help } },
    column,
    async read({ flags }, db) {
      const names = wordsOf(flags[flag]);
      return names && await Promise.all(names.map(async (name) => (await byName(db, table, name)).id));
    },
  };
}

export function jsonField(flag: string, column: string, help: string): Field {
  return {
    flags: { [flag]: { type: "string", value: "JSON", help } },
    column,
    read: ({ flags }) =>
      Promise.resolve(flags[flag] === undefined ? undefined : parseJson(flags[flag] as string, `--${flag}`)),
  };
}

export function varsField(column: string = "extra_vars"): Field {
  return { flags: VARS_FLAG, column, read: ({ flags, io }) => varsOf(io, flags["extra-vars"]) };
}

/** The flags of several. */
export function flagsOf(fields: readonly Field[]): Flags {
  return Object.assign({}, ...fields.map(({ flags }) => flags));
}

/** The columns that were given. */
export async function valuesOf(
  fields: readonly Field[],
  context: Context,
  db: Db,
): Promise<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const { column, read } of fields) {
    const value = await read(context, db);
    if (value !== undefined) values[column] = value;
  }
  return values;
}

/** Words with commas between them. */
export function wordsOf(given: unknown): string[] | undefined {
  if (given === undefined) return undefined;
  return (given as string).split(",").map((word) => word.trim()).filter((word) => word !== "");
}

/**
 * One of few words, or several of them with commas between.
 *
 * @throws {DispatcherError} `usage`, naming those that there are.
 */
export function choiceOf<T extends string>(
  given: unknown,
  flag: string,
  choices: readonly T[],
): T | undefined {
  if (given === undefined || choices.includes(given as T)) return given as T | undefined;
  throw usage(`Flag --${flag} takes ${choices.join(", ")}: given ${JSON.stringify(given)}`);
}

export function choicesOf<T extends string>(
  given: unknown,
  flag: string,
  choices: readonly T[],
): T[] | undefined {
  return wordsOf(given)?.map((word) => choiceOf(word, flag, choices)!);
}

function plain(flag: string, column: string, definition: Flags[string]): Field {
  return {
    flags: { [flag]: definition },
    column,
    read: ({ flags }) => Promise.resolve(flags[flag]),
  };
}
