import {
  applyMigrations,
  databaseUrl,
  grantRoles,
  migrationSql,
  readSchema,
  rolesSql,
} from "../../runtime/admin.ts";
import { DispatcherError } from "../../runtime/errors.ts";
import { type Command, type Context, DATABASE_FLAGS, JSON_FLAG } from "../command.ts";
import { Progress } from "../progress.ts";

/** Bring the schema up to date. */
export const migrateUp: Command = {
  summary: "Apply the migrations that are missing",
  usage: "",
  flags: DATABASE_FLAGS,
  async run(context) {
    const progress = new Progress(context.io, "Migrations");
    let before = 0;
    const applied = await applyMigrations(
      await urlOf(context),
      (text) => {
        progress.end();
        context.io.err(text);
      },
      (done, all) => {
        progress.advance(done - before, all);
        before = done;
      },
    ).finally(() => progress.end());
    for (const name of applied) context.io.out(name);
    if (applied.length === 0) context.io.err("The schema is up to date");
  },
};

/** Say where the schema stands. */
export const migrateStatus: Command = {
  summary: "Show which migrations are applied and which are missing",
  usage: "",
  flags: { ...JSON_FLAG, ...DATABASE_FLAGS },
  async run(context) {
    const { io, flags } = context;
    const status = await readSchema(await urlOf(context));
    if (flags.json) return io.out(JSON.stringify(status));
    for (const { name, applied_at } of status.applied) io.out(`${name}\tapplied\t${applied_at}`);
    for (const name of status.pending) io.out(`${name}\tmissing`);
  },
};

/** Print the SQL, for those who apply it by hand. */
export const migrateSql: Command = {
  summary: "Print the SQL of all migrations",
  usage: "",
  flags: {},
  async run({ io }) {
    io.out(await migrationSql());
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
    if (!flags.apply) return io.out(await rolesSql());
    await grantRoles(await urlOf(context));
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
