/**
 * A database with the control plane's tables in it: what its tests begin with.
 *
 * @module
 */
import process from "node:process";
import { type Client, connect, type Database } from "../../mod.ts";
import { MIGRATIONS } from "../../tasks/jobs/model/migrations.ts";
import { database, type TestContext } from "../harness.ts";

/** The key of all tests; a node of a test gets it by its environment. */
process.env.AWX_SECRET_KEY ??= btoa("\x07".repeat(32));

export interface AwxDatabase {
  url: string;
  client: Client;
  sql: Database;
}

/** Make one; dropped after the test. */
export async function awxDatabase(t: Pick<TestContext, "after">): Promise<AwxDatabase> {
  const db = await database({ migrated: MIGRATIONS });
  t.after(() => db.drop());
  const client = await connect({ databaseUrl: db.url, migrations: MIGRATIONS });
  t.after(() => client.close());
  return { url: db.url, client, sql: client.database() };
}
