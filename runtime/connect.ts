/**
 * The composition of a client: from a configuration to a store, a broker and a {@link Client}.
 *
 * @module
 */
import { Client } from "./client.ts";
import type { ClientParts } from "./client_parts.ts";
import { PgNotifyBroker } from "./broker/pg_notify.ts";
import { SocketBroker } from "./broker/socket.ts";
import { jitter, systemClock } from "./clock.ts";
import type { EncryptionKey } from "./cipher.ts";
import { type Config, defaultNodeName, loadConfig } from "./config.ts";
import { type Reply, request } from "./control/control.ts";
import { DispatcherError, errorLine } from "./errors.ts";
import type { Events } from "./events.ts";
import { Packing } from "./packing.ts";
import { connect as open, connectionError, type Sql } from "./store/connection.ts";
import { firstHostOf } from "./store/hosts.ts";
import { transactionAt } from "./store/one_transaction.ts";
import { startEmbedded } from "./store/embedded.ts";
import { migrateAt, type Migrations, schemaStatus } from "./store/migrate.ts";
import { PostgresStore } from "./store/postgres.ts";
import { publishIn } from "./store/postgres_publish.ts";
import { PostgresRollup } from "./store/postgres_rollup.ts";
import { chooseStatements, type PreparedStatements, sessionOf } from "./store/statements.ts";

/** How to reach the dispatchers. */
export interface ConnectOptions {
  /** PostgreSQL; by default DATABASE_URL or PG*, else the embedded server of this project. */
  databaseUrl?: string;
  /** A direct address for LISTEN, where `databaseUrl` leads to a pooler. */
  listenUrl?: string;
  /** Connections at most, by default 4. */
  max?: number;
  /** Keys for what envelopes carry, by default those of the configuration. */
  encryptionKeys?: EncryptionKey[];
  /** Bytes of JSON that the arguments of an envelope may have, by default those of the configuration. */
  maxArgsBytes?: number;
  /** Close idle connections after so many seconds, so that a script ends by itself; 0 keeps them. */
  idleSeconds?: number;
  /** Tables of the caller's, to be brought up to date like ours. */
  migrations?: Migrations;
}

/**
 * Connect to the dispatchers of a database; starts the embedded one and applies migrations where that is needed.
 *
 * @throws {DispatcherError} `unavailable` or `config`, without the password.
 *
 * @example
 * ```ts ignore
 * const client = await connect({ databaseUrl: "postgres://me@localhost/app" });
 * const { uuid } = await client.publish("examples/add", [1, 1]);
 * await client.close();
 * ```
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const flags = { database_url: options.databaseUrl, listen_url: options.listenUrl };
  const { config } = await loadConfig({ flags });
  const { url } = await database(config);
  const sql = await ready(url, { ...options, statements: config.prepared_statements });
  const broker = new PgNotifyBroker(sql, config.listen_url ?? url);
  const { encryptionKeys: keys = config.encryption_keys, maxArgsBytes = config.max_args_bytes } = options;
  return clientOf({ sql, url, broker, clock: systemClock, packing: new Packing({ keys, maxArgsBytes }) });
}

/** What a client is put together from. */
export interface ClientMaterial extends Pick<ClientParts, "broker" | "clock" | "packing" | "published"> {
  sql: Sql;
  /** Where the pool leads. */
  url: string;
}

/** A client over an open pool and a broker; closing it closes both. */
export function clientOf({ sql, url, broker, ...parts }: ClientMaterial): Client {
  const store = new PostgresStore(sql);
  return new Client({
    ...parts,
    store,
    broker,
    rollups: new PostgresRollup(sql),
    database: () => sql,
    transaction: (work) => transactionAt(url, work),
    publishIn: (transaction, batch) => publishIn(transaction as never, batch),
    async close() {
      await broker.close();
      await store.close();
    },
  });
}

/**
 * Send a control command to the one node behind a Unix socket, without the database.
 *
 * @param options.timeout Seconds, by default 1.
 * @throws {DispatcherError} `unavailable` when nobody listens there.
 */
export async function controlSocket(
  path: string,
  command: string,
  data?: Record<string, unknown>,
  { timeout = 1, expected = 1 }: { timeout?: number; expected?: number } = {},
): Promise<Reply[]> {
  const broker = new SocketBroker(path);
  try {
    return await request(broker, systemClock, { channel: "socket", command, data, timeout, expected });
  } finally {
    await broker.close();
  }
}

/** The address of the configured database, or of the embedded one, which is started if it must be. */
export async function database(
  config: Config,
  log?: (line: string) => void,
): Promise<{ url: string; embedded: boolean }> {
  if (config.database_url !== undefined) return { url: config.database_url, embedded: false };
  try {
    const { url } = await startEmbedded({ dir: config.embedded_dir, log });
    return { url, embedded: true };
  } catch (error) {
    throw new DispatcherError("unavailable", errorLine(error), { cause: error });
  }
}

/** How a pool is opened, besides what a user may say. */
export interface ReadyOptions extends ConnectOptions {
  application?: string;
  answerSeconds?: number;
  statements?: PreparedStatements;
  /** Nobody else asks anything over it. */
  ours?: boolean;
  /** Hears what is out of the ordinary. */
  tell?: (text: string) => void;
}

/** Open a pool whose schema is up to date. */
export async function ready(url: string, options: ReadyOptions = {}): Promise<Sql> {
  checkUrl(url);
  const { statements = "auto", tell = () => {}, migrations: own } = options;
  let sql = open(url, { ...options, prepare: false });
  try {
    if (!(await schemaStatus(sql)).ready) await migrateAt(url, tell);
    if (own && !(await schemaStatus(sql, own)).ready) await migrateAt(url, tell, undefined, own);
    let session = await sessionOf(sql);
    if (!session.readsCommitted) {
      await sql.end({ timeout: 1 }).catch(() => {});
      sql = open(url, { ...options, prepare: false, isolation: "read committed" });
      session = await sessionOf(sql);
    }
    chooseStatements(sql, statements, session, (why) => tell(`Statements are not named: ${why}`));
    return sql;
  } catch (error) {
    await sql.end({ timeout: 1 }).catch(() => {});
    // Our own errors have the right words already; the client's become ours.
    throw (error as { exit?: number }).exit === undefined ? connectionError(error, url) : error;
  }
}

function checkUrl(url: string): void {
  if (isAddress(url)) return;
  throw connectionError({
    code: "28000",
    message: "the address must look like postgres://user@host:5432/database",
  }, "");
}

/** A bare scheme would lead to whatever listens on this machine. */
function isAddress(url: string): boolean {
  const first = firstHostOf(url);
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(first)) return false;
  const { hostname, searchParams } = new URL(first);
  return hostname !== "" || searchParams.has("host");
}

const RETRY_MS = { first: 500, most: 10_000 };

/** How a node waits for its database. */
export interface OpenOptions {
  events: Events;
  /** Give up at the first failure. */
  once: boolean;
  signal?: AbortSignal;
  /** Those of the extension. */
  migrations?: Migrations;
}

/** Open the database of a node, and wait for it while it does not answer. */
export async function openDatabase(
  config: Config,
  { events, once, signal, migrations }: OpenOptions,
): Promise<{ url: string; embedded: boolean; sql: Sql }> {
  const { url, embedded } = await database(config, (line) => events.emit("info", "embedded", line));
  const application = `edge-dispatcher ${config.node ?? defaultNodeName()}`.slice(0, 63);
  for (let failures = 0;; failures++) {
    try {
      const tell = (text: string) => events.emit("info", "store.pool", text);
      const statements = config.prepared_statements;
      // A half-open connection must be found out before the lease lapses that is renewed over it.
      const answerSeconds = config.lease_seconds / 3;
      const own = { max: 4, ours: true, application, answerSeconds };
      return { url, embedded, sql: await ready(url, { ...own, statements, tell, migrations }) };
    } catch (error) {
      const transient = error instanceof DispatcherError && error.code === "unavailable";
      if (once || !transient || signal?.aborted) throw error;
      const wait = jitter(Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** failures));
      const next = `next try in ${(wait / 1000).toFixed(1)} s`;
      events.emit("warning", "store.unavailable", `${error.message}; ${next}`);
      await systemClock.sleep(wait, signal);
      if (signal?.aborted) throw error;
    }
  }
}
