/**
 * What the database refuses, in words: a name that is taken, something that is not there or still in use.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";

/** What a violation says of itself; `postgres` gives it on its errors. */
interface Violation {
  code?: string;
  table_name?: string;
  constraint_name?: string;
}

const UNIQUE = "23505";
const FOREIGN_KEY = "23503";
const CHECK = "23514";
const OUT_OF_RANGE = "22003";

/**
 * Run a statement.
 *
 * @param what What it does, for the message: `create project "site"`.
 * @param values The columns that it writes, to name the one that points nowhere.
 * @throws {DispatcherError} `refused` for a name that is taken and for what is in use, `usage` for what is not there.
 */
export async function inWords<T>(
  what: string,
  values: Record<string, unknown>,
  statement: () => PromiseLike<T>,
): Promise<T> {
  try {
    return await statement();
  } catch (error) {
    throw said(what, values, error as Violation & Error) ?? error;
  }
}

function said(
  what: string,
  values: Record<string, unknown>,
  error: Violation & Error,
): DispatcherError | undefined {
  const table = spaced(error.table_name ?? "");
  switch (error.code) {
    case UNIQUE:
      return new DispatcherError("refused", `Cannot ${what}: there is one of this name`, { cause: error });
    case FOREIGN_KEY: {
      const prefix = `${error.table_name}_`;
      const column = error.constraint_name?.replace(prefix, "").replace(/_fkey$/, "") ?? "";
      return column in values
        ? new DispatcherError(
          "usage",
          `Cannot ${what}: there is no ${spaced(column.replace(/_id$/, ""))} ${values[column]}`,
          { cause: error },
        )
        : new DispatcherError("refused", `Cannot ${what}: a ${table} uses it`, { cause: error });
    }
    case CHECK:
      return new DispatcherError("usage", `Cannot ${what}: ${error.constraint_name} does not hold`, {
        cause: error,
      });
    case OUT_OF_RANGE:
      return new DispatcherError("usage", `Cannot ${what}: ${error.message}`, { cause: error });
  }
}

function spaced(name: string): string {
  return name.replaceAll("_", " ");
}
