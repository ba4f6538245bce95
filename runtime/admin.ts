/**
 * What an operator does to the database itself: the schema, and the embedded server.
 *
 * @module
 */
import type { Config } from "./config.ts";
import { connect, connectionError } from "./store/connection.ts";
import { embeddedStatus, startEmbedded, stopEmbedded } from "./store/embedded.ts";
import {
  migrateAt,
  type Migrations,
  migrationSql,
  type SchemaStatus,
  schemaStatus,
  type Step,
} from "./store/migrate.ts";
import { applyRoles, rolesSql } from "./store/roles.ts";

export { embeddedStatus, migrationSql, rolesSql, startEmbedded, stopEmbedded };
export type { Migrations, SchemaStatus };
export { addressOf } from "./store/connection.ts";

/** Read where the schema stands; changes nothing. */
export async function readSchema(url: string, own?: Migrations): Promise<SchemaStatus> {
  return await withDatabase(url, (sql) => schemaStatus(sql, own));
}

/** Apply what is missing; returns the names of what was applied. `tell` hears when one has to wait. */
export async function applyMigrations(
  url: string,
  tell?: (text: string) => void,
  step?: Step,
  own?: Migrations,
): Promise<string[]> {
  return await ours(url, migrateAt(url, tell, step, own));
}

/** Make the roles, or bring their rights up to date; applies what migrations are missing first. */
export async function grantRoles(url: string, own?: Migrations): Promise<void> {
  await applyMigrations(url);
  if (own) await applyMigrations(url, undefined, undefined, own);
  await withDatabase(url, (sql) => applyRoles(sql, own));
}

async function withDatabase<T>(
  url: string,
  use: (sql: ReturnType<typeof connect>) => Promise<T>,
): Promise<T> {
  const sql = connect(url, { max: 1, prepare: false });
  try {
    return await ours(url, use(sql));
  } finally {
    await sql.end({ timeout: 1 }).catch(() => {});
  }
}

/** An error of the client's as one of ours. */
async function ours<T>(url: string, done: Promise<T>): Promise<T> {
  try {
    return await done;
  } catch (error) {
    throw (error as { exit?: number }).exit === undefined ? connectionError(error, url) : error;
  }
}

/** The address of the configured database; null when it is the embedded one and that does not run. */
export async function databaseUrl(config: Config): Promise<string | null> {
  if (config.database_url !== undefined) return config.database_url;
  return (await embeddedStatus({ dir: config.embedded_dir })).url ?? null;
}
