/**
 * What observes a node: its counts, and who reads them: metrics, charts, live rates; and its traces. Put together here,
 * and loaded as far as it is wanted.
 *
 * @module
 */
import type { Client } from "./client.ts";
import type { MetricsSource } from "./metrics.ts";
import { residentBytes } from "./control/node_status.ts";
import type { Clock } from "./clock.ts";
import type { Config } from "./config.ts";
import type { Dispatcher } from "./dispatch/dispatcher.ts";
import type { Inbox } from "./dispatch/inbox.ts";
import type { Triage } from "./dispatch/triage.ts";
import type { Events } from "./events.ts";
import type { Platform } from "./platform/platform.ts";
import type { Pool } from "./pool/pool.ts";
import type { Leader } from "./service/leader.ts";
import type { SelfCheck } from "./service/self_check.ts";
import type { RollupStore } from "./store/rollup.ts";
import type { RecentCounts } from "./recent.ts";
import { Rollup } from "./service/rollup.ts";
import type { Work } from "./service/service.ts";
import { Tally } from "./tally.ts";
import { startTracing, type Tracing } from "./tracing.ts";
import { HTTP_OFF } from "./http_access.ts";
import { VERSION } from "./version.ts";

/** The node that is observed. */
export interface Observed {
  readonly name: string;
  readonly clock: Clock;
  readonly rollups: RollupStore;
  readonly pool: Pool;
  readonly leader: Leader;
  readonly selfCheck: SelfCheck;
  readonly dispatcher: Dispatcher;
  readonly triage: Triage;
  readonly inbox: Inbox;
}

/** What it is built from. */
export interface ObservedParts {
  config: Config;
  events: Events;
  platform: Platform;
}

/** The observation of one node. */
export class Observation {
  readonly tally: Tally = new Tally();
  /** Where the metrics are served, as `HOST:PORT`; written by whoever serves. */
  serving: string | undefined;
  tracing: Tracing | undefined;
  readonly #parts: ObservedParts;
  readonly #works: Observed;
  readonly #rollup: Rollup | undefined;
  readonly #counts: boolean;
  #unsubscribe: (() => void) | undefined;
  #served = 0;
  #text: Promise<(source: MetricsSource) => Promise<{ text: string; type: string }>> | undefined;

  constructor(parts: ObservedParts, works: Observed) {
    const { config, events } = parts;
    this.#parts = parts;
    this.#works = works;
    // Nobody would read the counts otherwise.
    this.#counts = config.rollup_days > 0 || config.http !== HTTP_OFF;
    if (this.#counts) this.#unsubscribe = this.tally.subscribe(events);
    if (config.rollup_days === 0) return;
    this.#rollup = new Rollup({
      node: works.name,
      tally: this.tally,
      rollups: works.rollups,
      clock: works.clock,
      events,
      slots: () => ({ busy: works.pool.busy, total: works.pool.fleet.slots.size }),
      leading: () => works.leader.leading,
    });
  }

  /** Begin, once the node works. */
  async start(serve: (work: Work) => void): Promise<void> {
    const { events, platform } = this.#parts;
    this.tracing = await startTracing({
      node: this.#works.name,
      instance: this.#works.dispatcher.instance,
      runtime: platform.name,
      events,
    });
    if (this.#rollup) serve(this.#rollup.work());
  }

  /** Write the rest: of the last minute, and of the traces. */
  async stop(): Promise<void> {
    await Promise.all([this.#rollup?.flush(), this.tracing?.stop()]);
    this.#unsubscribe?.();
  }

  /** The metrics as Prometheus reads them; what counts them up is loaded by the first who asks. */
  async text(client: () => Promise<Client>): Promise<{ text: string; type: string }> {
    this.#served++;
    this.#text ??= (import("./metrics.ts" as string) as Promise<typeof import("./metrics.ts")>).then((
      { metricsText },
    ) => metricsText);
    return await (await this.#text)(this.#source(client));
  }

  #source(client: () => Promise<Client>): MetricsSource {
    const { name, pool, leader, selfCheck, dispatcher, inbox, triage } = this.#works;
    const { platform } = this.#parts;
    return {
      info: { node: name, version: VERSION, runtime: platform.name, runtime_version: platform.version },
      tally: this.tally,
      pool,
      stale: dispatcher.totals.stale,
      held: pool.waiting().length,
      resources: triage.resources,
      received: inbox.received,
      listening: selfCheck.hearing === "connected",
      connected: dispatcher.connected,
      leading: leader.leading,
      residentBytes: residentBytes(pool),
      // Everybody would say the same, and each would look through the table for it.
      queues: leader.leading ? async () => await (await client()).queues() : undefined,
      asking: leader.leading ? async () => await (await client()).look.asking() : undefined,
    };
  }

  /** What the command `metrics` tells. */
  exporter(): Record<string, unknown> | undefined {
    if (this.serving === undefined) return undefined;
    const at = this.serving.lastIndexOf(":");
    return {
      host: this.serving.slice(0, at),
      port: Number(this.serving.slice(at + 1)),
      ready: true,
      http_server: { metrics_requests_served: this.#served, is_running: true },
    };
  }

  /** What the command `rates` tells. */
  recent(): Record<string, RecentCounts> | undefined {
    if (!this.#counts) return undefined;
    const now = this.#works.clock.now();
    const read = [...this.tally.queues].map(([queue, tally]) => [queue, tally.recent.read(now)] as const);
    return Object.fromEntries(
      read.filter((entry): entry is [string, RecentCounts] => entry[1] !== undefined),
    );
  }
}
