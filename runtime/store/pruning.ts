/**
 * The partitions of the archive and of content: those of the days ahead are made, old ones dropped. Both lock the whole
 * table, and whoever settles would wait behind a lock that waits for a long reader: so they are tried for a moment, and
 * otherwise later. To detach a partition concurrently would need no such lock, but cannot be done beside a default
 * partition.
 *
 * @module
 */
import * as SQL from "./sql.ts";
import type { Param, Row } from "./statements.ts";
import type { Pruned } from "./store.ts";

type Run = (text: string, params?: Param[]) => Promise<Row[]>;

const LOCK_TIMEOUT = "55P03";
/** Envelopes that get their content back in one statement. */
const RETURNED_AT_ONCE = 1_000;

/** Make and drop partitions, and clear the small tables. */
export async function prune(run: Run, retentionDays: number): Promise<Pruned> {
  const made = await briefly(run, "select dispatcher.create_partitions(3) created");
  const contents = await briefly(run, "select dispatcher.create_contents(3) created");
  const partitions = await run(SQL.OLD_PARTITIONS, [retentionDays]);
  const namesOf = (table: string) =>
    partitions.filter(({ of }) => of === table).map(({ name }): string => name);
  const old = namesOf("archive");
  const dropped: string[] = [];
  for (const name of old) {
    if (await briefly(run, `select dispatcher.drop_partition('${name}')`)) dropped.push(name);
  }
  await run(SQL.PRUNE_SMALL, [retentionDays]);
  // What is still in the archive may refer to it.
  const archiveInUse = dropped.length < old.length;
  const inUse = made === undefined || contents === undefined || archiveInUse ||
    !await pruneContents(run, namesOf("content"), retentionDays);
  return { created: made?.[0].created ?? 0, dropped, inUse };
}

/** Drop the content of days of which the archive knows nothing any more; false when some must wait. */
async function pruneContents(run: Run, old: string[], retentionDays: number): Promise<boolean> {
  let all = true;
  if (old.length > 0) await returnContents(run, retentionDays);
  for (const name of old) {
    const [row] = await briefly(run, `select dispatcher.drop_content('${name}') gone`) ?? [];
    all &&= row?.gone ?? false;
  }
  await run(SQL.PRUNE_CONTENTS, [retentionDays]);
  return all;
}

/** What has waited for longer than the archive keeps anything takes its content along. */
async function returnContents(run: Run, retentionDays: number): Promise<void> {
  let rows: Row[];
  do {
    rows = await run(SQL.RETURN_CONTENTS, [retentionDays, RETURNED_AT_ONCE]);
  } while (rows.length === RETURNED_AT_ONCE && rows.some(({ returned }) => returned));
}

/** Run it, unless the table is in use. One message of two statements: one transaction, through a pooler too. */
async function briefly(run: Run, statement: string): Promise<Row[] | undefined> {
  try {
    // The client gives a list of results only when one of them has rows.
    return (await run(`set local lock_timeout = '200ms'; ${statement}`)).at(-1) ?? [];
  } catch (error) {
    if ((error as { code?: string }).code !== LOCK_TIMEOUT) throw error;
  }
}
