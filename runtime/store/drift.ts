/**
 * Schema drift: what the migrations would make, held against what is there. They are run once more, under another name,
 * in a transaction that is rolled back; so nothing has to be kept up to date beside them.
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import type { Sql } from "./connection.ts";
import { migrationSql } from "./migrate.ts";

/** Something that is not as the migrations make it. */
export interface Drift {
  kind: string;
  name: string;
  what: "missing" | "different";
  /** SQL that makes it so, where that is one statement. */
  repair: string | null;
}

interface Thing {
  kind: string;
  name: string;
  definition: string;
  repair: string | null;
}

/** What there is in a schema; of a function what it does, since its rights are the owner's affair (roles.sql). */
const CATALOG = `
select 'table' kind, relname::text "name", relkind::text definition, null repair from pg_class
where relnamespace = to_regnamespace('SCHEMA') and relkind in ('r', 'p') and relname !~ '^(archive|content)_[0-9]{8}'
union all
select 'column', format('%s.%s', relname, attname), d.definition,
  format('alter table SCHEMA.%I add column %I %s;', relname, attname, d.definition)
from pg_class c join pg_attribute a on a.attrelid = c.oid and attnum > 0 and not attisdropped
left join pg_attrdef ad on ad.adrelid = c.oid and ad.adnum = a.attnum,
  lateral (select format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else '' end
    || case attidentity when 'a' then ' generated always as identity' else '' end
    || coalesce(' default ' || pg_get_expr(adbin, adrelid), '') definition) d
where relnamespace = to_regnamespace('SCHEMA') and relkind in ('r', 'p') and relname !~ '^(archive|content)_[0-9]{8}'
union all
select 'index', c.relname, pg_get_indexdef(c.oid), pg_get_indexdef(c.oid) || ';'
from pg_class c join pg_index i on i.indexrelid = c.oid join pg_class t on t.oid = i.indrelid
where c.relnamespace = to_regnamespace('SCHEMA') and c.relname !~ '^(archive|content)_[0-9]{8}' and t.relname !~ '^(archive|content)_[0-9]{8}'
union all
select 'constraint', format('%s of %s', conname, t.relname), pg_get_constraintdef(o.oid),
  format('alter table SCHEMA.%I add constraint %I %s;', t.relname, conname, pg_get_constraintdef(o.oid))
from pg_constraint o join pg_class t on t.oid = o.conrelid
where connamespace = to_regnamespace('SCHEMA') and contype in ('p', 'u', 'c', 'f') and t.relname !~ '^(archive|content)_[0-9]{8}'
union all
select 'function', format('%s(%s)', proname, pg_get_function_identity_arguments(oid)),
  format('%s %s', pg_get_function_result(oid), prosrc), pg_get_functiondef(oid) || ';'
from pg_proc where pronamespace = to_regnamespace('SCHEMA')
union all
select 'trigger', format('%s of %s', tgname, t.relname), pg_get_triggerdef(g.oid), pg_get_triggerdef(g.oid) || ';'
from pg_trigger g join pg_class t on t.oid = g.tgrelid
where t.relnamespace = to_regnamespace('SCHEMA') and not tgisinternal and t.relname !~ '^(archive|content)_[0-9]{8}'
order by 1, 2`;

const OWN = "dispatcher";
const BEGIN = "begin; set local statement_timeout = '60s';";
/** Of what stands in the path, definitions leave out the schema: for a login named dispatcher that would be ours. */
const PATH = "set local search_path = pg_catalog;";

/** Compare; the schema must be up to date. The connection must be one, and the caller's alone. */
export async function driftOf(sql: Sql): Promise<Drift[]> {
  const scratch = `dispatcher_doctor_${randomBytes(6).toString("hex")}`;
  const migrations = (await migrationSql()).replace(/^begin;/, "").replace(/commit;\s*$/, "");
  const wanted = await catalogOf(sql, scratch, migrations.replace(/\bdispatcher\b/g, scratch));
  return compare(wanted.map((thing) => renamed(thing, scratch)), await catalogOf(sql, OWN));
}

/** What is in a schema, once more has been done; all of it is undone. One message, whatever stands between. */
async function catalogOf(sql: Sql, schema: string, first = ""): Promise<Thing[]> {
  const parts = [BEGIN, first, PATH, CATALOG.replaceAll("SCHEMA", schema), ";rollback;"];
  const results = await sql.unsafe(parts.join("\n")) as unknown as Thing[][];
  // The migrations have results too.
  return results.findLast((rows) => rows[0]?.kind !== undefined) ?? [];
}

function renamed({ kind, name, definition, repair }: Thing, scratch: string): Thing {
  const own = (text: string) => text.replaceAll(scratch, OWN);
  return { kind, name: own(name), definition: own(definition), repair: repair && own(repair) };
}

function compare(wanted: Thing[], there: Thing[]): Drift[] {
  const found = new Map(there.map((thing) => [`${thing.kind} ${thing.name}`, thing]));
  const tables = new Set(there.filter(({ kind }) => kind === "table").map(({ name }) => name));
  return wanted.flatMap(({ kind, name, definition, repair }): Drift[] => {
    const thing = found.get(`${kind} ${name}`);
    if (thing?.definition === definition) return [];
    // With its table everything on it is gone: said once.
    const table = kind === "column"
      ? name.split(".")[0]
      : kind === "constraint" || kind === "trigger"
      ? name.split(" of ")[1]
      : null;
    if (table !== null && !tables.has(table)) return [];
    // The index of a key comes with its constraint.
    if (
      kind === "index" &&
      wanted.some((one) => one.kind === "constraint" && one.name.startsWith(`${name} of `))
    ) {
      return [];
    }
    const usable = !thing || kind === "function" ? repair : null;
    return [{ kind, name, what: thing ? "different" : "missing", repair: usable }];
  });
}
