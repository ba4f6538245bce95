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
import { statSync } from "node:fs";
import { hostname } from "node:os";
import process from "node:process";
import type { Broker } from "./broker/broker.ts";
import { checkChannel } from "./broker/channels.ts";
import { PgNotifyBroker } from "./broker/pg_notify.ts";
import { SocketServer } from "./broker/socket_server.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Config, defaultNodeName } from "./config.ts";
import { openDatabase } from "./connect.ts";
import { type CommandParts, commandsOf } from "./control/commands.ts";
import { Announcer } from "./dispatch/announcer.ts";
import { Dispatcher } from "./dispatch/dispatcher.ts";
import { Ears } from "./dispatch/ears.ts";
import { Inbox } from "./dispatch/inbox.ts";
import { BROADCAST_QUEUE } from "./envelope.ts";
import { DispatcherError, errorLine } from "./errors.ts";
import { Events } from "./events.ts";
import type { LogSettings } from "./log.ts";
import { platform } from "./platform/detect.ts";
import type { Platform } from "./platform/platform.ts";
import { isKnownDead, processIdentity } from "./platform/process_identity.ts";
import { poolOptions } from "./pool/options.ts";
import { Pool } from "./pool/pool.ts";
import { heartbeat } from "./service/heartbeat.ts";
import { Leader } from "./service/leader.ts";
import { Producers } from "./service/producers.ts";
import { takeName } from "./service/registration.ts";
import { safetyPoll } from "./service/safety_poll.ts";
import { SelfCheck } from "./service/self_check.ts";
import { Service, type Work } from "./service/service.ts";
import { isTransient, type Sql } from "./store/connection.ts";
import { PostgresStore } from "./store/postgres.ts";
import type { Store } from "./store/store.ts";
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

/** What a node is built from. */
interface NodeParts {
  config: Config;
  events: Events;
  log: LogSettings;
  platform: Platform;
  sql: Sql;
  url: string;
  embedded: boolean;
}

/** How long the last outcomes may take to reach the database, in milliseconds. */
const SETTLE_MS = 5_000;

/** A running node. Use {@link startNode}. */
export class DispatcherNode {
  readonly name: string;
  readonly config: Config;
  readonly events: Events;
  /** The queues it consumes: the shared ones, and its own name. */
  readonly queues: string[];
  readonly embedded: boolean;
  readonly pool: Pool;
  readonly #log: LogSettings;
  readonly #platform: Platform;
  readonly #clock: Clock = systemClock;
  readonly #store: Store;
  readonly #broker: Broker;
  readonly #announcer: Announcer;
  readonly #dispatcher: Dispatcher;
  readonly #leader: Leader;
  readonly #producers: Producers;
  readonly #selfCheck: SelfCheck;
  readonly #inbox: Inbox;
  readonly #ears: Ears;
  readonly #services: Service[] = [];
  #socket: SocketServer | undefined;
  // Written by start and when the lease was lost.
  #instance: string = uuid7();
  #state: "running" | "draining" = "running";
  #stopping: Promise<void> | undefined;

  constructor(parts: NodeParts) {
    const { config, events, platform, sql, url } = parts;
    this.config = config;
    this.events = events;
    this.embedded = parts.embedded;
    this.name = config.node ?? defaultNodeName();
    this.queues = [...new Set([...config.queues, this.name])];
    this.#platform = platform;
    this.#log = parts.log;
    this.#store = new PostgresStore(sql);
    this.#broker = new PgNotifyBroker(sql, config.listen_url ?? url);
    this.#announcer = new Announcer(this.#broker);
    this.#dispatcher = this.#buildDispatcher();
    this.pool = this.#buildPool(url);
    this.#leader = this.#buildLeader();
    this.#producers = this.#buildProducers();
    this.#selfCheck = this.#buildSelfCheck();
    this.#inbox = this.#buildInbox();
    this.#ears = this.#buildEars();
  }

  // ---- building

  #buildDispatcher(): Dispatcher {
    const { config, events, queues } = this;
    return new Dispatcher(this.#instance, {
      store: this.#store,
      clock: this.#clock,
      events,
      queues,
      isTransient,
      settled: (watched, released, restage) => {
        this.#announcer.settled(watched);
        if (this.#state === "draining") this.#announcer.wake(released);
        if (restage) this.#announcer.wake([""]);
      },
    }, { node: this.name, backoff: config.backoff, maxAttempts: config.max_attempts });
  }

  #buildPool(url: string): Pool {
    const { events } = this;
    return new Pool(this.#platform, this.#clock, poolOptions(this.config, url), {
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
      graceSeconds: config.leader_seconds * 2,
      wake: (queues) => this.#announcer.wake(queues),
    });
  }

  #buildProducers(): Producers {
    const { config, events, name } = this;
    return new Producers({
      node: name,
      store: this.#store,
      clock: this.#clock,
      events,
      schedules: config.schedules,
      onStart: config.on_start,
      wake: () => this.#dispatcher.wake(),
    });
  }

  #buildSelfCheck(): SelfCheck {
    return new SelfCheck({
      broker: this.#broker,
      clock: this.#clock,
      events: this.events,
      channel: checkChannel(this.#instance),
      every: this.config.self_check_seconds,
      timeout: this.config.self_check_timeout,
    });
  }

  #buildInbox(): Inbox {
    const { config, events, name } = this;
    return new Inbox({
      node: name,
      store: this.#store,
      broker: this.#broker,
      clock: this.#clock,
      events,
      everyNode: new Set([BROADCAST_QUEUE, ...config.broadcast_channels]),
      chunkTimeout: config.chunk_message_timeout_seconds,
      commands: commandsOf(this.#commandParts()),
      wake: (queues) => {
        this.#dispatcher.wake();
        this.#announcer.wake(queues);
      },
    });
  }

  #buildEars(): Ears {
    const { name, queues, events, config } = this;
    return new Ears({
      node: name,
      queues,
      broadcastChannels: config.broadcast_channels,
      checkChannel: checkChannel(this.#instance),
      broker: this.#broker,
      store: this.#store,
      events,
      dispatcher: this.#dispatcher,
      leader: this.#leader,
      inbox: this.#inbox,
      selfCheck: this.#selfCheck,
      announcer: this.#announcer,
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
      hearing: () => this.#dispatcher.connected ? this.#selfCheck.hearing : "down",
      received: () => this.#inbox.received,
      chunks: () => this.#inbox.chunks(),
      producers: () => this.#producers.status(),
      adopted: () => this.#store.adopted(this.name),
      cancelAdopted: (uuids) => this.#store.cancel(uuids),
      run: (message) => this.#inbox.run(message),
      services: () => [...this.#services, ...this.#producers.services, ...this.#leader.services],
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
    this.#serve(this.#heartbeat());
    await Promise.all([this.pool.start(), this.#ears.open()]);
    this.#dispatcher.start(this.pool);
    this.#serve(safetyPoll(this.config.safety_poll_seconds, () => this.#dispatcher.wake()));
    this.#serve(this.#inbox.sweeper());
    this.#serve(this.#selfCheck.work());
    if (this.config.socket_path !== undefined) await this.#openSocket(this.config.socket_path);
    await this.#producers.start();
    this.#leader.restage();
  }

  #serve(work: Work): void {
    const service = new Service(work, this.#clock, this.events);
    this.#services.push(service);
    service.start();
  }

  #heartbeat(): Work {
    const { config, pool } = this;
    return heartbeat({
      store: this.#store,
      clock: this.#clock,
      everySeconds: config.heartbeat_seconds,
      beat: () => ({
        instance: this.#instance,
        state: this.#state,
        slots: pool.fleet.slots.size,
        busy: pool.busy,
        leaseSeconds: config.lease_seconds,
        leaderSeconds: config.leader_seconds,
      }),
      leading: (leader) => this.#leader.lead(leader && this.#state === "running"),
      cancel: (uuids) => uuids.forEach((uuid) => pool.abort(uuid, "CancelledError")),
      broadcasts: () => void this.#ears.deliver(),
      lost: () => this.#lost(),
    });
  }

  async #register(): Promise<void> {
    const { config } = this;
    const rescued = await takeName({
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
    }, { store: this.#store, isKnownDead });
    if (rescued > 0) this.events.emit("info", "rescued", `Took over ${rescued} envelopes of dead nodes`);
  }

  async #openSocket(path: string): Promise<void> {
    const socket = new SocketServer(
      path,
      (payload, answer) => this.#inbox.message(this.name, payload, answer),
    );
    await socket.start();
    this.#socket = socket;
  }

  // ---- running

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
    const quiet = this.pool.holds().length === 0 && this.#dispatcher.settledAll;
    return quiet && await this.#store.waiting(this.queues) === 0;
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
    this.events.emit("info", "node.draining", `Draining: ${this.pool.busy} attempts run`, {
      node: this.name,
    });
    this.#dispatcher.pause();
    await this.#socket?.stop();
    await Promise.all([this.#leader.stop(), this.#producers.stop()]);
    await this.pool.close(patience);
    const bound = this.#clock.monotonic() + SETTLE_MS;
    while (!this.#dispatcher.settledAll && this.#clock.monotonic() < bound) await this.#clock.sleep(10);
    await Promise.all(this.#services.map((service) => service.stop()));
    await this.#leave();
    await this.#broker.close();
    await this.#store.close();
    this.events.emit("info", "node.stopped", `Node "${this.name}" stopped`);
  }

  async #leave(): Promise<void> {
    try {
      await this.#store.unregister(this.#instance);
      this.#announcer.wake(this.queues);
    } catch (error) {
      const rest = "what it holds is given back when its lease ends";
      this.events.emit("warning", "node.unregister", `Database did not answer: ${rest}: ${errorLine(error)}`);
    }
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
  const { config, events = new Events(), signal, once = false } = options;
  if (!statSync(config.tasks, { throwIfNoEntry: false })?.isDirectory()) {
    throw new DispatcherError("config", `Cannot use tasks "${config.tasks}": it is not a directory`);
  }
  const opened = await openDatabase(config, { events, once, signal });
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
