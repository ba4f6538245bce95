/**
 * The parts of a node and how they hang together: who calls whom, in one place.
 *
 * ```text
 *  ears ─► inbox ─► store        ears ─► dispatcher ─► pool ─► dispatcher ─► store
 *  leader, producers ─► store ─► announcer ─► (all nodes) ears
 * ```
 *
 * @module
 */
import process from "node:process";
import type { TracerProvider } from "@opentelemetry/api";
import type { Broker } from "./broker/broker.ts";
import { checkChannel, handChannel } from "./broker/channels.ts";
import { PgNotifyBroker } from "./broker/pg_notify.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Config, defaultNodeName } from "./config.ts";
import { commandsOf } from "./control/commands.ts";
import type { CommandParts } from "./control/parts.ts";
import { answer, type Command } from "./control/control.ts";
import { Watch } from "./control/watch.ts";
import { Announcer } from "./dispatch/announcer.ts";
import { fieldsOf, guidOf, logAttempt } from "./dispatch/attempt_log.ts";
import { Dispatcher } from "./dispatch/dispatcher.ts";
import { Ears } from "./dispatch/ears.ts";
import { Inbox } from "./dispatch/inbox.ts";
import { OnCall } from "./dispatch/on_call.ts";
import { OutputWriter } from "./dispatch/output.ts";
import { OwnSettlements } from "./dispatch/own_settlements.ts";
import { ProgressWriter } from "./dispatch/progress.ts";
import { Triage } from "./dispatch/triage.ts";
import { BROADCAST_QUEUE, type PublishOptions } from "./envelope.ts";
import type { Events, Level } from "./events.ts";
import type { LoadedExtension } from "./extension.ts";
import type { LogSettings } from "./log.ts";
import { Observation } from "./node_observe.ts";
import { Packing } from "./packing.ts";
import type { Platform } from "./platform/platform.ts";
import { poolOptions } from "./pool/options.ts";
import { Pool } from "./pool/pool.ts";
import type { AskWhat } from "./pool/protocol.ts";
import { Publisher } from "./publisher.ts";
import { redactLine } from "./redact.ts";
import { offersOf } from "./scheduling.ts";
import { Leader } from "./service/leader.ts";
import { Producers } from "./service/producers.ts";
import { SelfCheck } from "./service/self_check.ts";
import type { Service } from "./service/service.ts";
import { CONNECT_SECONDS, isForContent, type Sql } from "./store/connection.ts";
import { PostgresStore } from "./store/postgres.ts";
import { PostgresRollup } from "./store/postgres_rollup.ts";
import type { RollupStore } from "./store/rollup.ts";
import type { Claimed, Store } from "./store/store.ts";
import { traceparentText } from "./traceparent.ts";
import { VERSION } from "./version.ts";

/** What changes while a node lives; written by the node, read by its parts. */
export interface NodeState {
  /** Another one after the lease was lost. */
  instance: string;
  phase: "running" | "draining";
  /** It has claimed for the first time, or could have. */
  started: boolean;
  /** It will not run again. */
  stopping?: true;
}

/** What a node is built from. */
export interface NodeParts {
  config: Config;
  events: Events;
  log: LogSettings;
  platform: Platform;
  sql: Sql;
  url: string;
  embedded: boolean;
  extension?: LoadedExtension;
  /** The machine's unless told. */
  clock?: Clock;
}

/**
 * What the listening connection may take to be made: when an attempt was swallowed, that one, a rest, a check and the
 * next attempt fit into twice the time of the self check.
 */
function connectSeconds({ self_check_seconds }: Config): number {
  return Math.min(CONNECT_SECONDS, Math.max(0.5, self_check_seconds));
}

/** All parts of one node. */
export class Works {
  readonly name: string;
  /** The queues it consumes: the shared ones, and its own name. */
  readonly queues: string[];
  readonly clock: Clock;
  readonly store: Store;
  readonly broker: Broker;
  readonly announcer: Announcer;
  readonly packing: Packing;
  readonly publisher: Publisher;
  readonly output: OutputWriter;
  readonly watch: Watch;
  readonly dispatcher: Dispatcher;
  readonly triage: Triage;
  readonly onCall: OnCall;
  readonly pool: Pool;
  readonly leader: Leader;
  readonly producers: Producers;
  readonly selfCheck: SelfCheck;
  readonly inbox: Inbox;
  readonly ears: Ears;
  readonly rollups: RollupStore;
  /** Counts, metrics, charts, traces. */
  readonly observation: Observation;
  /** Hears of each envelope that this node writes. */
  readonly tracers = (): TracerProvider | undefined => this.observation.tracing?.tracers;
  readonly published = (queue: string): void => this.observation.tally.published(queue);
  readonly services: Service[] = [];
  readonly #commands: Readonly<Record<string, Command>>;
  readonly #parts: NodeParts;
  readonly #state: NodeState;
  readonly #own = new OwnSettlements();

  constructor(parts: NodeParts, state: NodeState) {
    const { config, sql, url } = parts;
    this.#parts = parts;
    this.#state = state;
    this.clock = parts.clock ?? systemClock;
    this.name = config.node ?? defaultNodeName();
    this.queues = [...new Set([...config.queues, this.name])];
    this.store = new PostgresStore(sql);
    this.rollups = new PostgresRollup(sql);
    this.broker = new PgNotifyBroker(sql, config.listen_url ?? url, connectSeconds(config));
    this.announcer = new Announcer(this.broker);
    const { max_args_bytes: maxArgsBytes, encryption_keys: keys } = config;
    this.packing = new Packing({ maxArgsBytes, keys });
    this.publisher = new Publisher(this);
    this.output = new OutputWriter({ ...this, node: this.name, events: parts.events });
    this.watch = new Watch({ ...this, node: this.name, events: parts.events });
    parts.log.node ??= this.name;
    this.triage = this.#buildTriage();
    this.onCall = this.#buildOnCall();
    this.dispatcher = this.#buildDispatcher();
    this.pool = this.#buildPool();
    this.leader = this.#buildLeader();
    this.producers = this.#buildProducers();
    this.selfCheck = this.#buildSelfCheck();
    this.#commands = commandsOf(this.#commandParts());
    this.inbox = this.#buildInbox();
    this.ears = this.#buildEars();
    this.observation = new Observation(parts, this);
  }

  /** A service of its own by name, once it is started. */
  service(name: string): Service | undefined {
    return this.services.find((service) => service.name === name);
  }

  #buildTriage(): Triage {
    const { config, events } = this.#parts;
    const { priority_ageing_seconds: ageing, reserve_after_seconds: reserve } = config;
    const patience = { ageing, reserve, preempt: config.preempt_after_seconds };
    return new Triage({ ...this, node: this.name, events, offers: offersOf(config.resources), patience });
  }

  #buildOnCall(): OnCall {
    const [events, channel] = [this.#parts.events, handChannel()];
    return new OnCall({ ...this, node: this.name, events, channel, hears: () => this.selfCheck.hears });
  }

  #buildDispatcher(): Dispatcher {
    const { config, events } = this.#parts;
    return new Dispatcher(this.#state.instance, {
      store: this.store,
      clock: this.clock,
      events,
      queues: this.queues,
      isForContent,
      settled: (watched, released, restage) => {
        this.announcer.settled(watched);
        // Nobody else knows of it, and this node has no room for it.
        this.announcer.wake(released);
        if (restage) this.announcer.wake([""]);
      },
      triage: this.triage,
      onCall: this.onCall,
      claimed: (claimed, sentAt) => this.observation.tracing?.claimed(claimed, sentAt),
    }, { node: this.name, backoff: config.backoff, maxAttempts: config.max_attempts });
  }

  #buildPool(): Pool {
    const { config, events, log, platform, url } = this.#parts;
    const progress = new ProgressWriter((claimed, text) =>
      this.store.progress(this.dispatcher.instance, claimed, text)
    );
    return new Pool(platform, this.clock, poolOptions(config, url), {
      finished: (finished) => {
        const end = this.#own.endOf(finished);
        this.dispatcher.finished(end);
        this.output.ended(end.claimed);
        logAttempt(events, log, end);
      },
      progress: (claimed, text) => progress.put(claimed, text),
      room: () => this.dispatcher.room(),
      gone: (pid) => this.triage.gone(pid),
      notice: (level, text, fields) => events.emit(level, "pool", text, fields),
      output: (line) => events.emit("info", "task.output", redactLine(line)),
      ask: (claimed, what, payload) => this.#asked(claimed, what, payload),
      said: (claimed, how, text) => this.#said(claimed, how, text),
    });
  }

  /** What an attempt prints is kept with it; it is no more severe for the node than that. */
  #said(
    claimed: Claimed | null,
    { level, printed }: { level: Level; printed?: boolean },
    text: string,
  ): void {
    const { events, config } = this.#parts;
    const keeps = claimed !== null && config.output_lines > 0;
    const shown = keeps ? this.output.put(claimed, level, text) : redactLine(text);
    const fields = claimed ? { ...fieldsOf(claimed), node: this.name } : undefined;
    events.emit(printed ? "info" : level, printed ? "task.output" : "task.log", shown, fields);
  }

  #buildLeader(): Leader {
    const { config, events } = this.#parts;
    return new Leader({
      store: this.store,
      clock: this.clock,
      events,
      retentionDays: config.retention_days,
      rollups: this.rollups,
      rollupDays: config.rollup_days,
      published: this.published,
      rescueSeconds: config.heartbeat_seconds,
      graceSeconds: config.leader_seconds * 2,
      hears: () => this.selfCheck.hearing === "connected",
      wake: (queues) => this.dispatcher.returned(queues),
    });
  }

  #buildProducers(): Producers {
    const { config, events, extension } = this.#parts;
    return new Producers({
      node: this.name,
      store: this.store,
      clock: this.clock,
      events,
      schedules: { ...extension?.schedules, ...config.schedules },
      onStart: [...extension?.onStart ?? [], ...config.on_start],
      wake: () => this.dispatcher.wake(),
      published: this.published,
    });
  }

  #buildSelfCheck(): SelfCheck {
    return new SelfCheck({
      broker: this.broker,
      clock: this.clock,
      events: this.#parts.events,
      channel: checkChannel(this.#state.instance),
      every: this.#parts.config.self_check_seconds,
      timeout: this.#parts.config.self_check_timeout,
      // Its row says so at once: over the wire it cannot be asked.
      changed: () => {
        void this.service("heartbeat")?.kick();
        this.onCall.hearing();
      },
      proved: () => this.onCall.hearing(),
      kick: () => void this.service("self check")?.kick(),
    });
  }

  #buildInbox(): Inbox {
    const { config, events } = this.#parts;
    const { name } = this;
    return new Inbox({
      node: name,
      store: this.store,
      broker: this.broker,
      clock: this.clock,
      events,
      everyNode: new Set([BROADCAST_QUEUE, ...config.broadcast_channels]),
      chunkTimeout: config.chunk_message_timeout_seconds,
      maxArgsBytes: config.max_args_bytes,
      commands: this.#commands,
      wake: (queues) => {
        this.dispatcher.wake();
        this.announcer.wake(queues);
      },
    });
  }

  #buildEars(): Ears {
    const { events, config } = this.#parts;
    const { name, queues } = this;
    return new Ears({
      node: name,
      queues,
      broadcastChannels: config.broadcast_channels,
      checkChannel: checkChannel(this.#state.instance),
      onCall: this.onCall,
      broker: this.broker,
      store: this.store,
      events,
      dispatcher: this.dispatcher,
      leader: this.leader,
      inbox: this.inbox,
      selfCheck: this.selfCheck,
      announcer: this.announcer,
    });
  }

  #commandParts(): CommandParts {
    return {
      node: this.name,
      pid: process.pid,
      runtime: `${this.#parts.platform.name} ${this.#parts.platform.version}`,
      version: VERSION,
      queues: [...this.queues, BROADCAST_QUEUE],
      pool: this.pool,
      clock: this.clock,
      state: () => this.#state.phase,
      leader: () => this.leader.leading,
      resources: () => this.triage.resources,
      hearing: () => this.dispatcher.connected ? this.selfCheck.hearing : "down",
      received: () => this.inbox.received,
      chunks: () => this.inbox.chunks(),
      producers: () => this.producers.status(),
      adopted: (filter) => this.store.adopted(this.name, filter),
      cancelAdopted: (uuids) => this.store.cancel(uuids),
      run: (message) => this.inbox.run(message),
      services: () => [...this.services, ...this.producers.services, ...this.leader.services],
      level: () => this.#parts.log.level,
      setLevel: (level) => {
        const previous = this.#parts.log.level;
        this.#parts.log.level = level;
        return previous;
      },
      exporter: () => this.observation.exporter(),
      recent: () => this.observation.recent(),
      drain: (draining) => this.#drain(draining),
      scale: (min, max) => this.#scale(min, max),
      watch: (channel, seconds) => this.watch.open(channel, seconds),
    };
  }

  /** Claim nothing more, and give back what no slot has taken; what runs goes on. Or claim again. */
  #drain(draining: boolean): boolean {
    if (this.#state.stopping) return false;
    const phase = draining ? "draining" : "running";
    if (phase === this.#state.phase) return true;
    this.#state.phase = phase;
    const text = draining ? "Draining, and staying: nothing is claimed" : "Claims again";
    this.#parts.events.emit("info", draining ? "node.draining" : "node.resumed", text, { node: this.name });
    if (draining) {
      this.dispatcher.pause();
      this.pool.giveBack(true);
    } else this.dispatcher.resume();
    // Its row says so at once.
    void this.service("heartbeat")?.kick();
    return true;
  }

  #scale(min: number, max: number): void {
    // The pool looks at them once a second.
    Object.assign(this.pool.options, { minSlots: min, maxSlots: max });
    const text = `The pool has ${min} to ${max} slots until the next start`;
    this.#parts.events.emit("info", "pool.scaled", text, { min, max });
    void this.service("heartbeat")?.kick();
  }

  /** What a bound task wants, or tells of its own transaction. */
  async #asked(claimed: Claimed, what: AskWhat, payload: unknown): Promise<unknown> {
    if (what === "control") {
      const { command, data } = payload as { command: string; data: Record<string, unknown> };
      return await answer(this.#commands, this.name, command, data);
    }
    if (what === "transaction") {
      const { name: node, dispatcher: { instance } } = this;
      return { url: this.#parts.url, node, instance, fence: claimed.fence };
    }
    if (what === "settling") return this.#own.settling(claimed, payload as boolean);
    if (what === "settled") return this.#settled(claimed, payload as { text: string; wakes: string[] });
    const { task, args, options } = payload as { task: string; args: unknown[]; options: PublishOptions };
    // What follows is found by the same guid, and in the same trace.
    const follows = { guid: guidOf(claimed), traceparent: traceparentText(claimed.options) };
    return await this.publisher.publish(task, args, { ...follows, ...options });
  }

  #settled(claimed: Claimed, { text, wakes }: { text: string; wakes: string[] }): void {
    this.#own.settled(claimed, text);
    this.dispatcher.committed(claimed);
    this.announcer.wake(wakes);
  }
}
