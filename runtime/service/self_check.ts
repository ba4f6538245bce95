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
 * A connection can also listen in vain from the beginning: through a pooler in transaction mode LISTEN succeeds and
 * nothing ever comes. So a new one proves itself by its own message; when two in a row do not, the node is *deaf*: it
 * says so once, looks for work often (see safety_poll.ts), and listens anew more and more rarely, since each LISTEN
 * stays behind in the pooler's sessions.
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
  /** A new connection was heard on. */
  proved(): void;
  /** Check now. */
  kick(): void;
}

const RETRY_MS = 1_000;
/** New connections in a row that hear nothing, until it is taken for what this address is like. */
const DEAF = 2;
/** The longest rest between two tries then, in times of the usual one. */
const REST_MOST = 20;

/** Watches over one listening connection. */
export class SelfCheck {
  readonly #parts: SelfCheckParts;
  #heardAt: number;
  #heard = new AbortController();
  // The connection is new and has not been heard on yet; by opened(), heard() and #once().
  #opened = false;
  // New connections in a row that have not been heard on.
  #deaf = 0;
  /** What `status` says of the connection. */
  hearing: Hearing = "connected";

  constructor(parts: SelfCheckParts) {
    this.#parts = parts;
    this.#heardAt = parts.clock.monotonic();
  }

  /** Something came: the connection lives. `own` is the message of the check. */
  heard(own = true): void {
    // Through a pooler one may come by chance, on a session that others have listened on.
    if (!own && this.#deaf >= DEAF) return;
    const proves = this.#opened;
    this.#opened = false;
    this.#deaf = 0;
    this.#heardAt = this.#parts.clock.monotonic();
    // With each word that comes: an error for a reason, which nobody reads, would cost 80 us before that is acted upon.
    if (!this.#heard.signal.aborted) this.#heard.abort(null);
    this.#say("connected");
    if (proves) this.#parts.proved();
  }

  /** Whether the connection was heard on, and not in vain since. */
  get hears(): boolean {
    return !this.#opened && this.hearing === "connected";
  }

  /** A connection was made and listens, or says that it does. */
  opened(): void {
    this.#opened = true;
    if (this.#deaf < DEAF) this.#parts.kick();
  }

  /** The check as a service. */
  work(): Work {
    return { name: "self check", retryMs: RETRY_MS, once: () => this.#once() };
  }

  async #once(): Promise<number> {
    const { clock, every } = this.#parts;
    const silence = clock.monotonic() - this.#heardAt;
    if (this.hears && silence < every * 1000) return every * 1000 - silence;
    if (await this.#echo()) return every * 1000;
    if (this.#opened && this.hearing === "isolated") this.#isDeaf();
    this.#opened = false;
    try {
      await this.#parts.broker.reset();
    } catch {
      // That nothing is heard is said already. What swallowed this attempt may let the next one through.
      return Math.min(RETRY_MS, this.#parts.timeout * 1000);
    }
    if (this.#deaf >= DEAF) return every * 1000 * Math.min(REST_MOST, 2 ** (this.#deaf - DEAF));
    // The new connection must prove itself at once.
    return this.#parts.timeout * 1000;
  }

  #isDeaf(): void {
    if (++this.#deaf !== DEAF) return;
    const text = "No notifications come through this address: looks for work every second instead. " +
      "Behind a pooler set listen_url to PostgreSQL itself";
    this.#parts.events.emit("warning", "listen.deaf", text);
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
