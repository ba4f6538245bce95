import { connect } from "../../runtime/store/connection.ts";
import { PostgresStore } from "../../runtime/store/postgres.ts";
import { storeConformance } from "../conformance/store.ts";
import { database, needsServer, test, type TestContext, thisRuntime } from "../harness.ts";

/** A store on a database of its own. */
async function makeStore(t: TestContext, server?: "pg15"): Promise<PostgresStore> {
  const db = await database({ server, migrated: true });
  t.after(() => db.drop());
  const sql = connect(db.url, { max: 8, ours: true });
  t.after(() => sql.end({ timeout: 1 }));
  return new PostgresStore(sql);
}

// What differs between two servers does not differ between runtimes: each server is tried, not each with each.
const skip = needsServer("pg15");
if (thisRuntime() !== "node" || skip) storeConformance("postgres", makeStore);
else storeConformance("system postgres", (t) => makeStore(t, "pg15"));
if (thisRuntime() === "node" && skip) {
  test("the system's PostgreSQL passes the conformance suite", { skip }, () => {});
}
