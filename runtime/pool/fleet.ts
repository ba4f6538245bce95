/**
 * The hosts and the slots in them: which there are, and where a new one goes.
 *
 * @module
 */
import { totalmem } from "node:os";
import process from "node:process";
import type { Clock } from "../clock.ts";
import type { ErrorRecord } from "../errors.ts";
import type { Platform } from "../platform/platform.ts";
import { HostProcess, type HostSettings } from "./host_process.ts";
import type { HostReport } from "./protocol.ts";
import { hostMemory, roomOfHost } from "./scaling.ts";
import { type Limits, Restarts } from "./restarts.ts";
import { isLeaving, Slot } from "./slot.ts";

/** What a fleet tells the pool. */
export interface FleetEvents {
  report(slot: Slot, report: Exclude<HostReport, ["rss", number]>): void;
  /** A host is gone, and with it these slots, which the fleet has forgotten already. */
  died(host: HostProcess, how: string, slots: Slot[]): void;
  output(line: string): void;
}

/** What a fleet is built with. */
export interface FleetSettings extends Omit<HostSettings, "hostMemoryMb">, Limits {
  slotsPerHost?: number;
  hostMemoryMb?: number;
  /** Seconds for which a slot that has ended is still shown. */
  removalWait: number;
}

const MOST_ENDED = 100;
const RESTART_MS = { first: 200, most: 10_000 };
const UNUSED: ErrorRecord = { name: "HostUnused", message: "The host had no slots left" };

/** MB of memory that this process can have. */
function machineMb(): number {
  const bound = process.constrainedMemory?.() || Infinity;
  return Math.min(totalmem(), bound) / 2 ** 20;
}

/** Whether a host can take a slot; one that was killed may be known to be alive for a moment more. */
function usable(host: HostProcess): boolean {
  return host.alive && !host.leaky && host.condemned === undefined;
}

/** All hosts and slots of a pool. */
export class Fleet {
  readonly slots: Map<number, Slot> = new Map();
  readonly hosts: Set<HostProcess> = new Set();
  readonly #platform: Platform;
  readonly #clock: Clock;
  readonly #settings: FleetSettings;
  readonly #events: FleetEvents;
  readonly restarts: Restarts = new Restarts();
  #ended: { slot: Slot; at: number }[] = [];
  #sequence = 0;
  // A crash loop at start: how often in a row, and when the next try may be made.
  #failedStarts = 0;
  #restartAt = -Infinity;

  constructor(
    platform: Platform,
    clock: Clock,
    settings: FleetSettings,
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
    host.send(["open", slot.id]);
    slot.state = host.answered ? "starting" : "spawned";
  }

  #hostWithRoom(): HostProcess | undefined {
    for (const host of this.hosts) {
      if (usable(host) && !host.solo && this.on(host).length < host.room) return host;
    }
  }

  #start(solo: boolean): HostProcess {
    const { slotsPerHost, workerMemoryMb } = this.#settings;
    const room = slotsPerHost ?? roomOfHost(this.counted().length, this.#platform.threadsAtMost);
    const hostMemoryMb = this.#settings.hostMemoryMb ?? hostMemory(room, workerMemoryMb, machineMb());
    const host = new HostProcess(this.#platform, { ...this.#settings, hostMemoryMb }, { solo, room }, {
      report: (host, report) => {
        if (!host.answered) this.#answered(host);
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
        for (const slot of slots) this.#forget(slot, isLeaving(slot) ? "exited" : "error");
        this.#events.died(host, how, slots);
      },
      output: this.#events.output,
    });
    this.hosts.add(host);
    return host;
  }

  /** The process is up: it opens what it was asked for meanwhile. */
  #answered(host: HostProcess): void {
    host.answered = true;
    for (const slot of this.on(host)) if (slot.state === "spawned") slot.state = "starting";
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

  /** Whether a slot, not one for suspects, has nothing to do. */
  hasFree(): boolean {
    for (const slot of this.slots.values()) if (slot.free && !slot.host.solo) return true;
    return false;
  }

  /** Hosts for suspects that can take one, now or as soon as they are ready. */
  soloHosts(): number {
    return [...this.hosts].filter((host) => host.solo && usable(host)).length;
  }

  /** Forget a slot whose thread is gone; a host that has none left ends. */
  remove(slot: Slot, state: "exited" | "error"): void {
    this.#forget(slot, state);
    if (this.on(slot.host).length === 0) slot.host.kill(UNUSED);
  }

  #forget(slot: Slot, state: "exited" | "error"): void {
    this.restarts.note(slot, this.#settings);
    slot.state = state;
    this.slots.delete(slot.id);
    this.#ended.push({ slot, at: this.#clock.monotonic() });
    if (this.#ended.length > MOST_ENDED) this.#ended.shift();
  }

  /** Slots that ended a moment ago, for those who look. */
  ended(): Slot[] {
    const since = this.#clock.monotonic() - this.#settings.removalWait * 1000;
    this.#ended = this.#ended.filter(({ at }) => at > since);
    return this.#ended.map(({ slot }) => slot);
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
