/**
 * What the server counted: bytes of WAL, dead rows, statements. Read while nothing runs, since backends tell what they
 * counted when they end.
 *
 * @module
 */
import { setTimeout as rest } from "node:timers/promises";
import postgres from "postgres";

/** Totals since whenever; only differences mean something. */
export interface Totals {
  lsn: string;
  updated: number;
  hot: number;
  deleted: number;
  statements: number;
}

/** What was done between two looks. */
export interface Difference {
  wal: number;
  fullPages: number;
  dead: number;
  hot: number;
  statements: number;
  /** Bytes of WAL by table or index, the largest first; full pages not counted. */
  relations: [name: string, bytes: number][];
}

/** The bench's own statements carry this text and are not counted. */
export const OWN = "/* bench */";

/** Looks at one database. */
export class Counters {
  readonly #sql: postgres.Sql;

  constructor(url: string) {
    this.#sql = postgres(url, { max: 1, onnotice: () => {} });
  }

  /** Prepare a database whose tables are there: what the server does by itself would be counted as well. */
  async prepare(): Promise<void> {
    await this.#sql.unsafe(`${OWN} create extension if not exists pg_stat_statements`);
    await this.#sql.unsafe(`${OWN} create extension if not exists pg_walinspect`);
    const tables = await this.#sql`
      select /* bench */ c.oid::regclass::text name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')`;
    for (const { name } of tables) {
      await this.#sql.unsafe(`${OWN} alter table ${name} set (autovacuum_enabled = off)`);
    }
  }

  /** A checkpoint first, so that each round writes as many pages in full. */
  async look(checkpoint: boolean): Promise<Totals> {
    await this.#alone();
    if (checkpoint) await this.#sql.unsafe(`${OWN} checkpoint`);
    const [row] = await this.#sql`
      select /* bench */ pg_current_wal_insert_lsn()::text lsn, sum(n_tup_upd)::float8 updated,
        sum(n_tup_hot_upd)::float8 hot, sum(n_tup_del)::float8 deleted, (
          select sum(calls)::float8 from pg_stat_statements
          where dbid = (select oid from pg_database where datname = current_database())
            and query not like '%/* bench */%'
            -- The look of a foreign key is nobody's round trip.
            and query not like '%FOR KEY SHARE OF x') statements
      from pg_stat_user_tables`;
    return row as unknown as Totals;
  }

  /** Whoever has just left may not have told yet. */
  async #alone(): Promise<void> {
    const others = () =>
      this.#sql`
        select /* bench */ from pg_stat_activity
        where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`;
    while ((await others()).length > 0) await rest(10);
  }

  async between(before: Totals, after: Totals): Promise<Difference> {
    const [{ wal, full }] = await this.#sql`
      select /* bench */ (${after.lsn}::pg_lsn - ${before.lsn}::pg_lsn)::float8 wal,
        (select sum(fpi_size)::float8 from pg_get_wal_stats(${before.lsn}, ${after.lsn})) full`;
    return {
      wal,
      fullPages: full,
      dead: after.updated - before.updated + after.deleted - before.deleted,
      hot: after.hot - before.hot,
      statements: after.statements - before.statements,
      relations: await this.#relations(before, after),
    };
  }

  /** A record of several blocks is shared among them. */
  async #relations(before: Totals, after: Totals): Promise<[string, number][]> {
    const rows = await this.#sql`
      with blocks as (
        select b.*, count(*) over (partition by b.start_lsn) n
        from pg_get_wal_block_info(${before.lsn}, ${after.lsn}, false) b
      )
      select /* bench */ coalesce(c.relname, 'other') name,
        sum((record_length - coalesce(block_fpi_length, 0))::float8 / n) bytes
      from blocks left join pg_class c on pg_relation_filenode(c.oid) = blocks.relfilenode
      group by 1 order by 2 desc limit 12`;
    return rows.map(({ name, bytes }) => [name, bytes]);
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: 1 });
  }
}
