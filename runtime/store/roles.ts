/**
 * Roles with less than the owner's rights: the SQL of `roles.sql`, which may be applied any number of times.
 *
 * @module
 */
import { readText } from "./text.ts";
import type { Sql } from "./connection.ts";
import type { Migrations } from "./migrate.ts";

/** The SQL, for those who apply it by hand; with the rights on the tables of an extension, if there is one. */
export async function rolesSql(own?: Pick<Migrations, "schema">): Promise<string> {
  const ours = await readText(new URL("./roles.sql", import.meta.url));
  return own ? ours + extensionSql(own.schema) : ours;
}

/** What an extension keeps is its tasks' and the operators' to change; viewers see it. */
function extensionSql(schema: string): string {
  return `
-- extension ${schema}
grant usage on schema ${schema} to dispatcher_node, dispatcher_operator, dispatcher_viewer;
grant select on all tables in schema ${schema} to dispatcher_node, dispatcher_operator, dispatcher_viewer;
grant insert, update, delete on all tables in schema ${schema} to dispatcher_node, dispatcher_operator;
grant usage on all sequences in schema ${schema} to dispatcher_node, dispatcher_operator;
grant execute on all functions in schema ${schema} to dispatcher_node, dispatcher_operator;
revoke insert, update, delete on ${schema}.migration from dispatcher_node, dispatcher_operator;
`;
}

/** Make the roles and grant them their rights on a migrated database, in one transaction. */
export async function applyRoles(sql: Sql, own?: Pick<Migrations, "schema">): Promise<void> {
  // Without parameters it travels as one message, and several statements of one message are one transaction.
  await sql.unsafe(await rolesSql(own));
}
