/**
 * Migrations: numbered SQL files, applied once, in order, each in a transaction of its own under an advisory lock.
 *
 * | what can fail | what happens |
 * |---|---|
 * | ten nodes start at once on an empty database | each migration is applied by one, the others wait for its commit and find it done |
 * | the migrating process is killed | the transaction is rolled back, the next one starts over |
 * | a table is in use for long | the migration gives up after a second, since all others wait behind it, and tries again |
 * | the schema is newer than the code | the code runs if the newer migration says that it may, else it refuses |
 *
 * A migration is one message of several statements: an implicit transaction, which no pooler divides and no lost
 * connection leaves open, and which needs no `begin` of the client's (porsager/postgres#1208).
 *
 * @module
 */
import { connect, type Sql } from "./connection.ts";
import { readText } from "./text.ts";
import { DispatcherError } from "../errors.ts";

interface Migration {
  version: number;
  name: string;
  /** The oldest version of the code's schema that works on a database with this migration. */
  worksWith: number;
}

/** The numbered files of one schema. Each schema keeps its own table `migration`. */
export interface Migrations {
  /** Its name, which is trusted. */
  schema: string;
  /** Where the files lie, as `NAME.sql`. */
  directory: URL;
  list: readonly Migration[];
}

const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: "0001_first_light", worksWith: 1 },
  { version: 2, name: "0002_duplicates_and_schedules", worksWith: 1 },
  { version: 3, name: "0003_listener", worksWith: 1 },
  { version: 4, name: "0004_cancels", worksWith: 1 },
  { version: 5, name: "0005_redrive", worksWith: 1 },
  { version: 6, name: "0006_limits", worksWith: 1 },
  { version: 7, name: "0007_cheaper", worksWith: 1 },
  { version: 8, name: "0008_lz4", worksWith: 1 },
  { version: 9, name: "0009_audit", worksWith: 1 },
  { version: 10, name: "0010_rollup", worksWith: 1 },
  { version: 11, name: "0011_logs", worksWith: 1 },
  { version: 12, name: "0012_resources", worksWith: 1 },
  { version: 13, name: "0013_exchange", worksWith: 1 },
  { version: 14, name: "0014_node_schedules", worksWith: 1 },
  { version: 15, name: "0015_columns", worksWith: 1 },
  { version: 16, name: "0016_wake", worksWith: 1 },
  { version: 17, name: "0017_long", worksWith: 1 },
  { version: 18, name: "0018_content", worksWith: 1 },
  { version: 19, name: "0019_held", worksWith: 1 },
  { version: 20, name: "0020_archive_order", worksWith: 1 },
  { version: 21, name: "0021_on_call", worksWith: 1 },
  { version: 22, name: "0022_bounded_claims", worksWith: 1 },
  { version: 23, name: "0023_vigil", worksWith: 1 },
  { version: 24, name: "0024_small_exchanges", worksWith: 1 },
  { version: 25, name: "0025_full_pages", worksWith: 1 },
];

const DISPATCHER: Migrations = {
  schema: "dispatcher",
  directory: new URL("./migrations/", import.meta.url),
  list: MIGRATIONS,
};

/** The schema version that this code was written for. */
export const SCHEMA_VERSION: number = MIGRATIONS[MIGRATIONS.length - 1].version;

/** Any number serves, as long as nobody else uses it. */
const LOCK = 4_242_001_701;
/** Said by the guard of a migration that another process has applied meanwhile. */
const APPLIED_MEANWHILE = "ED001";
/** Whoever waits for a lock on a table makes all others wait behind it, those that publish and claim too. */
const LOCK_TIMEOUT = "set local lock_timeout = '1s';";
const LOCK_TRIES = 10;
/** What a migration looks at is what was committed when it had its lock; a database may have another default. */
const ISOLATION = "set transaction isolation level read committed;";
/** Nobody has migrated it yet. */
const UNDEFINED_TABLE = "42P01";
const RETRY_MS = 1_000;
const IN_USE = new Set(["55P03", "40P01"]);

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

interface Applied {
  version: number;
  name: string;
  works_with: number;
  applied_at: string;
}

/**
 * Read the schema's state without changing anything.
 *
 * @throws {DispatcherError} `schema_newer` when the database was migrated by newer code that this one does not fit.
 */
export async function schemaStatus(
  sql: Sql,
  { schema, list }: Migrations = DISPATCHER,
): Promise<SchemaStatus> {
  // Without a name: it is the first statement of a connection that may lead through a pooler.
  const applied: readonly Applied[] = await sql.unsafe<Applied[]>(
    `select version, name, works_with, applied_at from ${schema}.migration order by version`,
  ).catch((error) => {
    if (error.code === UNDEFINED_TABLE) return [];
    throw error;
  });
  const needs = Math.max(0, ...applied.map((row) => row.works_with));
  const version = Math.max(0, ...applied.map((row) => row.version));
  const own = list[list.length - 1].version;
  if (needs > own) {
    const which = schema === DISPATCHER.schema ? "schema" : `schema "${schema}"`;
    throw new DispatcherError(
      "schema_newer",
      `Cannot use this database: its ${which} is version ${version} and needs code for ${needs} or newer, this code is for ${own}`,
    );
  }
  const pending = list.filter((m) => m.version > version).map((m) => m.name);
  return {
    version,
    ready: pending.length === 0,
    pending,
    applied: applied.map(({ works_with: _, ...row }) => row),
  };
}

/** Hears how many migrations are applied, of how many. */
export type Step = (applied: number, all: number) => void;

/**
 * Bring the schema up to this code's version; returns the names of what was applied.
 *
 * @param tell Hears when a migration has to wait.
 * @throws {DispatcherError} `unavailable` when a table that a migration changes stays in use; what was applied before
 * stays.
 *
 * @example
 * ```ts
 * const applied = await migrate(connect(url)); // ["0001_first_light", …], [] the second time
 * ```
 */
export async function migrate(
  sql: Sql,
  tell: (text: string) => void = () => {},
  step: Step = () => {},
  own: Migrations = DISPATCHER,
): Promise<string[]> {
  const applied: string[] = [];
  for (;;) {
    const { version, pending } = await schemaStatus(sql, own);
    step(applied.length, applied.length + pending.length);
    const next = own.list.find((m) => m.version > version);
    if (!next) return applied;
    if (await apply(sql, own, next, tell)) applied.push(next.name);
  }
}

// An index over many rows is not done within the time in which other statements are answered.
const ANSWER_SECONDS = 3_600;

/** The same over a connection of its own. */
export async function migrateAt(
  url: string,
  tell?: (text: string) => void,
  step?: Step,
  own?: Migrations,
): Promise<string[]> {
  const sql = connect(url, { max: 1, prepare: false, answerSeconds: ANSWER_SECONDS });
  try {
    return await migrate(sql, tell, step, own);
  } finally {
    await sql.end({ timeout: 1 }).catch(() => {});
  }
}

/** Whether it was applied by us; false when another process did it meanwhile. */
async function apply(
  sql: Sql,
  own: Migrations,
  migration: Migration,
  tell: (text: string) => void,
): Promise<boolean> {
  const { version, name } = migration;
  // The lock is released by the commit, also through a pooler that hands the session to somebody else afterwards.
  const message = [
    ISOLATION,
    `select pg_advisory_xact_lock(${LOCK});`,
    LOCK_TIMEOUT,
    bootstrap(own),
    `do $guard$ begin
      if exists (select from ${own.schema}.migration where version >= ${version}) then
        raise exception 'applied meanwhile' using errcode = '${APPLIED_MEANWHILE}';
      end if;
    end $guard$;`,
    await textOf(own, migration),
  ].join("\n");
  for (let tries = 1;; tries++) {
    try {
      await sql.unsafe(message);
      return true;
    } catch (error) {
      const { code = "", message: why } = error as { code?: string; message: string };
      if (code === APPLIED_MEANWHILE) return false;
      if (code === "42501") {
        const first = "run `migrate up` as its owner first";
        throw new DispatcherError("config", `Cannot migrate the schema: ${why}; ${first}`, { cause: error });
      }
      if (!IN_USE.has(code)) throw error;
      const text = `Cannot apply "${name}": what it changes is in use (${why})`;
      if (tries === LOCK_TRIES) {
        throw new DispatcherError("unavailable", `${text}, ${tries} times`, { cause: error });
      }
      tell(`${text}; next try in ${RETRY_MS / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

const bootstrap = ({ schema }: Migrations) =>
  `create schema if not exists ${schema};
create table if not exists ${schema}.migration (
  version int primary key,
  name text not null,
  works_with int not null, -- the oldest code that works on this schema
  applied_at timestamptz not null default clock_timestamp()
);
`;

/** The SQL of all migrations, for those who apply it by hand; it records itself as applied. */
export async function migrationSql(own: Migrations = DISPATCHER): Promise<string> {
  const parts = [ISOLATION, LOCK_TIMEOUT, bootstrap(own)];
  for (const migration of own.list) parts.push(await textOf(own, migration));
  return `begin;\n${parts.join("\n")}\ncommit;\n`;
}

/** A migration that records itself. */
async function textOf(
  { schema, directory }: Migrations,
  { name, version, worksWith }: Migration,
): Promise<string> {
  return `-- ${name}\n${await readText(new URL(`${name}.sql`, directory))}
insert into ${schema}.migration (version, name, works_with) values (${version}, '${name}', ${worksWith});\n`;
}
