/**
 * The composition of a callback receiver: from a configuration to a source, a writer, reports and probes.
 *
 * @module
 */
import { hostname } from "node:os";
import process from "node:process";
import { PgNotifyBroker } from "../broker/pg_notify.ts";
import { type Clock, jitter, systemClock } from "../clock.ts";
import type { Config } from "../config.ts";
import { database, ready } from "../connect.ts";
import { DispatcherError, errorLine } from "../errors.ts";
import type { Events } from "../events.ts";
import { type HttpServer, serveProbes } from "../http/server.ts";
import { platform } from "../platform/detect.ts";
import type { Platform } from "../platform/platform.ts";
import type { Work } from "../service/service.ts";
import { isTransient } from "../store/connection.ts";
import * as SQL from "../store/sql_receiver.ts";
import { runStatement } from "../store/statements.ts";
import { VERSION } from "../version.ts";
import { Figures, type ReceiverStatus } from "./figures.ts";
import { PostgresSource } from "./postgres_source.ts";
import { Receiver } from "./receiver.ts";
import { addressOf, openRedis } from "./redis_source.ts";
import { Report } from "./report.ts";
import type { Run, Source } from "./source.ts";

/** The address of probes and metrics unless another is given. */
export const DEFAULT_RECEIVER_HTTP = "127.0.0.1:8071";

/** How a receiver is started. */
export interface ReceiverOptions {
  config: Config;
  events: Events;
  /** Events come from this Redis; unless told, from the database. */
  redis?: string;
  /** The list in Redis. */
  key?: string;
  /** Batches that are written at once. */
  workers?: number;
  /** Of its row and its channel; by default the host's name and the pid. */
  name?: string;
  /** Where probes and metrics are served, or `off`; unless told, at the usual place or near it. */
  http?: string;
  /** Seconds that the end of a stream waits for its events. */
  patience?: number;
  clock?: Clock;
  /** Ends the wait for a database or a Redis that does not answer. */
  signal?: AbortSignal;
}

/** A receiver that runs. */
export interface RunningReceiver {
  readonly name: string;
  readonly source: Source["kind"];
  /** Where events come from, without a password. */
  readonly from: string;
  /** `HOST:PORT` of probes and metrics. */
  readonly http: string | undefined;
  status(): Promise<ReceiverStatus>;
  /** For a supervisor. */
  pulse(): { stuck?: string; status: string };
  /** Write what is held until the patience ends, and let go. */
  stop(patience: AbortSignal): Promise<void>;
}

/** More of them wait for the disk together (bench/README.md, receiver). */
const WORKERS = 4;
const RETRY_MS = { first: 500, most: 10_000 };
const PARTITIONS_MS = 3_600_000;
/** What it may take to leave a database that does not answer. */
const END_MS = 2_000;
/** What was never to take so long. */
const HANGS_MS = 60_000;

/**
 * Start a receiver; resolves when it takes events. While the database or Redis does not answer it tries again.
 *
 * @throws {DispatcherError} `config` where the control plane's tables are not; `unavailable` when the signal aborted.
 */
export async function startReceiver(options: ReceiverOptions): Promise<RunningReceiver> {
  const { events, redis, clock = systemClock, signal } = options;
  if (redis !== undefined) addressOf(redis);
  for (let failures = 0;; failures++) {
    try {
      return await startOnce(options);
    } catch (error) {
      const transient = error instanceof DispatcherError ? error.code === "unavailable" : isTransient(error);
      if (!transient || signal?.aborted) throw error;
      const wait = jitter(Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** failures));
      const next = `next try in ${(wait / 1_000).toFixed(1)} s`;
      events.emit("warning", "receiver.unavailable", `${errorLine(error)}; ${next}`);
      await clock.sleep(wait, signal);
      if (signal?.aborted) throw error;
    }
  }
}

async function startOnce(options: ReceiverOptions): Promise<RunningReceiver> {
  const { config, events, clock = systemClock, workers = WORKERS } = options;
  const name = (options.name ?? `${hostname()}-${process.pid}`).slice(0, 63);
  const { url } = await database(config);
  const sql = await ready(url, {
    max: workers + 1,
    application: `edge-dispatcher receiver ${name}`.slice(0, 63),
    statements: config.prepared_statements,
    tell: (text) => events.emit("info", "store.pool", text),
  });
  const run: Run = (text, params = []) => runStatement(sql, text, params);
  const broker = new PgNotifyBroker(sql, config.listen_url ?? url);
  const here = await platform();
  const end = async () => {
    await broker.close().catch(() => {});
    await sql.end({ timeout: 1 }).catch(() => {});
  };
  try {
    await checkTables(run);
    const source = await sourceOf(options, { url, run, broker, clock });
    return await assemble({ ...options, name, workers, clock, run, broker, source, here, end })
      .catch(async (error) => {
        await source.close();
        throw error;
      });
  } catch (error) {
    await end();
    throw error;
  }
}

async function checkTables(run: Run): Promise<void> {
  const [{ ready }] = await run(SQL.READY);
  if (ready) return;
  throw new DispatcherError(
    "config",
    "Cannot receive events: the database has no schema awx; start a node with the control plane first",
  );
}

async function sourceOf(
  { redis: url, key = "callback_tasks" }: ReceiverOptions,
  parts: { url: string; run: Run; broker: PgNotifyBroker; clock: Clock },
): Promise<Source> {
  if (url !== undefined) return await openRedis({ ...parts, url, key });
  const source = new PostgresSource(parts);
  await source.open();
  return source;
}

interface Assembly extends ReceiverOptions {
  name: string;
  workers: number;
  clock: Clock;
  run: Run;
  broker: PgNotifyBroker;
  source: Source;
  here: Platform;
  /** Close what the receiver does not. */
  end(): Promise<void>;
}

async function assemble(parts: Assembly): Promise<RunningReceiver> {
  const { name, workers, clock, events, run, broker, source, patience, end } = parts;
  const figures = new Figures(clock.now());
  const report: Report = new Report({
    name,
    workers,
    source,
    figures,
    clock,
    run,
    draining: () => receiver.draining,
  });
  const works = [report.work(), partitions(run)];
  const receiver: Receiver = new Receiver({ source, run, events, clock, figures, workers, patience, works });
  const http = await probes(parts, receiver, report, figures);
  let unlisten: () => Promise<void>;
  try {
    unlisten = await report.listen(broker, events);
    await receiver.start();
  } catch (error) {
    await http?.close();
    throw error;
  }
  const leave = async () => {
    await unlisten().catch(() => {});
    await report.leave().catch((error) =>
      events.emit("warning", "receiver.leave", `Its row stays: ${errorLine(error)}`)
    );
  };
  return {
    name,
    source: source.kind,
    from: parts.redis === undefined ? "postgres" : addressOf(parts.redis),
    http: http?.address,
    status: () => report.status(),
    pulse: () => ({
      stuck: receiver.stuck(HANGS_MS),
      status: `${figures.saved} events saved, ${figures.setAside} set aside`,
    }),
    async stop(patience) {
      await receiver.stop(patience);
      await Promise.race([leave(), clock.sleep(END_MS)]);
      await http?.close();
      await end();
    },
  };
}

/** Makes the days ahead; while somebody uses the table for long, later. */
function partitions(run: Run): Work {
  return {
    name: "partitions",
    retryMs: 60_000,
    async once() {
      await run(SQL.CREATE_PARTITIONS);
      return PARTITIONS_MS;
    },
  };
}

async function probes(
  { name, source, here, config, events, clock, http }: Assembly,
  receiver: Receiver,
  report: Report,
  figures: Figures,
): Promise<HttpServer | undefined> {
  const info = { receiver: name, source: source.kind, version: VERSION, runtime: here.name };
  return await serveProbes(
    {
      config,
      events,
      clock,
      async metrics() {
        const { receiverMetrics }: typeof import("./metrics.ts") = await import("./metrics.ts" as string);
        return await receiverMetrics({
          info,
          figures,
          queueSize: await report.queueSize(),
          away: receiver.away,
        });
      },
      node: {
        name,
        readiness() {
          const [database, answers] = [!receiver.away.has("database"), !receiver.away.has("source")];
          const { draining } = receiver;
          return { ready: database && answers && !draining, database, source: answers, draining };
        },
      },
    },
    { http: http ?? DEFAULT_RECEIVER_HTTP, chosen: http !== undefined },
    here,
  );
}
