/**
 * Deletes what is older than the setting STDOUT_RETENTION_DAYS: events of jobs with their output, from the database, and
 * private directories that a killed job left behind, on the node that runs it. Each node publishes it to itself once a
 * day; of several at once one works on the database.
 *
 * @module
 */
import { task } from "edge-dispatcher";
import { settings } from "../jobs/model/settings.ts";
import { purgeEvents } from "./clean_up/events.ts";
import { purgeJobDirectories } from "./clean_up/job_directories.ts";

export default task({ bind: true, priority: 100 }, async (context) => {
  const sql = await context.database();
  const { STDOUT_RETENTION_DAYS, JOB_ROOT } = await settings(sql);
  const events = await purgeEvents(sql, STDOUT_RETENTION_DAYS, context.signal);
  const directories = await purgeJobDirectories(sql, JOB_ROOT);
  for (const table of events.inUse) {
    context.log(`Table ${table} is in use: it is dropped next time`, "warning");
  }
  return { ...events, directories };
});
