/**
 * What the doctor asks the database; changes nothing.
 *
 * @module
 */
import type { Connections, OldTransaction, TableSize } from "../doctor/checks.ts";
import type { Sql } from "./connection.ts";

const SERVER = `select current_setting('server_version') version, pg_is_in_recovery() standby`;
const NOW = `select (extract(epoch from clock_timestamp()) * 1000)::float8 ms`;
const CONNECTIONS = `
select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int most,
  (select count(*)::int from pg_stat_activity where backend_type = 'client backend' or backend_type is null) used,
  coalesce((select rolconnlimit from pg_roles where rolname = current_user), -1) role_limit,
  coalesce((select datconnlimit from pg_database where datname = current_database()), -1) database_limit`;

const SIZES = `
select relname "name", n_live_tup::float8 live, n_dead_tup::float8 dead, pg_table_size(relid)::float8 bytes,
  pg_indexes_size(relid)::float8 index_bytes,
  current_setting('autovacuum')::boolean and not coalesce(
    (select 'autovacuum_enabled=false' = any(reloptions) from pg_class c where c.oid = relid), false) vacuums
from pg_stat_user_tables
where schemaname = 'dispatcher' and relname in ('envelope', 'broadcast', 'delivery', 'adoption', 'node', 'log')
order by 1`;

const OLD_TRANSACTIONS = `
select pid, null gid, extract(epoch from clock_timestamp() - xact_start)::float8 seconds, application_name application
from pg_stat_activity
where datname = current_database() and xact_start < clock_timestamp() - interval '5 minutes'
union all
select null, gid, extract(epoch from clock_timestamp() - prepared)::float8, ''
from pg_prepared_xacts where database = current_database() and prepared < clock_timestamp() - interval '5 minutes'
order by seconds desc limit 5`;

const ARCHIVE = `
select to_regclass(format('dispatcher.archive_%s', to_char(now() at time zone 'utc', 'YYYYMMDD'))) is not null today,
  exists (select from dispatcher.archive_default) stray`;

const WAITING_TASKS = `
select task, count(*)::int waiting from dispatcher.envelope
where state in ('available', 'asking', 'scheduled', 'retryable') group by task order by 2 desc, 1 limit 1000`;

/** The server's version, and whether it takes writes. */
export async function serverOf(sql: Sql): Promise<{ version: string; standby: boolean }> {
  const [row] = await sql.unsafe(SERVER);
  return row as unknown as { version: string; standby: boolean };
}

export async function connectionsOf(sql: Sql): Promise<Connections> {
  return (await sql.unsafe(CONNECTIONS))[0] as unknown as Connections;
}

/** Seconds by which this machine is ahead, told by the middle of the fastest of three round trips. */
export async function skewOf(sql: Sql): Promise<number> {
  let best = { trip: Infinity, skew: 0 };
  for (let i = 0; i < 3; i++) {
    const before = Date.now();
    const [{ ms }] = await sql.unsafe(NOW);
    const trip = Date.now() - before;
    if (trip < best.trip) best = { trip, skew: before + trip / 2 - ms };
  }
  return best.skew / 1000;
}

export async function sizesOf(sql: Sql): Promise<TableSize[]> {
  return await sql.unsafe(SIZES) as unknown as TableSize[];
}

export async function oldTransactionsOf(sql: Sql): Promise<OldTransaction[]> {
  return await sql.unsafe(OLD_TRANSACTIONS) as unknown as OldTransaction[];
}

export async function archiveOf(sql: Sql): Promise<{ today: boolean; stray: boolean }> {
  return (await sql.unsafe(ARCHIVE))[0] as unknown as { today: boolean; stray: boolean };
}

export async function waitingTasksOf(sql: Sql): Promise<{ task: string; waiting: number }[]> {
  return await sql.unsafe(WAITING_TASKS) as unknown as { task: string; waiting: number }[];
}

/** The backend that answers; two idle connections with the same one have a pooler in transaction mode before them. */
export async function backendOf(sql: Sql): Promise<number> {
  return (await sql.unsafe("select pg_backend_pid() pid"))[0].pid;
}
