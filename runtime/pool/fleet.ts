/**
 * The hosts and the slots in them: which there are, and where a new one goes.
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { ErrorRecord } from "../errors.ts";
import type { Platform } from "../platform/platform.ts";
import { HostProcess, type HostSettings } from "./host_process.ts";
import type { HostReport } from "./protocol.ts";
import { Slot } from "./slot.ts";

/** What a fleet tells the pool. */
export interface FleetEvents {
  report(slot: Slot, report: Exclude<HostReport, ["rss", number]>): void;
  /** A host is gone, and with it these slots, which the fleet has forgotten already. */
  died(host: HostProcess, how: string, slots: Slot[]): void;
  output(line: string): void;
}

const RESTART_MS = { first: 200, most: 10_000 };
const UNUSED: ErrorRecord = { name: "HostUnused", message: "The host had no slots left" };

/** All hosts and slots of a pool. */
export class Fleet {
  readonly slots: Map<number, Slot> = new Map();
  readonly hosts: Set<HostProcess> = new Set();
  readonly #platform: Platform;
  readonly #clock: Clock;
  readonly #settings: HostSettings & { slotsPerHost: number };
  readonly #events: FleetEvents;
  #sequence = 0;
  // A crash loop at start: how often in a row, and when the next try may be made.
  #failedStarts = 0;
  #restartAt = -Infinity;

  constructor(
    platform: Platform,
    clock: Clock,
    settings: HostSettings & { slotsPerHost: number },
    events: FleetEvents,
  ) {
    this.#platform = platform;
    this.#clock = clock;
    this.#settings = settings;
    this.#events = events;
  }

  /** Open a slot in a host with room, or in a new one; a solo slot always gets a host of its own. */
  open(solo: boolean): void {
    const host = (solo ? undefined : this.#hostWithRoom()) ?? this.#start(solo);
    const slot = new Slot(++this.#sequence, host, this.#clock.monotonic());
    this.slots.set(slot.id, slot);
    slot.state = "spawned";
    host.send(["open", slot.id]);
    slot.state = "starting";
  }

  #hostWithRoom(): HostProcess | undefined {
    for (const host of this.hosts) {
      const full = this.on(host).length >= this.#settings.slotsPerHost;
      if (host.alive && !host.leaky && !host.solo && !full) return host;
    }
  }

  #start(solo: boolean): HostProcess {
    const host = new HostProcess(this.#platform, this.#settings, solo, {
      report: (host, report) => {
        if (report[0] === "rss") {
          host.rss = report[1];
          return;
        }
        const slot = this.slots.get(report[1]);
        if (slot) this.#events.report(slot, report);
      },
      died: (host, how) => {
        this.hosts.delete(host);
        const slots = this.on(host);
        for (const slot of slots) this.slots.delete(slot.id);
        this.#events.died(host, how, slots);
      },
      output: this.#events.output,
    });
    this.hosts.add(host);
    return host;
  }

  /** The slots of a host. */
  on(host: HostProcess): Slot[] {
    return [...this.slots.values()].filter((slot) => slot.host === host);
  }

  /** The slots that count towards the pool's size. */
  counted(): Slot[] {
    return [...this.slots.values()].filter((slot) => slot.counts);
  }

  running(): Slot[] {
    return [...this.slots.values()].filter((slot) => slot.running);
  }

  /** Hosts for suspects that can take one, now or as soon as they are ready. */
  soloHosts(): number {
    return [...this.hosts].filter((host) => host.solo && host.alive && !host.leaky).length;
  }

  /** Forget a slot whose thread is gone; a host that has none left ends. */
  remove(slot: Slot, state: "exited" | "error"): void {
    slot.state = state;
    this.slots.delete(slot.id);
    if (this.on(slot.host).length === 0) slot.host.kill(UNUSED);
  }

  /** Whether a start may be tried now. */
  get mayStart(): boolean {
    return this.#clock.monotonic() >= this.#restartAt;
  }

  /** A worker did what it is there for. */
  worked(): void {
    this.#failedStarts = 0;
  }

  /** A worker did not get that far; returns the milliseconds until the next try, unless one is waited for already. */
  startFailed(): number | undefined {
    if (!this.mayStart) return undefined;
    const wait = Math.min(RESTART_MS.most, RESTART_MS.first * 2 ** Math.min(this.#failedStarts++, 10));
    this.#restartAt = this.#clock.monotonic() + wait;
    return wait;
  }
}
