/**
 * Roles with less than the owner's rights: the SQL of `roles.sql`, which may be applied any number of times.
 *
 * @module
 */
import { readText } from "./text.ts";
import type { Sql } from "./connection.ts";

/** The SQL, for those who apply it by hand. */
export async function rolesSql(): Promise<string> {
  return await readText(new URL("./roles.sql", import.meta.url));
}

/** Make the roles and grant them their rights on a migrated database, in one transaction. */
export async function applyRoles(sql: Sql): Promise<void> {
  // Without parameters it travels as one message, and several statements of one message are one transaction.
  await sql.unsafe(await rolesSql());
}
