/**
 * Deleting an inventory, piece by piece: one of a hundred thousand hosts is not one statement.
 *
 * @module
 */
import type { Db } from "../../jobs/model/rows.ts";

const BATCH = 1_000;
/** What goes first is what others point to least. */
const PIECES = ["host", "host_group", "inventory_source"] as const;

/** Announce it, so that nothing new begins with it; false when there is no such inventory. */
export async function markForDeletion(db: Db, id: number): Promise<boolean> {
  const marked = await db.unsafe(
    "update awx.inventory set pending_deletion = true where id = $1::bigint returning id",
    [id] as never[],
  );
  return marked.length > 0;
}

/** Jobs that use it and are not over. */
export async function openJobs(db: Db, id: number): Promise<number> {
  const [{ count }] = await db.unsafe(
    `select count(*)::int count from awx.unified_job
     where status in ('pending', 'waiting', 'running') and inventory_id = $1::bigint`,
    [id] as never[],
  );
  return count as number;
}

/** Delete its hosts, groups and sources. Interrupted, it goes on where it was. */
export async function emptyInventory(db: Db, id: number, signal: AbortSignal): Promise<void> {
  await forgetSources(db, id);
  for (const piece of PIECES) {
    for (let deleted = BATCH; deleted === BATCH;) {
      signal.throwIfAborted();
      const gone = await db.unsafe(
        `delete from awx.${piece} where id in (
           select id from awx.${piece} where inventory_id = $1::bigint limit ${BATCH}) returning 1`,
        [id] as never[],
      );
      deleted = gone.length;
    }
  }
}

/** What names its sources by kind and number, which the database does not know for a reference. */
async function forgetSources(db: Db, id: number): Promise<void> {
  for (const table of ["notification_attachment", "schedule"]) {
    await db.unsafe(
      `delete from awx.${table} where template_kind = 'inventory_source'
         and template_id in (select id from awx.inventory_source where inventory_id = $1::bigint)`,
      [id] as never[],
    );
  }
}

/** Delete the empty inventory; templates that used it have none from then on. */
export async function deleteInventory(db: Db, id: number): Promise<void> {
  await db.unsafe("update awx.job_template set inventory_id = null where inventory_id = $1::bigint", [
    id,
  ] as never[]);
  await db.unsafe("delete from awx.inventory where id = $1::bigint", [id] as never[]);
}
