import {
  applyMigrations,
  databaseUrl,
  grantRoles,
  type Migrations,
  migrationSql,
  readSchema,
  rolesSql,
  type SchemaStatus,
} from "../../runtime/admin.ts";
import { DispatcherError } from "../../runtime/errors.ts";
import { loadExtension } from "../../runtime/extension.ts";
import { type Command, type Context, DATABASE_FLAGS, JSON_FLAG } from "../command.ts";
import { Progress } from "../progress.ts";

/** Bring the schema up to date. */
export const migrateUp: Command = {
  summary: "Apply the migrations that are missing",
  usage: "",
  flags: DATABASE_FLAGS,
  async run(context) {
    const url = await urlOf(context);
    const more = await extensionOf(context);
    const applied = await apply(context, url);
    if (more) applied.push(...(await apply(context, url, more)).map((name) => `${more.schema}.${name}`));
    for (const name of applied) context.io.out(name);
    if (applied.length === 0) context.io.err("The schema is up to date");
  },
};

async function apply({ io }: Context, url: string, own?: Migrations): Promise<string[]> {
  const progress = new Progress(io, "Migrations");
  let before = 0;
  return await applyMigrations(
    url,
    (text) => {
      progress.end();
      io.err(text);
    },
    (done, all) => {
      progress.advance(done - before, all);
      before = done;
    },
    own,
  ).finally(() => progress.end());
}

/** The tables that the tasks bring with them. */
async function extensionOf({ config }: Context): Promise<Migrations | undefined> {
  return (await loadExtension((await config()).config))?.migrations;
}

/** Say where the schema stands. */
export const migrateStatus: Command = {
  summary: "Show which migrations are applied and which are missing",
  usage: "",
  flags: { ...JSON_FLAG, ...DATABASE_FLAGS },
  async run(context) {
    const { io, flags } = context;
    const url = await urlOf(context);
    const status = await readSchema(url);
    const more = await extensionOf(context);
    const extension = more && { schema: more.schema, ...await readSchema(url, more) };
    if (flags.json) return io.out(JSON.stringify({ ...status, extension }));
    writeStatus(io, status);
    if (extension) writeStatus(io, extension, `${extension.schema}.`);
  },
};

function writeStatus(io: Context["io"], { applied, pending }: SchemaStatus, prefix = ""): void {
  for (const { name, applied_at } of applied) io.out(`${prefix}${name}\tapplied\t${applied_at}`);
  for (const name of pending) io.out(`${prefix}${name}\tmissing`);
}

/** Print the SQL, for those who apply it by hand. */
export const migrateSql: Command = {
  summary: "Print the SQL of all migrations",
  usage: "",
  flags: {},
  async run(context) {
    context.io.out(await migrationSql());
    const more = await extensionOf(context);
    if (more) context.io.out(`-- extension ${more.schema}\n${await migrationSql(more)}`);
  },
};

/** Print, or apply, the SQL of the roles with less than the owner's rights. */
export const migrateRoles: Command = {
  summary: "Print the SQL that makes roles for publishers, nodes, operators and viewers",
  usage: "",
  flags: {
    apply: { type: "boolean", help: "Apply it instead, as the owner of the schema" },
    ...DATABASE_FLAGS,
  },
  async run(context) {
    const { io, flags } = context;
    const more = await extensionOf(context);
    if (!flags.apply) return io.out(await rolesSql(more));
    await grantRoles(await urlOf(context), more);
    io.err("The roles are up to date");
  },
};

async function urlOf({ config }: Context): Promise<string> {
  const url = await databaseUrl((await config()).config);
  if (url === null) {
    throw new DispatcherError(
      "unavailable",
      "The embedded PostgreSQL does not run: start it with `db start`",
    );
  }
  return url;
}
