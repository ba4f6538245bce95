import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import type { Migrations } from "../../mod.ts";

/** A database of its own for a test. */
export interface TestDatabase {
  readonly url: string;
  /** Drop it, ending whatever is still connected to it. */
  drop(): Promise<void>;
}

let embedded: Promise<string> | undefined;

/**
 * Create a database, empty or with the schema in it (and an extension's, whose migrations are given), on the server of this test run: TEST_DATABASE_URL, or TEST_PG15_URL (a system
 * PostgreSQL) for `{ server: "pg15" }`. Without TEST_DATABASE_URL it starts the embedded server or attaches to it.
 */
export async function database(
  options: { server?: "pg15"; migrated?: boolean | Migrations } = {},
): Promise<TestDatabase> {
  const admin = options.server === "pg15" ? pg15Url() : process.env.TEST_DATABASE_URL ?? await embeddedUrl();
  const name = `t_${randomBytes(6).toString("hex")}`;
  const { migrated } = options;
  const own = typeof migrated === "object" ? migrated : undefined;
  if (migrated) await (await import("./migrated.ts")).createMigrated(admin, name, own);
  // template0: nobody can be connected to it, so that files run at once do not refuse each other.
  else await administer(admin, `create database ${name} template template0`);
  const url = new URL(admin);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => administer(admin, `drop database if exists ${name} with (force)`) };
}

/** Give the reason to skip a test that needs the server `name`, or false: always false with CI=true. */
export function needsServer(name: "pg15"): string | false {
  if (name !== "pg15") throw new TypeError(`Cannot look for the server ${name}: only pg15 is known`);
  return process.env.CI === "true" || process.env.TEST_PG15_URL
    ? false
    : "no system PostgreSQL (TEST_PG15_URL)";
}

function pg15Url(): string {
  const url = process.env.TEST_PG15_URL;
  if (!url) throw new Error("Cannot create a database on the system PostgreSQL: TEST_PG15_URL is not set");
  return url;
}

async function administer(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** For one file run by hand. The server stays up for the next run: a warm start is ten times a cold one's speed. */
function embeddedUrl(): Promise<string> {
  embedded ??= (async () => {
    const dir = join(tmpdir(), `edge-dispatcher-tests-${process.getuid?.() ?? "user"}`);
    mkdirSync(dir, { recursive: true });
    chmodSync(dir, 0o755);
    const { startEmbedded } = await import("../../runtime/store/embedded.ts");
    const server = await startEmbedded({ dir });
    if (server.started) {
      console.error(`tests: PostgreSQL in ${server.dir} stays up; to stop it: kill -INT ${server.pid}`);
    }
    return server.url;
  })();
  return embedded;
}
