import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { DispatcherError } from "../../runtime/errors.ts";
import { platform } from "../../runtime/platform/detect.ts";
import { connect, type Sql } from "../../runtime/store/connection.ts";
import { migrate, migrationSql, SCHEMA_VERSION, schemaStatus } from "../../runtime/store/migrate.ts";
import { run } from "../conformance/platform.ts";
import { database, needsServer, test, type TestContext } from "../harness.ts";

async function open(t: TestContext, server?: "pg15") {
  const db = await database({ server });
  t.after(() => db.drop());
  const connectTo = (max = 1) => {
    const sql = connect(db.url, { max });
    t.after(() => sql.end({ timeout: 1 }));
    return sql;
  };
  return { url: db.url, connectTo, sql: connectTo() };
}

/** Everything that makes up the schema, as PostgreSQL describes it. */
async function catalog(sql: Sql): Promise<string[]> {
  const rows = await sql.unsafe(`
    select format('column %s.%s %s %s default %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
        a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity) line
      from pg_attribute a join pg_class c on c.oid = a.attrelid left join pg_attrdef d
        on d.adrelid = a.attrelid and d.adnum = a.attnum
      where c.relnamespace = 'dispatcher'::regnamespace and a.attnum > 0 and not a.attisdropped
    union all select format('class %s %s %s %s', relname, relkind, reloptions, pg_get_expr(relpartbound, oid))
      from pg_class where relnamespace = 'dispatcher'::regnamespace
    union all select pg_get_indexdef(indexrelid) from pg_index join pg_class c on c.oid = indrelid
      where c.relnamespace = 'dispatcher'::regnamespace
    union all select format('%s %s', conrelid::regclass, pg_get_constraintdef(oid)) from pg_constraint
      where connamespace = 'dispatcher'::regnamespace
    union all select pg_get_functiondef(oid) from pg_proc where pronamespace = 'dispatcher'::regnamespace
    union all select format('migration %s %s %s', version, name, works_with) from dispatcher.migration
    union all select format('leader %s %s', instance, until) from dispatcher.leader
    order by 1`);
  return rows.map((row) => row.line);
}

async function isEmpty(sql: Sql): Promise<boolean> {
  const rows = await sql`select from pg_namespace where nspname = 'dispatcher'`;
  return rows.length === 0;
}

test("migrate() brings an empty database up to the code's version, once", async (t) => {
  const { sql } = await open(t);
  const applied = await migrate(sql);
  assert.equal(applied.length, SCHEMA_VERSION);
  assert.deepEqual(await migrate(sql), []);
});

test("migrate() has all JSON compressed with lz4 where the server can, in the partitions too", async (t) => {
  const { sql } = await open(t);
  await migrate(sql);
  const [{ can }] = await sql.unsafe(
    "select coalesce((select 'lz4' = any(enumvals) from pg_settings where name = 'default_toast_compression'), false) can",
  );
  if (!can) return;
  await sql.unsafe("select dispatcher.create_partitions(5)");
  const others = await sql.unsafe(`select attrelid::regclass::text || '.' || attname name
    from pg_attribute join pg_class c on c.oid = attrelid
    where relnamespace = 'dispatcher'::regnamespace and relkind in ('r', 'p') and attnum > 0
      and relname ~ '^(envelope|broadcast|archive)' and atttypid in ('json'::regtype, 'json[]'::regtype)
      and attcompression <> 'l'`);
  assert.deepEqual(others.map(({ name }) => name), []);
});

test("migrate() of ten at once on an empty database applies each migration once", async (t) => {
  const { sql, connectTo } = await open(t);
  const all = await Promise.all(Array.from({ length: 10 }, () => migrate(connectTo())));
  assert.equal(all.flat().length, SCHEMA_VERSION);
  assert.equal(new Set(all.flat()).size, SCHEMA_VERSION);
  assert.equal((await sql`select from dispatcher.migration`).length, SCHEMA_VERSION);
});

test("migrate() works on the system's PostgreSQL", { skip: needsServer("pg15") }, async (t) => {
  const { sql } = await open(t, "pg15");
  assert.equal((await migrate(sql)).length, SCHEMA_VERSION);
  assert.equal((await schemaStatus(sql)).ready, true);
});

test("migrate() needs no more than the right to create a schema", async (t) => {
  const { sql, url } = await open(t);
  const role = `r_${randomBytes(6).toString("hex")}`;
  const own = new URL(url);
  [own.username, own.password] = [role, "secret"];
  await sql.unsafe(`create role ${role} login password 'secret'`);
  t.after(() => sql.unsafe(`drop owned by ${role} cascade; drop role ${role}`));
  await sql.unsafe(`grant create on database ${own.pathname.slice(1)} to ${role}`);
  const ordinary = connect(own.href, { max: 1 });
  t.after(() => ordinary.end({ timeout: 1 }));
  assert.equal((await migrate(ordinary)).length, SCHEMA_VERSION);
  assert.match((await ordinary`select dispatcher.publish('a') uuid`)[0].uuid, /^[0-9a-f-]{36}$/);
});

test("schemaStatus() tells of an empty database what is pending, and leaves it empty", async (t) => {
  const { sql } = await open(t);
  const { version, ready, pending, applied } = await schemaStatus(sql);
  assert.deepEqual([version, ready, applied], [0, false, []]);
  assert.equal(pending.length, SCHEMA_VERSION);
  assert.equal(pending[0], "0001_first_light");
  assert.equal(await isEmpty(sql), true);
});

test("schemaStatus() tells what was applied and when", async (t) => {
  const { sql } = await open(t);
  await migrate(sql);
  const { version, ready, pending, applied } = await schemaStatus(sql);
  assert.deepEqual([version, ready, pending], [SCHEMA_VERSION, true, []]);
  assert.deepEqual(Object.keys(applied[0]), ["version", "name", "applied_at"]);
  assert.equal(applied[0].name, "0001_first_light");
  assert.match(applied[0].applied_at, /^\d{4}-\d\d-\d\dT.*Z$/);
});

test("migrate() and schemaStatus() refuse a schema that needs newer code, naming both numbers", async (t) => {
  const { sql } = await open(t);
  await migrate(sql);
  await sql`insert into dispatcher.migration (version, name, works_with) values (99, '0099_later', 98)`;
  for (const look of [migrate, schemaStatus]) {
    await assert.rejects(look(sql), (error: Error) => {
      assert.ok(error instanceof DispatcherError);
      assert.deepEqual([error.code, error.exit], ["schema_newer", 78]);
      assert.equal(
        error.message,
        `Cannot use this database: its schema is version 99 and needs code for 98 or newer, this code is for ${SCHEMA_VERSION}`,
      );
      return true;
    });
  }
});

test("migrate() runs on a newer schema that still works with this code", async (t) => {
  const { sql } = await open(t);
  await migrate(sql);
  await sql`insert into dispatcher.migration (version, name, works_with) values (99, '0099_later', ${SCHEMA_VERSION})`;
  assert.deepEqual(await migrate(sql), []);
  const { version, ready } = await schemaStatus(sql);
  assert.deepEqual([version, ready], [99, true]);
});

test("migrationSql() applied by hand makes the same schema, which migrate() then leaves alone", async (t) => {
  const [byHand, byCode] = [await open(t), await open(t)];
  await byHand.sql.unsafe(await migrationSql());
  await migrate(byCode.sql);
  const lines = await catalog(byCode.sql);
  assert.ok(lines.length > 150, `${lines.length} lines`);
  assert.deepEqual(await catalog(byHand.sql), lines);
  assert.deepEqual(await migrate(byHand.sql), []);
});

test("migrationSql() applied twice fails and changes nothing", async (t) => {
  const { sql } = await open(t);
  await sql.unsafe(await migrationSql());
  const before = await catalog(sql);
  await assert.rejects(async () => await sql.unsafe(await migrationSql()), /already exists/);
  await sql`rollback`.catch(() => {});
  assert.deepEqual(await catalog(sql), before);
});

/** From now on a migration that has come halfway does this. */
async function interrupt(sql: Sql, how: string): Promise<void> {
  await sql.unsafe(`create function public.interrupt() returns event_trigger language plpgsql as $$ begin
    if to_regclass('dispatcher.archive') is not null then ${how}; end if; end $$;
    create event trigger interrupt on ddl_command_end execute function public.interrupt()`);
}

test("migrate() that fails midway leaves nothing behind, and works the next time", async (t) => {
  const { sql, connectTo } = await open(t);
  await interrupt(sql, "raise exception 'interrupted'");
  const migrating = connectTo();
  await assert.rejects(migrate(migrating), /interrupted/);
  assert.equal(await isEmpty(sql), true);
  await sql.unsafe("drop event trigger interrupt");
  assert.equal((await migrate(migrating)).length, SCHEMA_VERSION);
});

test("migrate() that loses its connection midway leaves nothing behind, and works the next time", async (t) => {
  const { sql, url } = await open(t);
  await interrupt(sql, "perform pg_terminate_backend(pg_backend_pid())");
  // In a process of its own: the client ends it with an error that nobody can catch (porsager/postgres#1208).
  const module = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const source = `const { connect } = await import(${module("../../runtime/store/connection.ts")});
    const { migrate } = await import(${module("../../runtime/store/migrate.ts")});
    await migrate(connect(${JSON.stringify(url)}, { max: 1 }));`;
  const { code, errors } = await run(t, await platform(), source);
  assert.notEqual(code, 0);
  assert.match(errors, /CONNECTION_CLOSED|terminating connection|writ/);
  assert.equal(await isEmpty(sql), true);
  await sql.unsafe("drop event trigger interrupt");
  assert.equal((await migrate(sql)).length, SCHEMA_VERSION);
});
