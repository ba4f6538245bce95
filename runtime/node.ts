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
import { SocketServer } from "./broker/socket_server.ts";
import { type Clock, jitter, systemClock } from "./clock.ts";
import type { Config, Origin } from "./config.ts";
import { residentBytes } from "./control/node_status.ts";
import { openDatabase } from "./connect.ts";
import { IN_FLIGHT } from "./dispatch/gathering.ts";
import { DispatcherError, errorLine } from "./errors.ts";
import { Events } from "./events.ts";
import { loadExtension } from "./extension.ts";
import type { HttpServer } from "./http/server.ts";
import type { LogSettings } from "./log.ts";
import { platform } from "./platform/detect.ts";
import type { Platform } from "./platform/platform.ts";
import { isKnownDead, processIdentity } from "./platform/process_identity.ts";
import type { Pool } from "./pool/pool.ts";
import { heartbeat } from "./service/heartbeat.ts";
import { takeName } from "./service/registration.ts";
import { safetyPoll } from "./service/safety_poll.ts";
import { Service, type Work } from "./service/service.ts";
import { serveNode } from "./node_http.ts";
import { type NodeParts, type NodeState, Works } from "./node_works.ts";
import { isTransient } from "./store/connection.ts";
import { uuid7 } from "./uuid.ts";
import { VERSION } from "./version.ts";

/** How a node is started, besides its configuration. */
export interface NodeOptions {
  config: Config;
  /** Where its values came from, by dotted path. */
  origins?: Readonly<Record<string, Origin>>;
  events?: Events;
  log?: LogSettings;
  /** Ends the wait for a database that does not answer. */
  signal?: AbortSignal;
  /** Give up at once when the database does not answer, instead of trying again. */
  once?: boolean;
  /** The machine's unless told; nothing that nodes agree on depends on it. */
  clock?: Clock;
}

/** The rest before a start that the database cut short is tried again, in milliseconds. */
const RESTART_MS = 500;
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
  readonly #platform: Platform;
  readonly #works: Works;
  readonly #state: NodeState = { instance: uuid7(), phase: "running", started: false };
  readonly #parts: NodeParts;
  readonly #origins: Readonly<Record<string, Origin>>;
  #socket: SocketServer | undefined;
  #http: HttpServer | undefined;
  #stopping: Promise<void> | undefined;

  constructor(parts: NodeParts, origins: Readonly<Record<string, Origin>> = {}) {
    this.#parts = parts;
    this.#origins = origins;
    const works = this.#works = new Works(parts, this.#state);
    this.config = parts.config;
    this.events = parts.events;
    this.embedded = parts.embedded;
    this.#platform = parts.platform;
    this.name = works.name;
    this.queues = works.queues;
    this.pool = works.pool;
  }

  // ---- starting

  /** Where it serves HTTP, as `HOST:PORT`; undefined when it does not. */
  get http(): string | undefined {
    return this.#http?.address;
  }

  /** Of its lease. */
  get instance(): string {
    return this.#state.instance;
  }

  /**
   * Take the name, start the slots, listen, and begin to claim.
   *
   * @param replaces The instance of a start that was given up.
   * @param signal Ends the wait for slots that do not start.
   */
  async start(replaces?: string, signal?: AbortSignal): Promise<void> {
    // Slots take the longest: they start while the rest is still being asked for.
    const slots = this.pool.start(signal);
    this.#http = await serveNode(this.#parts, this.#works, this.#state, this.#origins);
    await this.#register(replaces);
    this.#serve(this.#heartbeat());
    const { store, ears } = this.#works;
    // A connection more than exchanges use at once: which they get is not theirs to choose.
    await Promise.all([slots, store.warmUp(IN_FLIGHT + 1), ears.open()]);
    // What others read of this node is true as soon as it says that it is ready.
    await this.#works.service("heartbeat")!.kick();
    this.#works.dispatcher.start(this.pool);
    this.#serve(safetyPoll({
      clock: this.#works.clock,
      seconds: this.config.safety_poll_seconds,
      hears: () => this.#works.selfCheck.hearing !== "isolated",
      // Of broadcasts it hears by its heartbeat.
      look: (hears) => hears ? this.#works.dispatcher.wake() : this.#works.ears.lookAround(),
    }));
    this.#serve(this.#works.inbox.sweeper());
    this.#serve(this.#works.selfCheck.work());
    await this.#works.observation.start((work) => this.#serve(work));
    if (this.config.socket_path !== undefined) await this.#openSocket(this.config.socket_path);
    // Whoever leads must look at the schedules that this node brought.
    if (await this.#works.producers.start()) this.#works.announcer.wake([""]);
    this.#state.started = true;
  }

  #serve(work: Work): void {
    const service = new Service(work, this.#works.clock, this.events);
    this.#works.services.push(service);
    service.start();
  }

  #heartbeat(): Work {
    const { config, pool } = this;
    return heartbeat({
      store: this.#works.store,
      clock: this.#works.clock,
      everySeconds: config.heartbeat_seconds,
      beat: () => ({
        instance: this.#state.instance,
        state: this.#state.phase,
        slots: pool.fleet.slots.size,
        busy: pool.busy,
        listener: this.#works.selfCheck.hearing === "connected" ? "connected" : "isolated",
        minSlots: pool.options.minSlots,
        maxSlots: pool.options.maxSlots,
        rss: residentBytes(pool),
        resources: this.#works.triage.resources,
        leaseSeconds: config.lease_seconds,
        leaderSeconds: config.leader_seconds,
      }),
      leading: (leader) => this.#works.leader.lead(leader && this.#state.phase === "running"),
      cancel: (uuids) => uuids.forEach((uuid) => pool.abort(uuid, "CancelledError")),
      broadcasts: () => void this.#works.ears.deliver(),
      lapsed: () => this.#works.leader.rescue(),
      sharing: (nodes) => this.#works.dispatcher.sharing = nodes,
      onCall: (state) => this.#works.onCall.told(state),
      failed: () => this.#works.leader.cutOff(),
      lost: () => this.#lost(),
    });
  }

  async #register(replaces?: string): Promise<void> {
    const { config } = this;
    const rescued = await takeName({
      name: this.name,
      instance: this.#state.instance,
      runtime: this.#platform.name,
      version: VERSION,
      host: hostname(),
      pid: process.pid,
      boot: processIdentity(),
      minSlots: config.pool.min_workers,
      maxSlots: config.pool.max_workers,
      queues: this.queues,
      leaseSeconds: config.lease_seconds,
      schedules: this.#works.producers.own,
      replaces,
    }, { store: this.#works.store, isKnownDead });
    if (rescued > 0) {
      this.events.emit("info", "rescued", `Took over ${rescued} envelopes of dead nodes`, { count: rescued });
    }
  }

  async #openSocket(path: string): Promise<void> {
    const socket = new SocketServer(
      path,
      (payload, answer) => this.#works.inbox.message(this.name, payload, answer),
    );
    await socket.start();
    this.#socket = socket;
  }

  // ---- running

  /** The lease was lost: what runs here is not ours any more. Stop it and begin again as a new instance. */
  async #lost(): Promise<void> {
    if (this.#state.stopping) return;
    this.events.emit("error", "lease.lost", `Node "${this.name}" lost its lease: its attempts are aborted`);
    for (const { uuid } of this.pool.holds()) this.pool.abort(uuid, "ShutdownError");
    this.#state.instance = uuid7();
    await this.#register();
    this.#works.dispatcher.renew(this.#state.instance);
  }

  /** Whether its loops go round, an outage of the database aside, and a line about it. For a supervisor. */
  pulse(): { stuck?: string; status: string } {
    // What waits for the database gives up within a third of a lease.
    const bound = this.config.lease_seconds * 1000;
    const stuck = this.#works.services.find((service) => service.busyMs > bound)?.name;
    const { busy, fleet } = this.pool;
    return { stuck, status: `${this.#state.phase}, ${busy} of ${fleet.slots.size} slots busy` };
  }

  /** Whether nothing is left to do in its queues. */
  async idle(): Promise<boolean> {
    await this.#works.store.deliver(this.name);
    const quiet = this.pool.holds().length === 0 && this.#works.dispatcher.settledAll;
    if (!quiet || await this.#works.store.waiting(this.queues, this.instance) > 0) return false;
    // What asks for more than it offers is for another node.
    return !await this.#works.triage.couldRun();
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
    this.#state.phase = "draining";
    this.#state.stopping = true;
    this.events.emit("info", "node.draining", `Draining: ${this.pool.busy} attempts run`, {
      node: this.name,
    });
    this.#works.dispatcher.pause();
    await this.#socket?.stop();
    await Promise.all([this.#works.leader.stop(), this.#works.producers.stop()]);
    await this.pool.close(patience);
    const bound = this.#works.clock.monotonic() + SETTLE_MS;
    while (!this.#works.dispatcher.settledAll && this.#works.clock.monotonic() < bound) {
      await this.#works.clock.sleep(10);
    }
    this.#works.watch.close();
    const last = [this.#works.output.close(), this.#works.publisher.close()];
    await Promise.race([Promise.all(last), this.#works.clock.sleep(SETTLE_MS)]);
    await Promise.all(this.#works.services.map((service) => service.stop()));
    await this.#works.observation.stop();
    await this.#leave();
    await this.#http?.close();
    await this.#works.broker.close();
    await this.#works.store.close();
    this.events.emit("info", "node.stopped", `Node "${this.name}" stopped`);
  }

  /** Let go of whatever an unfinished start has begun, without a word to the database. */
  async abandon(): Promise<void> {
    this.#state.phase = "draining";
    this.#state.stopping = true;
    this.#works.dispatcher.pause();
    await this.#socket?.stop();
    await Promise.all([this.#works.leader.stop(), this.#works.producers.stop()]);
    await this.pool.close(AbortSignal.abort());
    await Promise.all(this.#works.services.map((service) => service.stop()));
    await this.#http?.close();
    await this.#works.broker.close().catch(() => {});
  }

  async #leave(): Promise<void> {
    try {
      await this.#works.store.unregister(this.#state.instance);
      this.#works.announcer.wake(this.queues);
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
  const { config, origins, events = new Events(), signal, once = false } = options;
  if (!statSync(config.tasks, { throwIfNoEntry: false })?.isDirectory()) {
    throw new DispatcherError("config", `Cannot use tasks "${config.tasks}": it is not a directory`);
  }
  const here = await platform();
  const lack = here.lacks();
  if (lack !== undefined) throw new DispatcherError("config", `Cannot start worker hosts: ${lack}`);
  const log = options.log ?? { level: config.log_level, format: config.log_format };
  const extension = await loadExtension(config);
  const { migrations } = extension ?? {};
  const parts = { config, events, log, platform: here, extension, clock: options.clock };
  let before: string | undefined;
  for (;;) {
    const opened = await openDatabase(config, { events, once, signal, migrations });
    const node = new DispatcherNode({ ...parts, ...opened }, origins);
    try {
      await node.start(before, signal);
      return node;
    } catch (error) {
      await node.abandon();
      before = node.instance;
      await opened.sql.end({ timeout: 1 }).catch(() => {});
      if (once || !isTransient(error) || signal?.aborted) throw error;
      const text = `The database went away while the node started: ${errorLine(error)}; it starts again`;
      events.emit("warning", "store.unavailable", text);
      await systemClock.sleep(jitter(RESTART_MS), signal);
    }
  }
}
