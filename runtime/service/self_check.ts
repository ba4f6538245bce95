/**
 * Is anybody listening? A LISTEN can die without a sign: the connection is half open, a proxy swallows what comes.
 * After a silence the node notifies itself over another connection; when that does not come back in time the listening
 * connection is made anew, and what was missed is found by looking.
 *
 * ```text
 *  connected ──silence, own message lost──► isolated ──new connection──► connected
 *      └───────the notify itself fails────► down ─────the database answers──┘
 * ```
 *
 * @module
 */
import type { Broker } from "../broker/broker.ts";
import type { Clock } from "../clock.ts";
import type { Events } from "../events.ts";
import type { Work } from "./service.ts";

export type Hearing = "connected" | "isolated" | "down";

/** What the check works with. */
export interface SelfCheckParts {
  broker: Broker;
  clock: Clock;
  events: Events;
  /** A channel that nobody else uses. */
  channel: string;
  /** Seconds. */
  every: number;
  timeout: number;
  /** What `status` says has changed. */
  changed(): void;
}

const RETRY_MS = 1_000;

/** Watches over one listening connection. */
export class SelfCheck {
  readonly #parts: SelfCheckParts;
  #heardAt: number;
  #heard = new AbortController();
  /** What `status` says of the connection. */
  hearing: Hearing = "connected";

  constructor(parts: SelfCheckParts) {
    this.#parts = parts;
    this.#heardAt = parts.clock.monotonic();
  }

  /** Something came: the connection lives. */
  heard(): void {
    this.#heardAt = this.#parts.clock.monotonic();
    this.#heard.abort();
    this.#say("connected");
  }

  /** The check as a service. */
  work(): Work {
    return { name: "self check", retryMs: RETRY_MS, once: () => this.#once() };
  }

  async #once(): Promise<number> {
    const { clock, every } = this.#parts;
    const silence = clock.monotonic() - this.#heardAt;
    if (silence < every * 1000) return every * 1000 - silence;
    if (await this.#echo()) return every * 1000;
    try {
      await this.#parts.broker.reset();
    } catch {
      // That nothing is heard is said already. What swallowed this attempt may let the next one through.
      return Math.min(RETRY_MS, this.#parts.timeout * 1000);
    }
    // The new connection must prove itself at once.
    return this.#parts.timeout * 1000;
  }

  /** Send a message to oneself; whether it came back. */
  async #echo(): Promise<boolean> {
    const { broker, clock, channel, timeout } = this.#parts;
    this.#heard = new AbortController();
    const bound = clock.sleep(timeout * 1000, this.#heard.signal);
    const sent = broker.notify(channel, "").then(() => true, () => false);
    const first = await Promise.race([sent, bound.then(() => null)]);
    if (first === false) {
      this.#say("down");
      return false;
    }
    await bound;
    if (this.#heard.signal.aborted) return true;
    this.#say(first === null ? "down" : "isolated");
    return false;
  }

  #say(hearing: Hearing): void {
    if (hearing === this.hearing) return;
    this.hearing = hearing;
    const { events, changed } = this.#parts;
    changed();
    if (hearing === "connected") events.emit("info", "listen.up", "Hears notifications again");
    else if (hearing === "isolated") {
      events.emit("warning", "listen.lost", "Hears no notifications: listening anew");
    } else events.emit("warning", "listen.down", "Hears no notifications, and the database does not answer");
  }
}
