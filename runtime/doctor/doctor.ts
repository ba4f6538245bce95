/**
 * The doctor: looks at a configuration, its database and its nodes, and says what is wrong and what would repair it.
 * It changes nothing, and works when the database is away or its schema is old.
 *
 * @module
 */
import { PgNotifyBroker } from "../broker/pg_notify.ts";
import { replyChannel } from "../broker/channels.ts";
import type { Config } from "../config.ts";
import { databaseUrl } from "../admin.ts";
import { errorLine } from "../errors.ts";
import { connect, connectionError, type Sql } from "../store/connection.ts";
import * as LOOK from "../store/diagnosis.ts";
import { driftOf } from "../store/drift.ts";
import { type SchemaStatus, schemaStatus } from "../store/migrate.ts";
import { NODES } from "../store/sql_nodes.ts";
import { sessionOf } from "../store/statements.ts";
import * as CHECK from "./checks.ts";
import { failed, type Finding, ok, warning } from "./finding.ts";
import { faultOf } from "./tasks.ts";

export type { Finding };

const HEAR_MS = 2_000;
const CONNECT_SECONDS = 5;

/** Look at everything; never throws. */
export async function diagnose(config: Config): Promise<Finding[]> {
  const url = await databaseUrl(config).catch(() => null);
  if (url === null) {
    return [failed("database", "The embedded PostgreSQL does not run", "cli db start")];
  }
  // One connection, without names: it may lead through a pooler.
  const sql = connect(url, { max: 1, prepare: false, connectSeconds: CONNECT_SECONDS });
  try {
    const [database] = await guarded("database", async () => [await databaseFinding(sql, url)]);
    if (database.status === "failed") return [database];
    return [database, ...await wayFindings(sql, url, config), ...await findings(sql, config)];
  } finally {
    await sql.end({ timeout: 1 }).catch(() => {});
  }
}

async function databaseFinding(sql: Sql, url: string): Promise<Finding> {
  const { version, standby } = await LOOK.serverOf(sql).catch((error) => {
    throw connectionError(error, url);
  });
  if (standby) return failed("database", `PostgreSQL ${version} is a standby: it takes no writes`);
  return ok("database", `PostgreSQL ${version} answers`);
}

/** A check that cannot be made says so, and holds up no other. */
async function guarded(check: string, look: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await look();
  } catch (error) {
    return [failed(check, errorLine(error))];
  }
}

async function findings(sql: Sql, config: Config): Promise<Finding[]> {
  const found: Finding[] = [];
  const check = async (name: string, look: () => Promise<Finding[]>) =>
    void found.push(...await guarded(name, look));
  let schema: SchemaStatus | undefined;
  await check("schema", async () => {
    schema = await schemaStatus(sql);
    return schema.ready ? await schemaFindings(sql, schema) : [pending(schema)];
  });
  await check("clock", async () => CHECK.clockFindings(await LOOK.skewOf(sql)));
  if (!schema || schema.version === 0) return found;
  await check("nodes", async () => CHECK.nodeFindings(await nodesOf(sql)));
  await check("connections", async () => {
    const live = (await nodesOf(sql)).filter(({ alive }) => alive).length;
    return CHECK.connectionFindings(await LOOK.connectionsOf(sql), live);
  });
  await check("tasks", async () => {
    const waiting = await LOOK.waitingTasksOf(sql);
    const faults = waiting.map((one) => ({ ...one, why: faultOf(one.task, config) }));
    const unknown = faults.filter((one): one is typeof one & { why: string } => one.why !== null);
    return CHECK.taskFindings(config.tasks, unknown);
  });
  await check("archive", async () => CHECK.archiveFindings(await LOOK.archiveOf(sql)));
  await check(
    "bloat",
    async () => CHECK.bloatFindings(await LOOK.sizesOf(sql), await LOOK.oldTransactionsOf(sql)),
  );
  return found;
}

function pending({ version, pending }: SchemaStatus): Finding {
  const text = version === 0
    ? "The schema is not there"
    : `The schema is version ${version}, these are missing: ${pending.join(", ")}`;
  return failed("schema", text, "cli migrate up");
}

async function schemaFindings(sql: Sql, { version }: SchemaStatus): Promise<Finding[]> {
  try {
    const drift = await driftOf(sql);
    if (drift.length === 0) return [ok("schema", `Version ${version}, as its migrations make it`)];
    return drift.map(({ kind, name, what, repair }) => {
      const say = what === "missing" ? failed : warning;
      return say("schema", `The ${kind} ${name} is ${what}`, repair ?? undefined);
    });
  } catch (error) {
    if ((error as { code?: string }).code !== "42501") throw error;
    const text = `Version ${version}; it was not compared: this login may not create a schema`;
    return [warning("schema", text)];
  } finally {
    // What failed in the middle is over.
    await sql.unsafe("rollback").catch(() => {});
  }
}

type Node = Parameters<typeof CHECK.nodeFindings>[0][number];

async function nodesOf(sql: Sql): Promise<Node[]> {
  return await sql.unsafe(NODES) as unknown as Node[];
}

async function wayFindings(sql: Sql, url: string, config: Config): Promise<Finding[]> {
  return await guarded("listen", async () =>
    CHECK.wayFindings({
      ...await roundTrip(sql, config.listen_url ?? url),
      pooler: await poolerOf(sql, url),
      listenUrl: config.listen_url !== undefined,
      statements: config.prepared_statements,
    }));
}

/** Through the same doors as a node: what is sent through the pool is heard where it listens. */
async function roundTrip(sql: Sql, url: string): Promise<{ heardMs: number | null; fault: string | null }> {
  const broker = new PgNotifyBroker(sql, url, CONNECT_SECONDS);
  const channel = replyChannel();
  const heard = Promise.withResolvers<number | null>();
  const timer = setTimeout(() => heard.resolve(null), HEAR_MS + CONNECT_SECONDS * 1000);
  try {
    let sentAt = 0;
    const unlisten = await broker.listen([channel], {
      gap() {},
      message: () => heard.resolve(performance.now() - sentAt),
    });
    sentAt = performance.now();
    setTimeout(() => heard.resolve(null), HEAR_MS);
    await broker.notify(channel, "");
    const heardMs = await heard.promise;
    await unlisten();
    return { heardMs, fault: null };
  } catch (error) {
    return { heardMs: null, fault: connectionError(error, url).message };
  } finally {
    clearTimeout(timer);
    await broker.close().catch(() => {});
  }
}

async function poolerOf(sql: Sql, url: string): Promise<"none" | "session" | "transaction"> {
  if (!(await sessionOf(sql)).isPooled) return "none";
  const other = connect(url, { max: 1, prepare: false, connectSeconds: CONNECT_SECONDS });
  try {
    // A pooler gives out the session that was used last.
    const pids = [await LOOK.backendOf(sql), await LOOK.backendOf(other), await LOOK.backendOf(sql)];
    return new Set(pids).size < 2 ? "transaction" : "session";
  } finally {
    await other.end({ timeout: 1 }).catch(() => {});
  }
}
