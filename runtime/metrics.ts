/**
 * The metrics of a node in Prometheus' text format. Everything is counted elsewhere, by plain numbers; here it gets its
 * names, types and labels when somebody asks (docs/metrics.md has the table, a test compares the two).
 *
 * @module
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import process from "node:process";
import { COUNT_CAP } from "./count_cap.ts";
import type { Pool } from "./pool/pool.ts";
import type { Slot } from "./pool/slot.ts";
import { BOUNDS } from "./sketch.ts";
import type { Resources } from "./resources.ts";
import type { AskingLook } from "./store/look.ts";
import type { QueueRow } from "./store/store.ts";
import { OUTCOMES, type QueueTally, type Tally, type Times } from "./tally.ts";

/** What the metrics are made of. */
export interface MetricsSource {
  info: { node: string; version: string; runtime: string; runtime_version: string };
  tally: Tally;
  pool: Pool;
  /** Outcomes that were another's business by the time they came. */
  stale: number;
  /** Claimed and not begun. */
  held: number;
  /** What the node offers and what is in use of it. */
  resources: { offers: Resources; used: Resources };
  received: { messages: number; controls: number };
  listening: boolean;
  connected: boolean;
  leading: boolean;
  /** Of this process and its hosts. */
  residentBytes: number;
  /** What stands in the queues; only the leader tells. */
  queues?(): Promise<QueueRow[]>;
  /** What waits for resources; only the leader tells. */
  asking?(): Promise<AskingLook[]>;
}

/** Every third or so of the bounds that are counted by: what a series costs is paid for each queue. */
const SERVED = [
  0.001,
  0.002,
  0.005,
  0.01,
  0.02,
  0.05,
  0.1,
  0.2,
  0.5,
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  500,
  1_000,
  5_000,
];

/** Write all metrics. A registry of its own each time: nodes that share a process share no numbers. */
export function metricsText(source: MetricsSource): Promise<MetricsText> {
  return textOf(async (put) => {
    ofQueues(put, source);
    ofNode(put, source);
    ofPool(put, source);
    ofResources(put, source);
    ofDispatcherd(put, source);
    await Promise.all([ofCluster(put, source), ofProcess(put, source)]);
  });
}

/** As Prometheus reads it, and its media type. */
export interface MetricsText {
  text: string;
  type: string;
}

/** Write what is put. */
export async function textOf(fill: (put: Putting) => void | Promise<void>): Promise<MetricsText> {
  const registry = new Registry();
  await fill(new Putting(registry));
  return { text: await registry.metrics(), type: registry.contentType };
}

type Labels = Record<string, string>;
type Values = [labels: Labels, value: number][];

/** Puts metrics into a registry. */
export class Putting {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  counter(name: string, help: string, values: Values | number, labelNames?: string[]): void {
    const { registers, all, ...of } = this.#of(values);
    const counter = new Counter({ name, help, labelNames: labelNames ?? of.labelNames, registers });
    for (const [labels, value] of all) counter.inc(labels, value);
  }

  /** @param labelNames Where there may be no values: without labels a gauge would be 0 then. */
  gauge(name: string, help: string, values: Values | number | boolean, labelNames?: string[]): void {
    const { registers, all, ...of } = this.#of(typeof values === "boolean" ? Number(values) : values);
    const gauge = new Gauge({ name, help, labelNames: labelNames ?? of.labelNames, registers });
    for (const [labels, value] of all) gauge.set(labels, value);
  }

  times(name: string, help: string, all: [labels: Labels, times: Times][], labelNames = ["queue"]): void {
    this.#registry.registerMetric(new Counted({ name, help, labelNames, registers: [] }, all));
  }

  #of(values: Values | number): { registers: Registry[]; labelNames: string[]; all: Values } {
    const all: Values = typeof values === "number" ? [[{}, values]] : values;
    return { registers: [this.#registry], labelNames: Object.keys(all[0]?.[0] ?? {}), all };
  }
}

/** A histogram whose observations were counted elsewhere. */
class Counted extends Histogram {
  readonly #all: [labels: Labels, times: Times][];
  readonly #name: string;
  readonly #help: string;

  constructor(config: ConstructorParameters<typeof Histogram>[0], all: [labels: Labels, times: Times][]) {
    super(config);
    this.#all = all;
    this.#name = config.name;
    this.#help = config.help;
  }

  override get(): ReturnType<Histogram["get"]> {
    const values = this.#all.flatMap(([labels, times]) => this.#valuesOf(labels, times));
    const head = { name: this.#name, help: this.#help, type: "histogram", aggregator: "sum" };
    return Promise.resolve({ ...head, values } as unknown as Awaited<ReturnType<Histogram["get"]>>);
  }

  /** What the registry takes in place of `get`. */
  getForPromString(): ReturnType<Histogram["get"]> {
    return this.get();
  }

  #valuesOf(labels: Labels, { counts, sum }: Times) {
    const [bucket, total] = [`${this.#name}_bucket`, counts.reduce((all, n) => all + n, 0)];
    let below = 0;
    const values = BOUNDS.flatMap((bound, i) => {
      below += counts[i];
      return SERVED.includes(bound)
        ? [{ labels: { le: bound, ...labels }, value: below, metricName: bucket }]
        : [];
    });
    return [
      ...values,
      { labels: { le: "+Inf", ...labels }, value: total, metricName: bucket },
      { labels, value: sum, metricName: `${this.#name}_sum` },
      { labels, value: total, metricName: `${this.#name}_count` },
    ];
  }
}

function ofQueues(put: Putting, { tally }: MetricsSource): void {
  const queues = [...tally.queues];
  const each = (value: (tally: QueueTally) => number): Values =>
    queues.map(([queue, counts]) => [{ queue }, value(counts)]);
  const settled: Values = queues.flatMap(([queue, { outcomes }]) =>
    OUTCOMES.map((outcome, i) => [{ queue, outcome }, outcomes[i]] as [Labels, number])
  );
  put.counter(
    "dispatcher_published_total",
    "Envelopes that this node has published",
    each((q) => q.published),
    ["queue"],
  );
  put.counter("dispatcher_claimed_total", "Envelopes that this node has claimed", each((q) => q.claimed), [
    "queue",
  ]);
  put.counter("dispatcher_settled_total", "Attempts that have ended, by what became of them", settled, [
    "queue",
    "outcome",
  ]);
  put.times(
    "dispatcher_wait_seconds",
    "From due to start, of attempts that have ended; of each envelope the first",
    queues.map(([queue, { wait }]) => [{ queue }, wait]),
  );
  put.times(
    "dispatcher_duration_seconds",
    "From start to end, of attempts that have ended",
    queues.map(([queue, { duration }]) => [{ queue }, duration]),
  );
}

function ofNode(put: Putting, source: MetricsSource): void {
  const { tally, info } = source;
  put.gauge("dispatcher_info", "The node; always 1", [[info, 1]]);
  put.gauge("dispatcher_leader", "1 while this node leads", source.leading);
  put.gauge("dispatcher_listener_up", "1 while this node hears notifications", source.listening);
  put.gauge("dispatcher_database_up", "1 while the database answers the dispatcher", source.connected);
  put.counter(
    "dispatcher_stale_total",
    "Outcomes that settled nothing, for the attempt was not this node's any more",
    source.stale,
  );
  put.counter("dispatcher_rescued_total", "Envelopes of dead nodes that this node gave back", tally.rescued);
  put.counter(
    "dispatcher_pruned_partitions_total",
    "Old partitions of the archive that this node dropped",
    tally.pruned,
  );
  const troubles: Values = [...tally.events].map(([event, count]) => [{ event }, count]);
  put.counter(
    "dispatcher_troubles_total",
    "How often the database went away, notifications or the lease were lost",
    troubles,
  );
}

function ofPool(put: Putting, { pool, held }: MetricsSource): void {
  const states = { busy: 0, idle: 0, starting: 0, stopping: 0 };
  for (const slot of pool.fleet.slots.values()) states[stateOf(slot)]++;
  put.gauge(
    "dispatcher_slots",
    "Slots by state",
    Object.entries(states).map(([state, count]) => [{ state }, count]),
  );
  put.gauge("dispatcher_slots_min", "Slots that are always there", pool.options.minSlots);
  put.gauge("dispatcher_slots_max", "Slots at most", pool.options.maxSlots);
  put.gauge("dispatcher_held", "Envelopes that this node has claimed and not begun", held);
  put.gauge("dispatcher_hosts", "Child processes that tasks run in", pool.fleet.hosts.size);
  put.counter(
    "dispatcher_worker_restarts_total",
    "Workers that ended and were not meant to be fewer, by reason",
    Object.entries(pool.fleet.restarts.counts).map(([reason, count]) => [{ reason }, count]),
  );
}

function stateOf({ state, running }: Slot): "busy" | "idle" | "starting" | "stopping" {
  if (running) return "busy";
  if (state === "ready") return "idle";
  return state === "initialized" || state === "spawned" || state === "starting" ? "starting" : "stopping";
}

const MEMORY = "memoryMb";

/** Memory apart, in bytes: one metric has one unit. */
function ofResources(put: Putting, { resources: { offers, used } }: MetricsSource): void {
  const bytes = (amounts: Resources) => (amounts[MEMORY] ?? 0) * 2 ** 20;
  const others = (amounts: Resources): Values =>
    Object.keys(offers).filter((name) => name !== MEMORY).sort()
      .map((resource) => [{ resource }, amounts[resource] ?? 0]);
  const label = ["resource"];
  put.gauge("dispatcher_resource_offered", "What this node offers, but for memory", others(offers), label);
  put.gauge(
    "dispatcher_resource_used",
    "What is asked for by the envelopes that run here, but for memory",
    others(used),
    label,
  );
  put.gauge("dispatcher_resource_memory_offered_bytes", "Memory that this node offers", bytes(offers));
  put.gauge(
    "dispatcher_resource_memory_used_bytes",
    "Memory that is asked for by the envelopes that run here; it is not measured",
    bytes(used),
  );
}

/** The names of dispatcherd's exporter, so that what reads them goes on; its last one counts what is there now. */
function ofDispatcherd(put: Putting, { received, pool }: MetricsSource): void {
  put.counter("dispatcher_messages_received_total", "Task messages from the wire", received.messages);
  put.counter("dispatcher_control_messages_count_total", "Control messages from the wire", received.controls);
  put.gauge("dispatcher_worker_count_total", "Workers that are there", pool.fleet.slots.size);
}

/** What the leader tells of the cluster; left out when the database does not answer. */
async function ofCluster(put: Putting, { queues, asking }: MetricsSource): Promise<void> {
  const [rows, waiting] = await Promise.all([
    queues?.().catch(() => undefined),
    asking?.().catch(() => undefined),
  ]);
  const each = (value: (row: QueueRow) => number): Values =>
    (rows ?? []).map((row) => [{ queue: row.queue }, value(row)]);
  const states = ["scheduled", "available", "running", "retryable"] as const;
  put.gauge(
    "dispatcher_envelopes",
    "Envelopes that are not final, by queue and state; from the leader only",
    (rows ?? []).flatMap((row) =>
      states.map((state) => [{ queue: row.queue, state }, row[state]] as [Labels, number])
    ),
    ["queue", "state"],
  );
  put.gauge(
    "dispatcher_waiting",
    "Envelopes that could run now, by queue; from the leader only",
    each((r) => r.available),
    ["queue"],
  );
  put.gauge(
    "dispatcher_oldest_seconds",
    "Age of the oldest envelope that could run now, by queue; from the leader only",
    each((row) => row.oldest_seconds ?? 0),
    ["queue"],
  );
  put.gauge(
    "dispatcher_waiting_for_resources",
    `Of those that could run now what asks for resources, by queue, up to ${COUNT_CAP}; from the leader only`,
    (waiting ?? []).map(({ queue, asking }) => [{ queue }, asking]),
    ["queue"],
  );
  put.gauge(
    "dispatcher_paused",
    "1 while the queue is paused; from the leader only",
    each((r) => Number(r.paused)),
    ["queue"],
  );
}

const startedAt = Date.now() / 1000 - performance.now() / 1000;

/** Of the dispatcher's own process; that of its hosts is told by their memory. */
async function ofProcess(put: Putting, { residentBytes }: MetricsSource): Promise<void> {
  const asked = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 0));
  const lag = (performance.now() - asked) / 1000;
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed } = process.memoryUsage();
  put.counter(
    "dispatcher_process_cpu_seconds_total",
    "CPU time of the dispatcher's process",
    (user + system) / 1e6,
  );
  put.gauge("dispatcher_process_resident_memory_bytes", "Memory of the dispatcher's process", rss);
  put.gauge("dispatcher_process_heap_bytes", "Heap in use of the dispatcher's process", heapUsed);
  put.gauge(
    "dispatcher_process_start_time_seconds",
    "When the process started, in seconds since 1970",
    startedAt,
  );
  put.gauge(
    "dispatcher_process_event_loop_lag_seconds",
    "How late a timer came that was due at once",
    lag,
  );
  put.gauge("dispatcher_hosts_resident_memory_bytes", "Memory of the hosts", residentBytes - rss);
}
