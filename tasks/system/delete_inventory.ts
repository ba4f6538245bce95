/**
 * Deletes an inventory with its hosts, groups and sources. From its begin on no job is launched with it; those that there
 * are it waits for. Jobs that are over stay, without it.
 *
 * @module
 */
import { Retry, task } from "edge-dispatcher";
import { z } from "zod";
import { trigger } from "../jobs/model/trigger.ts";
import { deleteInventory, emptyInventory, markForDeletion, openJobs } from "./clean_up/inventory.ts";

/** Until it looks again whether jobs still use it. */
const WAIT_SECONDS = 10;

export default task({ bind: true, maxAttempts: 3, args: z.tuple([z.int()]) }, async (context, id: number) => {
  const sql = await context.database();
  if (!(await markForDeletion(sql, id))) return { deleted: false };
  const jobs = await openJobs(sql, id);
  if (jobs > 0) {
    const use = jobs === 1 ? "1 job uses it" : `${jobs} jobs use it`;
    throw new Retry(`Cannot delete inventory ${id} yet: ${use}`, { delay: WAIT_SECONDS, charge: false });
  }
  await emptyInventory(sql, id, context.signal);
  return await context.transaction(async (tx, publish) => {
    await deleteInventory(tx, id);
    await trigger(publish);
    return { deleted: true };
  });
});
