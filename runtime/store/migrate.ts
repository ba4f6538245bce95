/**
 * Migrations: numbered SQL files, applied once, in order, in one transaction under an advisory lock.
 *
 * | what can fail | what happens |
 * |---|---|
 * | ten nodes start at once on an empty database | one migrates, nine wait for its commit and find it done |
 * | the migrating process is killed | the transaction is rolled back, the next one starts over |
 * | the schema is newer than the code | the code runs if the newer migration says that it may, else it refuses |
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import type { Sql } from "./connection.ts";
import { DispatcherError } from "../errors.ts";

interface Migration {
  version: number;
  name: string;
  /** The oldest version of the code's schema that works on a database with this migration. */
  worksWith: number;
}

const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: "0001_first_light", worksWith: 1 },
  { version: 2, name: "0002_duplicates_and_schedules", worksWith: 1 },
  { version: 5, name: "0005_limits", worksWith: 1 },
  { version: 6, name: "0006_cancels", worksWith: 1 },
];

/** The schema version that this code was written for. */
export const SCHEMA_VERSION: number = MIGRATIONS[MIGRATIONS.length - 1].version;

/** Any number serves, as long as nobody else uses it. */
const LOCK = 4_242_001_701;

/** Where the schema of a database stands. */
export interface SchemaStatus {
  /** 0: not there. */
  version: number;
  /** Whether this code can run on it as it is. */
  ready: boolean;
  /** What `up` would apply. */
  pending: string[];
  applied: { version: number; name: string; applied_at: string }[];
}

/**
 * Read the schema's state without changing anything.
 *
 * @throws {DispatcherError} `schema_newer` when the database was migrated by newer code that this one does not fit.
 */
export async function schemaStatus(sql: Sql): Promise<SchemaStatus> {
  const [{ present }] = await sql`select to_regclass('dispatcher.migration') is not null present`;
  const applied = present
    ? await sql<
      { version: number; name: string; works_with: number; applied_at: string }[]
    >`select version, name, works_with, applied_at from dispatcher.migration order by version`
    : [];
  const needs = Math.max(0, ...applied.map((row) => row.works_with));
  const version = Math.max(0, ...applied.map((row) => row.version));
  if (needs > SCHEMA_VERSION) {
    throw new DispatcherError(
      "schema_newer",
      `Cannot use this database: its schema is version ${version} and needs code for ${needs} or newer, this code is for ${SCHEMA_VERSION}`,
    );
  }
  const pending = MIGRATIONS.filter((m) => m.version > version).map((m) => m.name);
  return {
    version,
    ready: pending.length === 0,
    pending,
    applied: applied.map(({ works_with: _, ...row }) => row),
  };
}

/**
 * Bring the schema up to this code's version; returns the names of what was applied.
 *
 * @example
 * ```ts
 * const applied = await migrate(connect(url)); // ["0001_first_light"], [] the second time
 * ```
 */
export async function migrate(sql: Sql): Promise<string[]> {
  if ((await schemaStatus(sql)).ready) return [];
  const texts = new Map<number, string>();
  for (const migration of MIGRATIONS) texts.set(migration.version, await migrationText(migration.name));
  return await begin(sql, texts).catch((error) => {
    if (error.code !== "42501") throw error;
    throw new DispatcherError(
      "config",
      `Cannot migrate the schema: ${error.message}; run \`migrate up\` as its owner first`,
      { cause: error },
    );
  });
}

async function begin(sql: Sql, texts: ReadonlyMap<number, string>): Promise<string[]> {
  return await sql.begin(async (tx) => {
    // Released by the commit, also through a pooler that hands the session to somebody else afterwards.
    await tx`select pg_advisory_xact_lock(${String(LOCK)}::bigint)`;
    await tx.unsafe(BOOTSTRAP);
    const { version } = await schemaStatus(tx as unknown as Sql);
    const applied: string[] = [];
    for (const m of MIGRATIONS.filter((m) => m.version > version)) {
      await tx.unsafe(texts.get(m.version)!);
      await tx`insert into dispatcher.migration (version, name, works_with) values (${m.version}, ${m.name}, ${m.worksWith})`;
      applied.push(m.name);
    }
    return applied;
  });
}

const BOOTSTRAP = `create schema if not exists dispatcher;
create table if not exists dispatcher.migration (
  version int primary key,
  name text not null,
  works_with int not null, -- the oldest code that works on this schema
  applied_at timestamptz not null default clock_timestamp()
);
`;

/** The SQL of all migrations, for those who apply it by hand; it records itself as applied. */
export async function migrationSql(): Promise<string> {
  const parts = [BOOTSTRAP];
  for (const { name, version, worksWith } of MIGRATIONS) {
    parts.push(`-- ${name}\n${await migrationText(name)}`);
    parts.push(
      `insert into dispatcher.migration (version, name, works_with) values (${version}, '${name}', ${worksWith});\n`,
    );
  }
  return `begin;\n${parts.join("\n")}\ncommit;\n`;
}

async function migrationText(name: string): Promise<string> {
  return await readFile(new URL(`./migrations/${name}.sql`, import.meta.url), "utf8");
}
