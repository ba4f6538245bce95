/** The former release's store does on the present schema all that it did on its own. */
import { connect } from "../../runtime/store/connection.ts";
import { migrate } from "../../runtime/store/migrate.ts";
import type { Store } from "../../runtime/store/store.ts";
import { storeConformance } from "../conformance/store.ts";
import { FormerStore } from "../fixtures/former/store_2.mjs";
import { database, type TestContext } from "../harness.ts";

async function makeStore(t: TestContext): Promise<Store> {
  const db = await database();
  t.after(() => db.drop());
  const sql = connect(db.url, { max: 8 });
  t.after(() => sql.end({ timeout: 1 }));
  await migrate(sql);
  return new FormerStore(sql) as unknown as Store;
}

/** Tests of what came, or was mended, after it. */
const NEWER = [
  "publish() of a uuid that is a broadcast's says that it is known, and so the other way round",
  "broadcasts() gives what is in the log, by the beginning of its uuid and by its time",
  "adopted() gives what waits of what the node took, with all that a filter may name",
  "rescue() that is not thorough finds what a node lost now or lately, and passes over the rest",
  "exchange() claims only what comes behind its floors, and all else that is there",
  "register() makes a node that nodes() shows with all that it said",
  "heartbeat() tells of a node that hears nothing, and how much memory it takes",
  "heartbeat() does not bring back an instance that has left",
  "reconcile() ends what somebody asked to cancel while nobody knew of it",
];
storeConformance("the former store", makeStore, NEWER);
