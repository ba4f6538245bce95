/**
 * The archive's partitions: those of the days ahead are made, old ones dropped. Both lock the whole archive, and whoever
 * settles would wait behind a lock that waits for a long reader: so they are tried for a moment, and otherwise later.
 * To detach a partition concurrently would need no such lock, but cannot be done beside a default partition.
 *
 * @module
 */
import * as SQL from "./sql.ts";
import type { Param, Row } from "./statements.ts";
import type { Pruned } from "./store.ts";

type Run = (text: string, params?: Param[]) => Promise<Row[]>;

const LOCK_TIMEOUT = "55P03";

/** Make and drop partitions, and clear the small tables. */
export async function prune(run: Run, retentionDays: number): Promise<Pruned> {
  const made = await briefly(run, "select dispatcher.create_partitions(3) created");
  const old = (await run(SQL.OLD_PARTITIONS, [retentionDays])).map((row) => row.name as string);
  const dropped: string[] = [];
  for (const name of old) {
    if (await briefly(run, `select dispatcher.drop_partition('${name}')`)) dropped.push(name);
  }
  await run(SQL.PRUNE_SMALL, [retentionDays]);
  const inUse = made === undefined || dropped.length < old.length;
  return { created: made?.[0].created ?? 0, dropped, inUse };
}

/** Run it, unless the archive is in use. One message of two statements: one transaction, through a pooler too. */
async function briefly(run: Run, statement: string): Promise<Row[] | undefined> {
  try {
    // The client gives a list of results only when one of them has rows.
    return (await run(`set local lock_timeout = '200ms'; ${statement}`)).at(-1) ?? [];
  } catch (error) {
    if ((error as { code?: string }).code !== LOCK_TIMEOUT) throw error;
  }
}
