/**
 * The client: publish, look and act, from any process. It speaks to a store and a broker and knows neither
 * PostgreSQL nor the node it may run in.
 *
 * @module
 */
import { RECEIVERS_CHANNEL, WAKE_CHANNEL } from "./broker/channels.ts";
import type { BatchCall, ClientParts } from "./client_parts.ts";
import { type ChartOptions, type Charts, chartsOf } from "./charts.ts";
import { coalesce } from "./coalesce.ts";
import { type Reply, request } from "./control/control.ts";
import type { WatchedEvent } from "./control/watch.ts";
import { BROADCAST_QUEUE, checkQueue, type PublishOptions, seal } from "./envelope.ts";
import { findRows } from "./find.ts";
import { Hints } from "./hints.ts";
import type { Json } from "./json.ts";
import { Looker } from "./looker.ts";
import { Operator } from "./operator.ts";
import { type Outcome, resultOf } from "./outcome.ts";
import { Packing } from "./packing.ts";
import { Publisher, type Sent } from "./publisher.ts";
import { mergeRates, type QueueRate } from "./rates.ts";
import { nextTick, rhythmFault, type ScheduleRow } from "./schedule.ts";
import { findSchedule, optionsOf } from "./service/scheduler.ts";
import type { State } from "./state.ts";
import type { LogFilter, LogLine } from "./store/log.ts";
import type { ReceiverRow } from "./store/look.ts";
import type {
  AuditEntry,
  AuditFilter,
  AuditRow,
  Discarded,
  FailureFilter,
  FailureRow,
  Retried,
} from "./store/operator.ts";
import type { Cancelled, EnvelopeFilter, EnvelopeRow, NodeRow, QueueRow } from "./store/store.ts";
import type { Database, Published, TaskContext, Transaction } from "./task.ts";
import { type SentWith, Transactional } from "./transactional.ts";
import { watchNodes, type WatchOptions } from "./watcher.ts";
import { Waiting } from "./waiting.ts";
import type { Why } from "./why.ts";

export type { BatchCall };

const AUDIT_BATCH = 1_000;
const WAIT_SECONDS = 300;
/** What was published so many milliseconds ago has hardly ended. */
const FRESH_MS = 2;

/** A connection to the dispatchers of one database. Make one with `connect()`. */
export class Client {
  readonly #parts: ClientParts;
  readonly #publisher: Publisher;
  readonly #audit: (entry: AuditEntry) => Promise<void>;
  readonly #hints: Hints;
  readonly #waiting: Waiting;
  readonly #operator: Operator;
  readonly #transactional: Transactional;
  /** Pages, counts and what else a dashboard shows. */
  readonly look: Looker;

  constructor(parts: ClientParts) {
    this.#parts = parts;
    this.#operator = new Operator(parts);
    this.look = new Looker(parts, (task, args, options) => this.publish(task, args, options));
    this.#publisher = new Publisher(parts);
    this.#transactional = new Transactional(parts, this.#publisher);
    this.#hints = new Hints(parts.broker);
    this.#waiting = new Waiting({ ...parts, hints: this.#hints, open: (row) => this.openResult(row) });
    this.#audit = coalesce(async (entries: AuditEntry[]) => {
      await parts.store.audit(entries);
      return entries.map(() => {});
    }, { max: AUDIT_BATCH });
  }

  /**
   * Publish one envelope. When this resolves it is in the database and will run, whatever crashes.
   *
   * @param task Path of the task, such as `examples/add`.
   * @param args Positional arguments; plain JSON data.
   * @throws {DispatcherError} `invalid_task`, `invalid_args`, `invalid_queue`, `invalid_envelope`.
   *
   * @example
   * ```ts ignore
   * const published = await client.publish("examples/add", [1, 1]);
   * await published.result(); // 2
   * ```
   */
  async publish<R = unknown>(
    task: string,
    args: unknown[] = [],
    options: PublishOptions = {},
  ): Promise<Published<R>> {
    return this.#published(await this.#publisher.publish(task, args, { watch: true, ...options }));
  }

  /**
   * Publish many, 1,000 calls or 16 MiB a statement; the results are in the order of the calls. When a statement fails,
   * those before it have been published: with uuids of your own all may be published once more.
   */
  async publishMany(
    calls: BatchCall[],
  ): Promise<{ uuid: string; known: boolean; duplicateOf: string | null }[]> {
    const now = this.#parts.clock.now();
    return await this.#publisher.publishMany(
      calls.map(({ task, args = [], ...options }) => seal(task, args, options, now)),
    );
  }

  /**
   * Publish inside a transaction of the `postgres` package: rolled back, nothing was sent. Call the returned
   * function after the commit to wake the nodes at once; otherwise their next look finds it.
   */
  async publishIn(
    transaction: unknown,
    task: string,
    args: unknown[] = [],
    options: PublishOptions = {},
  ): Promise<SentWith> {
    return await this.#transactional.publishIn(transaction, task, args, options);
  }

  /**
   * Run statements and publish in one transaction, over a connection of its own; the nodes are woken after the commit.
   *
   * @throws {DispatcherError} `unavailable` when the commit was not answered; otherwise nothing was done.
   *
   * @example
   * ```ts ignore
   * await client.transaction(async (tx, publish) => {
   *   const [{ id }] = await tx`insert into invoice default values returning id`;
   *   await publish("mail/invoice", [id]);
   * });
   * ```
   */
  async transaction<R>(
    work: (tx: Transaction, publish: TaskContext["publish"]) => R | Promise<R>,
  ): Promise<R> {
    return await this.#transactional.run(work);
  }

  #published<R>({ uuid, queue, known, duplicateOf, volatile }: Sent): Published<R> {
    const { clock } = this.#parts;
    const publishedAt = known || duplicateOf ? -Infinity : clock.monotonic();
    return {
      uuid,
      queue,
      known,
      duplicateOf,
      result: async ({ within = WAIT_SECONDS, signal } = {}) => {
        const outcome = queue === BROADCAST_QUEUE
          ? await this.waitAll(uuid, within, signal)
          : await this.#waiting.one({
            uuid: duplicateOf ?? uuid,
            within,
            signal,
            fresh: clock.monotonic() - publishedAt < FRESH_MS,
          }, volatile);
        return resultOf(outcome) as R;
      },
    };
  }

  /**
   * Wait until an envelope is final.
   *
   * @param within Seconds.
   * @param patient Wait also for one that is not there yet, as a volatile one that nobody has taken.
   * @throws {DispatcherError} `timeout`, or `not_found`.
   */
  wait(uuid: string, within: number = WAIT_SECONDS, signal?: AbortSignal, patient = false): Promise<Outcome> {
    return this.#waiting.one({ uuid: uuid.toLowerCase(), within, signal }, patient);
  }

  /** What is known of these envelopes, with the results of those that are final; what is gone is missing. */
  async outcomes(uuids: string[]): Promise<Outcome[]> {
    const rows = await this.#parts.store.outcomes(uuids);
    return await Promise.all([...rows].map(async ([uuid, { state, result, error }]) => {
      return { uuid, state, result: await this.openResult({ uuid, result }), error };
    }));
  }

  /** Wait until every live node has run a broadcast; the result is an object by node. */
  waitAll(uuid: string, within: number = WAIT_SECONDS, signal?: AbortSignal): Promise<Outcome> {
    return this.#waiting.all({ uuid, within, signal });
  }

  /** The result of a row as the task returned it, decrypted with the keys of this client. */
  async openResult(
    row: { uuid: string; result: Json; origin?: string | null; task?: string },
  ): Promise<Json> {
    const { uuid, origin, result, task = "" } = row;
    return await (this.#parts.packing ?? new Packing()).cipher.openResult(result, {
      uuid: origin ?? uuid,
      task,
    });
  }

  /** List envelopes, newest first. */
  list(filter: Partial<EnvelopeFilter> = {}): Promise<EnvelopeRow[]> {
    return this.#parts.store.list({ limit: 100, ...filter });
  }

  /**
   * The envelopes that a uuid or the beginning of one stands for: one, or all copies of one broadcast.
   *
   * @param options.log Look for a broadcast that no node has taken yet, too.
   * @throws {DispatcherError} `not_found`, or `ambiguous` with the candidates.
   */
  async find(prefix: string, verb = "find", { log = false } = {}): Promise<EnvelopeRow[]> {
    return await findRows(this.#parts.store, prefix, verb, log);
  }

  /**
   * Cancel: what has not begun ends at once, what runs is told to, on whichever node it is.
   */
  cancel(uuids: string[]): Promise<Cancelled[]> {
    return this.#operator.cancel(uuids);
  }

  /**
   * Give up: what waits is discarded for this reason, what runs is told to end and is discarded then, unless it
   * completes.
   */
  discard(uuids: string[], reason: string = "Discarded by an operator"): Promise<Discarded[]> {
    return this.#operator.discard(uuids, reason);
  }

  /**
   * Bring back what was discarded or cancelled, with as many attempts as it had at first and its history; what waits
   * for a time may run at once. However many ask at once, it is brought back once.
   *
   * @example
   * ```ts ignore
   * const dead = await client.matching({ state: ["discarded"], task: "mail/welcome" });
   * await client.retry(dead.map(({ uuid }) => uuid));
   * ```
   */
  retry(uuids: string[]): Promise<Retried[]> {
    return this.#operator.retry(uuids);
  }

  /** All that a filter finds, by uuid and state. */
  matching(filter: Omit<EnvelopeFilter, "limit">): Promise<{ uuid: string; state: State }[]> {
    return this.#operator.matching(filter);
  }

  /** What was discarded, by task and error, the latest first. */
  failures(filter: Partial<FailureFilter> = {}): Promise<FailureRow[]> {
    return this.#parts.store.failures({ limit: 100, ...filter });
  }

  /**
   * Why an envelope does not run, or who runs it, or how it ended; for a broadcast, of each copy.
   *
   * @throws {DispatcherError} `not_found`, or `ambiguous` with the candidates.
   */
  async why(prefix: string): Promise<{ uuid: string; state: State; queue: string; why: Why[] }[]> {
    const rows = await this.find(prefix, "explain");
    return await Promise.all(rows.map(async (row) => {
      const { uuid, state, queue } = row;
      return { uuid, state, queue, why: await this.#operator.why(row) };
    }));
  }

  /** What the attempts of one envelope have printed and said, in its order; of a broadcast, name a copy. */
  logs(uuid: string, filter: Partial<LogFilter> = {}): Promise<LogLine[]> {
    return this.#parts.store.readLog(uuid.toLowerCase(), { limit: 1_000, ...filter });
  }

  /** Claim nothing from a queue until it is resumed; false when it is paused already. What runs goes on. */
  pauseQueue(queue: string): Promise<boolean> {
    return this.#operator.pause(queue, true);
  }

  /** Claim from a queue again; false when it is not paused. */
  resumeQueue(queue: string): Promise<boolean> {
    return this.#operator.pause(queue, false);
  }

  /** Cancel all that waits in a queue now; what runs goes on. Returns how many; `tell` hears of each batch. */
  purgeQueue(queue: string, tell?: (purged: number) => void): Promise<number> {
    return this.#operator.purge(queue, tell);
  }

  /** What stands in each queue. */
  queues(): Promise<QueueRow[]> {
    return this.#parts.store.queues();
  }

  /** The nodes, live ones first. */
  nodes(): Promise<NodeRow[]> {
    return this.#parts.store.nodes();
  }

  /**
   * The callback receivers by their last reports, and what those that live say of themselves now (null: no answer).
   *
   * @param timeout Seconds to wait for them at most.
   */
  async receivers(timeout: number = 1): Promise<{ row: ReceiverRow; status: Reply | null }[]> {
    const rows = await this.look.receivers();
    const expected = rows.filter(({ alive }) => alive).length;
    const replies = expected === 0
      ? []
      : await this.control("receiver_status", {}, { channel: RECEIVERS_CHANNEL, timeout, expected });
    return rows.map((row) => ({ row, status: replies.find(({ node_id }) => node_id === row.name) ?? null }));
  }

  /** Charts of the last hours: throughput, waits, states, slots. */
  rollup(options: ChartOptions = {}): Promise<Charts> {
    return chartsOf(this.#parts.rollups, options);
  }

  /** How fast queues move now, by the live nodes. @param timeout Seconds to wait for them at most. */
  async rates(timeout: number = 1): Promise<QueueRate[]> {
    const hearing = (await this.nodes()).filter((node) => node.alive && node.listener === "connected");
    return mergeRates(await this.control("rates", {}, { timeout, expected: hearing.length }));
  }

  /**
   * The schedules of the cluster, then those of scope `node` with the live nodes that tick them. When these tick next is
   * known of a cron expression only: a rhythm of seconds begins with its node.
   */
  async schedules(): Promise<ScheduleRow[]> {
    const now = new Date();
    return (await this.#parts.store.schedules()).map((row) => {
      if (row.scope === "cluster" || row.cron === null || rhythmFault(row)) return row;
      return { ...row, next_at: nextTick(row, now)?.toISOString() ?? null };
    });
  }

  /** Publish what a schedule publishes, now and besides its ticks. */
  async runSchedule(name: string): Promise<Published<unknown>> {
    const { task, args, kwargs, queue, options } = await findSchedule(this.#parts.store, name, "run");
    return await this.publish(task, args, { ...optionsOf(options), kwargs, queue });
  }

  /** Pause or resume a schedule; what is resumed goes on from now. */
  async enableSchedule(name: string, enabled: boolean): Promise<void> {
    const { store, broker } = this.#parts;
    const row = await findSchedule(store, name, enabled ? "resume" : "pause");
    // To resume what is not paused would put its next tick off.
    if (enabled && row.enabled) return;
    await store.enableSchedule(name, enabled, nextTick);
    await broker.notify(WAKE_CHANNEL, "").catch(() => {});
  }

  /**
   * Send a control command and collect the replies.
   *
   * @param options.channel A node's name, by default the broadcast channel.
   * @param options.timeout Seconds, by default 1.
   * @param options.expected Replies after which the wait ends.
   */
  async control(
    command: string,
    data?: Record<string, unknown>,
    options: { channel?: string; timeout?: number; expected?: number } = {},
  ): Promise<Reply[]> {
    const { channel = BROADCAST_QUEUE, timeout = 1, expected } = options;
    return await request(this.#parts.broker, this.#parts.clock, {
      channel: checkQueue(channel),
      command,
      data,
      timeout,
      expected,
    });
  }

  /** Keep a record of what somebody did. */
  audit(entry: AuditEntry): Promise<void> {
    return this.#audit(entry);
  }

  /** What was done over HTTP, the latest first. */
  audits(filter: Partial<AuditFilter> = {}): Promise<AuditRow[]> {
    return this.#parts.store.audits({ limit: 100, ...filter });
  }

  /**
   * Hear what happens on live nodes (claims, ends of attempts, lines of the log) until the signal aborts. Nodes tell it
   * only while somebody asks, and count what is too much.
   */
  events(handler: (event: WatchedEvent) => void, options: WatchOptions): Promise<void> {
    return watchNodes(this.#parts, handler, options);
  }

  /** Its connections, as the `postgres` package has them, for tables of the caller's. */
  database(): Database {
    return this.#parts.database();
  }

  async close(): Promise<void> {
    this.#hints.close().catch(() => {}); // not awaited: a connection that is gone does not answer that either
    await this.#publisher.close();
    await this.#parts.close();
  }
}
