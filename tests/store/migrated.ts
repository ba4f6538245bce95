/**
 * A database of a test's own, up to date, and the store on it.
 *
 * @module
 */
import { connect, type Sql } from "../../runtime/store/connection.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { database, type TestContext } from "../harness.ts";

/** Make one, with so many connections at most; it is gone after the test. */
export async function migrated(
  t: TestContext,
  max = 4,
): Promise<{ url: string; sql: Sql; store: PostgresStore }> {
  const db = await database({ migrated: true });
  t.after(() => db.drop());
  const sql = connect(db.url, { max, ours: true });
  t.after(() => sql.end({ timeout: 1 }));
  return { url: db.url, sql, store: new PostgresStore(sql) };
}
