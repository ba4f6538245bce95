/**
 * Backlogs of millions: one envelope is published as anyone would, and the server copies its row.
 *
 * @module
 */
import type postgres from "postgres";

/** A table of what waits. */
export interface Table {
  name: string;
  /** What is not copied: columns, and how each row gets its own; null is left to the default. */
  own: Record<string, string | null>;
  /** What makes one that is due in a day only. */
  later: Record<string, string>;
}

export const DISPATCHER: Table = {
  name: "dispatcher.envelope",
  own: { uuid: "dispatcher.uuid7()" },
  later: { state: "'scheduled'", due_at: "now() + interval '1 day'" },
};
export const GRAPHILE: Table = {
  name: "graphile_worker._private_jobs",
  own: {},
  later: { run_at: "now() + interval '1 day'" },
};
export const PG_BOSS: Table = {
  name: "pgboss.job",
  own: { id: null },
  later: { start_after: "now() + interval '1 day'" },
};

const BATCH = 100_000;

/** Write so many more; `set` are columns that differ, by expression, in which g counts from 1. */
export async function fill(
  sql: postgres.Sql,
  table: Table,
  count: number,
  set: Record<string, string> = {},
): Promise<void> {
  const columns = (await sql`
    select attname name from pg_attribute
    where attrelid = ${table.name}::regclass and attnum > 0 and not attisdropped
      and attgenerated = '' and attidentity = ''`).map(({ name }) => name as string);
  const expressions: Record<string, string | null> = { ...table.own, ...set };
  const written = columns.filter((column) => expressions[column] !== null);
  const values = written.map((column) => expressions[column] ?? `model.${column}`);
  for (let left = count; left > 0; left -= BATCH) {
    await sql.unsafe(`
      insert into ${table.name} (${written.join(", ")})
      select ${values.join(", ")}
      from bench_model model, generate_series(1, ${Math.min(BATCH, left)}) g`);
  }
}

/** Keep the one row that is there as the model of all others. */
export async function keepModel(sql: postgres.Sql, table: Table): Promise<void> {
  await sql.unsafe(`create table bench_model as select * from ${table.name} limit 1`);
}
