/**
 * The composition root of a node: builds one dispatcher out of its parts, starts it, drains it, stops it.
 *
 * ```text
 *  starting ─► running ─── stop() ──► draining ──────────────────────────► stopped
 *                │  ▲                  │ no claims, readyz 503             lease ended, the rest given back
 *     lease lost │  │ new instance     │ wait shutdown_wait, abort, kill
 *                └──┘
 * ```
 *
 * @module
 */
import { hostname } from "node:os";
import { statSync } from "node:fs";
import process from "node:process";
import type { Broker } from "./broker/broker.ts";
import { SETTLED_CHANNEL, WAKE_CHANNEL } from "./broker/channels.ts";
import { PAYLOAD_BYTES } from "./broker/broker.ts";
import { PgNotifyBroker } from "./broker/pg_notify.ts";
import { type Clock, jitter, systemClock } from "./clock.ts";
import { type Config, defaultNodeName } from "./config.ts";
import { database, ready } from "./connect.ts";
import { type CommandParts, commandsOf } from "./control/commands.ts";
import { Dispatcher } from "./dispatch/dispatcher.ts";
import { Inbox } from "./dispatch/inbox.ts";
import { BROADCAST_QUEUE } from "./envelope.ts";
import { DispatcherError, errorLine } from "./errors.ts";
import { Events } from "./events.ts";
import type { LogSettings } from "./log.ts";
import { platform } from "./platform/detect.ts";
import type { Platform } from "./platform/platform.ts";
import { isKnownDead, processIdentity } from "./platform/process_identity.ts";
import { Pool, type PoolOptions } from "./pool/pool.ts";
import { heartbeat } from "./service/heartbeat.ts";
import { Leader } from "./service/leader.ts";
import { Service } from "./service/service.ts";
import { isTransient, type Sql } from "./store/connection.ts";
import { PostgresStore } from "./store/postgres.ts";
import type { NodeRegistration, Store } from "./store/store.ts";
import { uuid7 } from "./uuid.ts";
import { VERSION } from "./version.ts";

/** How a node is started, besides its configuration. */
export interface NodeOptions {
  config: Config;
  events?: Events;
  log?: LogSettings;
  /** Ends the wait for a database that does not answer. */
  signal?: AbortSignal;
  /** Give up at once when the database does not answer, instead of trying again. */
  once?: boolean;
}

const CONNECT_RETRY_MS = { first: 500, most: 10_000 };

/** A running node. */
export class DispatcherNode {
  readonly name: string;
  readonly config: Config;
  readonly events: Events;
  readonly queues: string[];
  readonly embedded: boolean;
  readonly pool: Pool;
  readonly #url: string;
  readonly #store: Store;
  readonly #sql: Sql;
  readonly #broker: Broker;
  readonly #clock: Clock = systemClock;
  readonly #dispatcher: Dispatcher;
  readonly #inbox: Inbox;
  readonly #leader: Leader;
  readonly #services: Service[] = [];
  readonly #log: LogSettings;
  readonly #platform: Platform;
  #instance = uuid7();
  #state: "running" | "draining" = "running";
  #stopping: Promise<void> | undefined;

  /** Use {@link startNode}. */
  constructor(
    parts: {
      config: Config;
      events: Events;
      log: LogSettings;
      platform: Platform;
      sql: Sql;
      url: string;
      embedded: boolean;
    },
  ) {
    const { config, events, platform, sql, url } = parts;
    this.config = config;
    this.events = events;
    this.embedded = parts.embedded;
    this.name = config.node ?? defaultNodeName();
    this.queues = [...new Set([...config.queues, this.name])];
    this.#platform = platform;
    this.#log = parts.log;
    this.#url = url;
    this.#sql = sql;
    this.#store = new PostgresStore(sql);
    this.#broker = new PgNotifyBroker(sql, config.listen_url ?? url);
    this.#dispatcher = this.#buildDispatcher();
    this.pool = this.#buildPool();
    this.#leader = this.#buildLeader();
    this.#inbox = this.#buildInbox();
  }

  // ---- building

  #buildDispatcher(): Dispatcher {
    const { config, events } = this;
    return new Dispatcher(this.#instance, {
      store: this.#store,
      clock: this.#clock,
      events,
      queues: this.queues,
      isTransient,
      settled: (watched, released, retried) => this.#announce(watched, released, retried),
    }, { node: this.name, backoff: config.backoff, maxAttempts: config.max_attempts });
  }

  #buildPool(): Pool {
    const { events } = this;
    return new Pool(this.#platform, this.#clock, poolOptions(this.config, this.#url), {
      finished: (end) => this.#dispatcher.finished(end),
      progress: (claimed, text) => {
        // Progress is a courtesy: one that is lost is followed by the next.
        this.#store.progress(this.#dispatcher.instance, claimed, text).catch(() => {});
      },
      room: () => this.#dispatcher.room(),
      notice: (level, text, fields) => events.emit(level, "pool", text, fields),
      output: (line) => events.emit("info", "task.output", line),
    });
  }

  #buildLeader(): Leader {
    const { config, events } = this;
    return new Leader({
      store: this.#store,
      clock: this.#clock,
      events,
      retentionDays: config.retention_days,
      rescueSeconds: config.heartbeat_seconds,
      wake: (queues) => this.#wake(queues),
    });
  }

  #buildInbox(): Inbox {
    return new Inbox({
      node: this.name,
      store: this.#store,
      broker: this.#broker,
      clock: this.#clock,
      events: this.events,
      everyNode: new Set([BROADCAST_QUEUE, ...this.config.broadcast_channels]),
      chunkTimeout: this.config.chunk_message_timeout_seconds,
      commands: commandsOf(this.#commandParts()),
      wake: () => this.#dispatcher.wake(),
    });
  }

  #commandParts(): CommandParts {
    return {
      node: this.name,
      pid: process.pid,
      runtime: `${this.#platform.name} ${this.#platform.version}`,
      version: VERSION,
      queues: [...this.queues, BROADCAST_QUEUE],
      pool: this.pool,
      clock: this.#clock,
      state: () => this.#state,
      leader: () => this.#leader.leading,
      connected: () => this.#dispatcher.connected,
      received: () => this.#inbox.received,
      services: () => [...this.#services, ...this.#leader.services],
      setLevel: (level) => {
        const previous = this.#log.level;
        this.#log.level = level;
        return previous;
      },
    };
  }

  // ---- starting

  /** Take the name, start the slots, listen, and begin to claim. */
  async start(): Promise<void> {
    await this.#register();
    const beat = this.#service(heartbeat({
      store: this.#store,
      clock: this.#clock,
      everySeconds: this.config.heartbeat_seconds,
      beat: () => ({
        instance: this.#instance,
        state: this.#state,
        slots: this.pool.fleet.slots.size,
        busy: this.pool.busy,
        leaseSeconds: this.config.lease_seconds,
        leaderSeconds: this.config.leader_seconds,
      }),
      leading: (leader) => this.#leader.lead(leader && this.#state === "running"),
      cancel: (uuids) => uuids.forEach((uuid) => this.pool.abort(uuid, "CancelledError")),
      broadcasts: () => void this.#deliver(),
      lost: () => this.#lost(),
    }));
    beat.start();
    await Promise.all([this.pool.start(), this.#listen()]);
    this.#dispatcher.start(this.pool);
    this.#service({
      name: "safety poll",
      retryMs: 1_000,
      once: () => {
        this.#dispatcher.wake();
        return Promise.resolve(jitter(this.config.safety_poll_seconds * 1000));
      },
    }).start();
    this.#service(this.#inbox.sweeper()).start();
  }

  #service(work: ConstructorParameters<typeof Service>[0]): Service {
    const service = new Service(work, this.#clock, this.events);
    this.#services.push(service);
    return service;
  }

  async #register(replaces?: string): Promise<void> {
    const { config } = this;
    const registration: NodeRegistration = {
      name: this.name,
      instance: this.#instance,
      runtime: this.#platform.name,
      version: VERSION,
      host: hostname(),
      pid: process.pid,
      boot: processIdentity(),
      minSlots: config.pool.min_workers,
      maxSlots: config.pool.max_workers,
      queues: this.queues,
      leaseSeconds: config.lease_seconds,
      replaces,
    };
    const registered = await this.#store.register(registration);
    if (registered.ok) {
      if (registered.rescued > 0) {
        this.events.emit("info", "rescued", `Took over ${registered.rescued} envelopes of dead nodes`);
      }
      return;
    }
    const { holder } = registered;
    if (!replaces && isKnownDead(holder.boot, holder.pid)) return await this.#register(holder.instance);
    throw new DispatcherError(
      "name_taken",
      `Cannot start node "${this.name}": the name is held by pid ${holder.pid} on ${holder.host} (${holder.runtime}), ` +
        `last seen ${holder.last_seen}, lease until ${holder.lease_until}`,
    );
  }

  async #listen(): Promise<void> {
    const channels = [...this.queues, BROADCAST_QUEUE, ...this.config.broadcast_channels];
    await this.#broker.listen([WAKE_CHANNEL, ...new Set(channels)], {
      gap: () => {
        this.#dispatcher.wake();
        this.#leader.restage();
        void this.#deliver();
      },
      message: (channel, payload) => {
        if (channel === WAKE_CHANNEL) this.#woken(payload);
        else this.#inbox.message(channel, payload);
      },
    });
  }

  // ---- running

  #woken(queue: string): void {
    if (queue === "") this.#leader.restage();
    else if (queue === BROADCAST_QUEUE) void this.#deliver();
    else if (this.queues.includes(queue)) this.#dispatcher.wake();
  }

  async #deliver(): Promise<void> {
    try {
      if (await this.#store.deliver(this.name) > 0) {
        this.#dispatcher.wake();
        // A broadcast may be due later only.
        this.#wake([""]);
      }
    } catch (error) {
      this.events.emit(
        "warning",
        "deliver.failed",
        `Broadcasts wait for the next heartbeat: ${errorLine(error)}`,
      );
    }
  }

  /** Tell all nodes, this one included. A lost wake costs one safety poll. */
  #wake(queues: string[]): void {
    for (const queue of queues) this.#broker.notify(WAKE_CHANNEL, queue).catch(() => {});
  }

  #announce(watched: string[], released: string[], retried: boolean): void {
    const perMessage = Math.floor(PAYLOAD_BYTES / 37);
    for (let at = 0; at < watched.length; at += perMessage) {
      this.#broker.notify(SETTLED_CHANNEL, watched.slice(at, at + perMessage).join(",")).catch(() => {});
    }
    if (released.length > 0 && this.#state === "draining") this.#wake(released);
    if (retried) this.#wake([""]);
  }

  /** The lease was lost: what runs here is not ours any more. Stop it and begin again as a new instance. */
  async #lost(): Promise<void> {
    if (this.#state !== "running") return;
    this.events.emit("error", "lease.lost", `Node "${this.name}" lost its lease: its attempts are aborted`);
    for (const uuid of this.pool.holds()) this.pool.abort(uuid, "ShutdownError");
    this.#instance = uuid7();
    await this.#register();
    this.#dispatcher.renew(this.#instance);
  }

  /** Whether nothing is left to do in its queues. */
  async idle(): Promise<boolean> {
    await this.#store.deliver(this.name);
    return await this.#store.waiting(this.queues) === 0 && this.pool.holds().length === 0 &&
      this.#dispatcher.settledAll;
  }

  // ---- stopping

  /**
   * Drain and stop: claim nothing more, let what runs finish until the patience ends, abort and give back the
   * rest. Calling it again returns the same promise.
   */
  stop(patience: AbortSignal = AbortSignal.timeout(this.config.shutdown_wait * 1000)): Promise<void> {
    this.#stopping ??= this.#stop(patience);
    return this.#stopping;
  }

  async #stop(patience: AbortSignal): Promise<void> {
    this.#state = "draining";
    const running = this.pool.busy;
    this.events.emit("info", "node.draining", `Draining: ${running} attempts run`, { node: this.name });
    this.#dispatcher.pause();
    await this.#leader.stop();
    await this.pool.close(patience);
    const bound = this.#clock.monotonic() + 5_000;
    while (!this.#dispatcher.settledAll && this.#clock.monotonic() < bound) await this.#clock.sleep(10);
    await Promise.all(this.#services.map((service) => service.stop()));
    try {
      await this.#store.unregister(this.#instance);
      this.#wake(this.queues);
    } catch (error) {
      const rest = `what it holds is given back when its lease ends`;
      this.events.emit("warning", "node.unregister", `Database did not answer: ${rest}: ${errorLine(error)}`);
    }
    await this.#broker.close();
    await this.#store.close();
    this.events.emit("info", "node.stopped", `Node "${this.name}" stopped`);
  }
}

/**
 * Start a node; resolves when it is ready. While the database does not answer it tries again, unless `once`.
 *
 * @throws {DispatcherError} `config`, `name_taken`, `schema_newer`, or `unavailable` with `once`.
 *
 * @example
 * ```ts ignore
 * const { config } = await loadConfig();
 * const node = await startNode({ config });
 * await node.stop();
 * ```
 */
export async function startNode(options: NodeOptions): Promise<DispatcherNode> {
  const { config, events = new Events(), signal, once } = options;
  if (!statSync(config.tasks, { throwIfNoEntry: false })?.isDirectory()) {
    throw new DispatcherError("config", `Cannot use tasks "${config.tasks}": it is not a directory`);
  }
  const opened = await openDatabase(config, events, once ?? false, signal);
  const log = options.log ?? { level: config.log_level, format: config.log_format };
  const node = new DispatcherNode({ config, events, log, platform: await platform(), ...opened });
  try {
    await node.start();
  } catch (error) {
    await opened.sql.end({ timeout: 1 }).catch(() => {});
    throw error;
  }
  return node;
}

async function openDatabase(config: Config, events: Events, once: boolean, signal?: AbortSignal) {
  const { url, embedded } = await database(config, (line) => events.emit("info", "embedded", line));
  for (let failures = 0;; failures++) {
    try {
      const sql = await ready(url, {
        max: 4,
        application: `edge-dispatcher ${config.node ?? defaultNodeName()}`.slice(0, 63),
      });
      return { url, embedded, sql };
    } catch (error) {
      const transient = error instanceof DispatcherError && error.code === "unavailable";
      if (once || !transient || signal?.aborted) throw error;
      const wait = jitter(Math.min(CONNECT_RETRY_MS.most, CONNECT_RETRY_MS.first * 2 ** failures));
      events.emit(
        "warning",
        "store.unavailable",
        `${error.message}; next try in ${(wait / 1000).toFixed(1)} s`,
      );
      await systemClock.sleep(wait, signal);
      if (signal?.aborted) throw error;
    }
  }
}

function poolOptions(config: Config, url: string): PoolOptions {
  const { pool } = config;
  return {
    root: config.tasks,
    prefixes: config.task_prefixes,
    allow: config.task_allow,
    workerMemoryMb: pool.worker_memory_mb,
    hostMemoryMb: pool.host_memory_mb ?? pool.worker_memory_mb * pool.slots_per_host + 256,
    environment: { DATABASE_URL: url, DISPATCHER_TASKS: config.tasks },
    minSlots: pool.min_workers,
    maxSlots: pool.max_workers,
    slotsPerHost: pool.slots_per_host,
    abortGrace: pool.abort_grace,
    leakyWait: pool.leaky_wait,
    scaledownWait: pool.scaledown_wait,
    maxAge: pool.worker_max_lifetime_seconds,
    maxTasks: pool.worker_max_tasks,
    maxHeapMb: pool.worker_memory_mb * 0.8,
  };
}
