/**
 * What only one node of a cluster does: staging, rescuing, pruning. Whoever's heartbeat won the leadership runs
 * them; a leader that falls silent is succeeded when its term ends.
 *
 * | service | does | how often |
 * |---|---|---|
 * | stager | scheduled and retryable → available | when the next is due, told by a wake, at the latest every 10 s |
 * | scheduler | publishes what schedules are due | when the next one is, at the latest every 10 s |
 * | rescuer | gives back what dead nodes hold | every 5 s; looks through all that runs at first and every minute |
 * | pruner | partitions ahead, old ones dropped | every hour; every minute while the archive is in use |
 *
 * After an outage, and when it begins to lead, the rescuer waits for two heartbeats before it takes anybody for dead: the
 * others were cut off too, and renew their leases first.
 *
 * Two leaders for a moment (a stopped process that continues) do no harm: each statement locks its rows.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Events } from "../events.ts";
import type { Store } from "../store/store.ts";
import { scheduler } from "./scheduler.ts";
import { Service, type Work } from "./service.ts";

const STAGE_BATCH = 1_000;
/** What a heartbeat that failed may take to be tried again, and to connect. */
const RENEWAL_MS = 3_000;
const STAGE_MOST_MS = 10_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** What the leader works with. */
export interface LeaderParts {
  store: Store;
  clock: Clock;
  events: Events;
  retentionDays: number;
  rescueSeconds: number;
  /** Seconds by which a tick may be late without counting as missed. */
  graceSeconds: number;
  /** Queues that have work now. */
  wake(queues: string[]): void;
}

/** The leader's services, started and stopped with the leadership. */
export class Leader {
  readonly #parts: LeaderParts;
  #services: Service[] = [];

  constructor(parts: LeaderParts) {
    this.#parts = parts;
  }

  get leading(): boolean {
    return this.#services.length > 0;
  }

  get services(): readonly Service[] {
    return this.#services;
  }

  /** Take or give up the leadership. */
  lead(leading: boolean): void {
    if (leading === this.leading) return;
    this.#parts.events.emit(
      "info",
      "leader.changed",
      leading ? "This node leads now" : "This node leads no longer",
    );
    if (!leading) return void this.stop();
    const { clock, events } = this.#parts;
    const schedules = scheduler({ ...this.#parts, graceMs: this.#parts.graceSeconds * 1000 });
    const works = [stager(this.#parts), schedules, rescuer(this.#parts), pruner(this.#parts)];
    this.#services = works.map((work) => new Service(work, clock, events));
    for (const service of this.#services) service.start();
  }

  /** Something became due at another time. */
  restage(): void {
    for (const service of this.#services) {
      if (["stager", "scheduler"].includes(service.name)) void service.kick();
    }
  }

  async stop(): Promise<void> {
    const services = this.#services;
    this.#services = [];
    await Promise.all(services.map((service) => service.stop()));
  }
}

function stager({ store, wake }: LeaderParts): Work {
  return {
    name: "stager",
    retryMs: 1_000,
    exact: true,
    async once() {
      const { queues, next } = await store.stage(STAGE_BATCH);
      if (queues.length > 0) wake(queues);
      return Math.min(STAGE_MOST_MS, Math.max(1, (next ?? Infinity) * 1000));
    },
  };
}

function rescuer({ store, clock, wake, events, rescueSeconds }: LeaderParts): Work {
  let thoroughAt = -Infinity;
  let cutOff = true;
  return {
    name: "rescuer",
    retryMs: 1_000,
    async once() {
      if (cutOff) {
        await store.nodes();
        cutOff = false;
        return Math.max(RENEWAL_MS, 2_000 * rescueSeconds);
      }
      const thorough = clock.monotonic() >= thoroughAt;
      // Until it is answered.
      cutOff = true;
      const { queues, rescued } = await store.rescue(thorough);
      cutOff = false;
      if (thorough) thoroughAt = clock.monotonic() + MINUTE_MS;
      if (rescued > 0) {
        events.emit("warning", "rescued", `Rescued ${rescued} envelopes of dead nodes`, { queues });
        wake(queues);
      }
      return rescueSeconds * 1000;
    },
  };
}

function pruner({ store, events, retentionDays }: LeaderParts): Work {
  return {
    name: "pruner",
    retryMs: 60_000,
    async once() {
      const { dropped, inUse } = await store.prune(retentionDays);
      if (dropped.length > 0) {
        events.emit("info", "pruned", `Dropped ${dropped.length} old partitions`, { dropped });
      }
      return inUse ? MINUTE_MS : HOUR_MS;
    },
  };
}
