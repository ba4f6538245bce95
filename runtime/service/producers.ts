/**
 * What publishes by itself: schedules of the cluster (kept in the table, ticked by the leader), schedules of this node,
 * and tasks at its start.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { OnStart } from "../config.ts";
import { seal, type Sealed } from "../envelope.ts";
import type { Events } from "../events.ts";
import { nextTick, type NodeScheduleRow, type ScheduleDefinition } from "../schedule.ts";
import type { Store } from "../store/store.ts";
import { nodeSchedule, ownSchedules, rowOf } from "./scheduler.ts";
import { Service } from "./service.ts";

/** What the producers of a node work with. */
export interface ProducersParts {
  node: string;
  store: Store;
  clock: Clock;
  events: Events;
  schedules: Readonly<Record<string, ScheduleDefinition>>;
  onStart: readonly OnStart[];
  /** There is work in this queue. */
  wake(queue: string): void;
  /** Hears of each envelope that was written. */
  published?(queue: string): void;
}

/** The producers of one node. */
export class Producers {
  readonly #parts: ProducersParts;
  readonly #services: Service[] = [];
  // How often each has published here; written by #publish.
  readonly #counts = new Map<string, number>();

  constructor(parts: ProducersParts) {
    this.#parts = parts;
  }

  get services(): readonly Service[] {
    return this.#services;
  }

  /** What this node ticks by itself, as others may know it. */
  get own(): NodeScheduleRow[] {
    return ownSchedules(this.#parts.schedules);
  }

  /**
   * Write the cluster's schedules, begin this node's, and publish what is due at the start.
   *
   * @returns Whether there were any of the cluster.
   */
  async start(): Promise<boolean> {
    const { store, schedules, clock, events, node } = this.#parts;
    const entries = Object.entries(schedules);
    const shared = entries.filter(([, d]) => d.scope === "cluster").map(([name, d]) => rowOf(name, d));
    await store.putSchedules(shared, nextTick);
    for (const [name, definition] of entries) {
      if (definition.scope !== "node" || !definition.enabled) continue;
      const publish = (envelope: Sealed) => this.#publish(name, envelope);
      const service = new Service(nodeSchedule(name, definition, { node, clock, publish }), clock, events);
      this.#services.push(service);
      service.start();
    }
    await this.#publishOnStart();
    return shared.length > 0;
  }

  async #publishOnStart(): Promise<void> {
    const { onStart, store, node } = this.#parts;
    if (onStart.length === 0) return;
    const first = (await store.nodes()).filter((row) => row.alive).length <= 1;
    for (const { task, args, kwargs, scope } of onStart) {
      if (scope === "cluster" && !first) continue;
      await this.#publish(`on start ${task}`, seal(task, args, { kwargs, queue: node }));
    }
  }

  async #publish(name: string, envelope: Sealed): Promise<void> {
    const [{ isNew }] = await this.#parts.store.publish([envelope]);
    if (!isNew) return;
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    this.#parts.published?.(envelope.queue);
    this.#parts.wake(envelope.queue);
  }

  /** What each producer has done, for the `producers` command. */
  status(): Record<string, Record<string, unknown>> {
    const { schedules } = this.#parts;
    const scheduled = Object.entries(schedules).map(([name, d]) => [name, {
      task: d.task,
      scope: d.scope,
      every: d.every ?? null,
      cron: d.cron ?? null,
      enabled: d.enabled,
      published_count: this.#counts.get(name) ?? 0,
    }]);
    const started = [...this.#counts].filter(([name]) => name.startsWith("on start "));
    return Object.fromEntries([...scheduled, ...started.map(([name, n]) => [name, { published_count: n }])]);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.stop()));
  }
}
