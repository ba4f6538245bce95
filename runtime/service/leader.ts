/**
 * What only one node of a cluster does: staging, rescuing, pruning. Whoever's heartbeat won the leadership runs
 * them; a leader that falls silent is succeeded when its term ends.
 *
 * | service | does | how often |
 * |---|---|---|
 * | stager | scheduled and retryable → available | when the next is due, told by a wake, at the latest every minute, or every 10 s where no wakes are heard |
 * | scheduler | publishes what schedules are due | when the next one is, at the latest likewise |
 * | rescuer | gives back what dead nodes hold | when a heartbeat finds a lease that has lapsed; looks through all that runs at first and every minute |
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
import type { RollupStore } from "../store/rollup.ts";
import type { Store } from "../store/store.ts";
import { scheduler } from "./scheduler.ts";
import { Service, type Work } from "./service.ts";

const STAGE_BATCH = 1_000;
/** What a heartbeat that failed may take to be tried again, and to connect. */
const RENEWAL_MS = 3_000;
/** Until the next look for what is due, although no wake came. */
const MOST_MS = { hearing: 60_000, deaf: 10_000 };
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** What the leader works with. */
export interface LeaderParts {
  store: Store;
  clock: Clock;
  events: Events;
  retentionDays: number;
  /** What is kept for charts, and for how many days; kept for ever where nobody says. */
  rollups?: Pick<RollupStore, "prune">;
  rollupDays?: number;
  rescueSeconds: number;
  /** Seconds by which a tick may be late without counting as missed. */
  graceSeconds: number;
  /** Whether wakes are heard. */
  hears(): boolean;
  /** Queues that have work now. */
  wake(queues: string[]): void;
  /** Hears of each envelope that was written. */
  published?(queue: string): void;
}

/** The leader's services, started and stopped with the leadership. */
export class Leader {
  readonly #parts: LeaderParts;
  readonly #outage: Outage = { over: false };
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
    this.cutOff();
    const mostMs = () => MOST_MS[this.#parts.hears() ? "hearing" : "deaf"];
    const schedules = scheduler({ ...this.#parts, graceMs: this.#parts.graceSeconds * 1000, mostMs });
    const rescue = rescuer(this.#parts, this.#outage);
    const works = [stager(this.#parts, mostMs), schedules, rescue, pruner(this.#parts)];
    this.#services = works.map((work) => new Service(work, clock, events));
    for (const service of this.#services) service.start();
  }

  /** Something became due at another time. */
  restage(): void {
    for (const service of this.#services) {
      if (["stager", "scheduler"].includes(service.name)) void service.kick();
    }
  }

  /** A lease may have lapsed. */
  rescue(): void {
    void this.#services.find(({ name }) => name === "rescuer")?.kick();
  }

  /** The database was away from here: nobody is to be taken for dead before all had time to renew their leases. */
  cutOff(): void {
    this.#outage.over = false;
  }

  async stop(): Promise<void> {
    const services = this.#services;
    this.#services = [];
    await Promise.all(services.map((service) => service.stop()));
  }
}

/** Whether the database was there for so long that a lease which has lapsed tells of a dead node. */
interface Outage {
  over: boolean;
}

function stager({ store, wake }: LeaderParts, mostMs: () => number): Work {
  return {
    name: "stager",
    retryMs: 1_000,
    exact: true,
    async once() {
      const { queues, next } = await store.stage(STAGE_BATCH);
      if (queues.length > 0) wake(queues);
      return Math.min(mostMs(), Math.max(1, (next ?? Infinity) * 1000));
    },
  };
}

function rescuer({ store, clock, wake, events, rescueSeconds }: LeaderParts, outage: Outage): Work {
  const renewalMs = Math.max(RENEWAL_MS, 2_000 * rescueSeconds);
  let thoroughAt = -Infinity;
  let renewedAt = Infinity;
  return {
    name: "rescuer",
    retryMs: 1_000,
    async once() {
      if (!outage.over) {
        await store.nodes();
        outage.over = true;
        renewedAt = clock.monotonic() + renewalMs;
      }
      const rest = renewedAt - clock.monotonic();
      if (rest > 0) return rest;
      const thorough = clock.monotonic() >= thoroughAt;
      // Until it is answered.
      outage.over = false;
      const { queues, rescued } = await store.rescue(thorough);
      outage.over = true;
      if (thorough) thoroughAt = clock.monotonic() + MINUTE_MS;
      if (rescued > 0) {
        events.emit("warning", "rescued", `Rescued ${rescued} envelopes of dead nodes`, {
          queues,
          count: rescued,
        });
        wake(queues);
      }
      return MINUTE_MS;
    },
  };
}

function pruner({ store, events, retentionDays, rollups, rollupDays }: LeaderParts): Work {
  return {
    name: "pruner",
    retryMs: 60_000,
    async once() {
      const { dropped, inUse } = await store.prune(retentionDays);
      if (dropped.length > 0) {
        events.emit("info", "pruned", `Dropped ${dropped.length} old partitions`, { dropped });
      }
      if (rollupDays !== undefined && !inUse) await rollups?.prune(rollupDays);
      return inUse ? MINUTE_MS : HOUR_MS;
    },
  };
}
