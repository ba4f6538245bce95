/**
 * Tells those who watch what happens on this node: claims, ends of attempts, and what the log has. On demand only: who
 * watches asks again and again, and nothing is made for nobody.
 *
 * ```text
 *  watch {channel, seconds} ─► subscribe to the bus ─► gather ─► NOTIFY channel, four times a second
 *                               └─ unsubscribe when the seconds of the last one are over
 * ```
 * More than so many in a quarter of a second are only counted.
 *
 * @module
 */
import type { Broker } from "../broker/broker.ts";
import { toPayloads } from "../broker/chunks.ts";
import type { Clock } from "../clock.ts";
import type { ErrorRecord } from "../errors.ts";
import type { AttemptEvent, ClaimEvent, DispatcherEvent, Events } from "../events.ts";
import { redactLine } from "../redact.ts";

/** Something that happened on a node, as it travels: no arguments, no secrets. */
export interface WatchedEvent {
  /** `claimed`, `attempt.completed` and the like, or the name of a line of the log. */
  event: string;
  /** By the node's clock, ISO. */
  at: string;
  node: string;
  uuid?: string;
  [field: string]: unknown;
}

/** One message. */
export interface WatchMessage {
  node_id: string;
  events: WatchedEvent[];
  /** So many more happened. */
  dropped: number;
}

/** What it watches, and where it tells. */
export interface WatchParts {
  node: string;
  events: Events;
  broker: Broker;
  clock: Clock;
}

const GATHER_MS = 250;
const MOST_EVENTS = 100;
const MOST_WATCHERS = 20;

/** The watch of one node. */
export class Watch {
  readonly #parts: WatchParts;
  // Until when, monotonic, by channel.
  readonly #watchers = new Map<string, number>();
  #off: (() => void)[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #gathered: WatchedEvent[] = [];
  #dropped = 0;

  constructor(parts: WatchParts) {
    this.#parts = parts;
  }

  /** Tell a channel what happens, for so many seconds from now; false when too many watch. */
  open(channel: string, seconds: number): boolean {
    if (!this.#watchers.has(channel) && this.#watchers.size >= MOST_WATCHERS) return false;
    this.#watchers.set(channel, this.#parts.clock.monotonic() + seconds * 1000);
    if (this.#timer === undefined) this.#begin();
    return true;
  }

  #begin(): void {
    const { events } = this.#parts;
    this.#off = [
      events.claims.on((claim) => this.#put(() => claimed(claim))),
      events.attempts.on((attempt) => this.#put(() => ended(attempt))),
      // The end of an attempt is told by itself.
      events.on((line) => line.name.startsWith("attempt.") || this.#put(() => said(line))),
    ];
    this.#timer = setInterval(() => this.#tell(), GATHER_MS);
  }

  #put(make: () => Omit<WatchedEvent, "node">): void {
    if (this.#gathered.length >= MOST_EVENTS) this.#dropped++;
    else this.#gathered.push({ node: this.#parts.node, ...make() } as WatchedEvent);
  }

  #tell(): void {
    const now = this.#parts.clock.monotonic();
    for (const [channel, until] of this.#watchers) if (until < now) this.#watchers.delete(channel);
    if (this.#watchers.size === 0) return this.close();
    if (this.#gathered.length === 0) return;
    const message = { node_id: this.#parts.node, events: this.#gathered, dropped: this.#dropped };
    this.#gathered = [];
    this.#dropped = 0;
    for (const channel of this.#watchers.keys()) void this.#send(channel, message);
  }

  async #send(channel: string, message: WatchMessage): Promise<void> {
    try {
      for (const payload of toPayloads(JSON.stringify(message))) {
        await this.#parts.broker.notify(channel, payload);
      }
    } catch {
      // Who watches sees that nothing comes; an outage is told by others.
    }
  }

  /** End it. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const off of this.#off) off();
    this.#off = [];
    this.#gathered = [];
    this.#dropped = 0;
  }
}

function ids({ uuid, origin, task, queue, attempt, options }: ClaimEvent): Record<string, unknown> {
  const guid = options.includes('"guid"') ? JSON.parse(options).guid : undefined;
  return { uuid: origin ?? uuid, guid, task, queue, attempt };
}

function claimed(claim: ClaimEvent): Omit<WatchedEvent, "node"> {
  return { event: "claimed", at: new Date(claim.at).toISOString(), ...ids(claim) };
}

function ended(end: AttemptEvent): Omit<WatchedEvent, "node"> {
  const { outcome, worker, started, at, error } = end;
  const ms = started === null ? null : Math.round(at - started);
  const why = error === null ? null : lineOf(JSON.parse(error));
  return { event: `attempt.${outcome}`, at: new Date(at).toISOString(), ...ids(end), worker, ms, error: why };
}

function lineOf({ name, message }: ErrorRecord): string {
  return redactLine(`${name}: ${message}`).slice(0, 500);
}

function said({ level, name, text, fields }: DispatcherEvent): Omit<WatchedEvent, "node"> {
  return { event: name, at: new Date().toISOString(), level, text: text.slice(0, 1_000), ...fields };
}
