/**
 * Old events of jobs: whole days are dropped with their table, what lies in the default table is deleted in batches.
 *
 * @module
 */
import type { Database } from "edge-dispatcher";

/** Rows in one statement: a lock, and an undo, no larger than that. */
const BATCH = 5_000;
/** How long a drop may wait for writers, who wait behind it. */
const LOCK_TIMEOUT = "500ms";
const LOCK_NOT_AVAILABLE = "55P03";
const UNDEFINED_TABLE = "42P01";

/** Tables of days that are wholly over, by their names. */
const OLD_DAYS = `
select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'awx.job_event'::regclass and c.relname ~ '^job_event_[0-9]{8}$'
  and to_date(right(c.relname, 8), 'YYYYMMDD') + 1
    <= (clock_timestamp() - make_interval(secs => $1::float8)) at time zone 'utc'
order by 1`;

/** Of the table that has what no day's table took. */
const DELETE_OLD = `
with old as (
  select job_id, uuid, created from awx.job_event_default
  where created < clock_timestamp() - make_interval(secs => $1::float8) limit ${BATCH}
), gone as (
  delete from awx.job_event_default e using old
  where e.job_id = old.job_id and e.uuid = old.uuid and e.created = old.created returning 1
) select count(*)::int as deleted from gone`;

/** What a purge has done. */
export interface Purged {
  /** Tables of days. */
  dropped: string[];
  /** Old ones that somebody reads or writes just now. */
  inUse: string[];
  /** Rows of the default table. */
  deleted: number;
}

/** Delete events that are older than so many days. The last day that is not wholly over is kept whole. */
export async function purgeEvents(sql: Database, days: number, signal?: AbortSignal): Promise<Purged> {
  const seconds = days * 86_400;
  const purged: Purged = { dropped: [], inUse: [], deleted: 0 };
  for (const { name } of await sql.unsafe(OLD_DAYS, [seconds])) {
    signal?.throwIfAborted();
    const dropped = await impatient(sql, `select awx.drop_event_partition('${name.slice(-8)}') as value`);
    // Another one may have dropped it first.
    if (dropped !== false) (dropped ? purged.dropped : purged.inUse).push(name);
  }
  for (let deleted = BATCH; deleted === BATCH; purged.deleted += deleted) {
    signal?.throwIfAborted();
    deleted = (await sql.unsafe(DELETE_OLD, [seconds]))[0].deleted;
  }
  // Where no receiver runs nobody else makes those of the days to come.
  await impatient(sql, "select awx.create_event_partitions(3) as value");
  return purged;
}

/**
 * Ask a function that locks the table that everybody writes, and give way where it would wait: undefined then. One message,
 * and so one transaction.
 */
async function impatient(sql: Database, statement: string): Promise<unknown> {
  try {
    const results = await sql.unsafe(`set local lock_timeout = '${LOCK_TIMEOUT}'; ${statement}`).simple();
    return (results.at(-1) as unknown as { value: unknown }[])[0].value;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === LOCK_NOT_AVAILABLE) return undefined;
    if (code === UNDEFINED_TABLE) return false;
    throw error;
  }
}
