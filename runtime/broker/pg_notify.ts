/**
 * The broker over PostgreSQL's LISTEN and NOTIFY.
 *
 * | what can fail | what happens |
 * |---|---|
 * | the server restarts, the backend is terminated | the client subscribes again, every 0.25 s; then `gap` |
 * | `onlisten` fires many times for one reconnect | debounced: one `gap` |
 * | a NOTIFY fails | the caller gets the error; a missed wake costs one safety poll |
 *
 * @module
 */
import { connect, type Sql } from "../store/connection.ts";
import type { Broker, Listener } from "./broker.ts";

const GAP_DEBOUNCE_MS = 20;
const LINGER_MS = 1_000;

/** LISTEN on a connection of its own, which is there while somebody listens; NOTIFY through the given pool. */
export class PgNotifyBroker implements Broker {
  readonly #pool: Sql;
  readonly #url: string;
  readonly #connectSeconds: number | undefined;
  // The listening client and who uses it; it lingers a little, for those who ask again and again.
  #listening: Sql | undefined;
  readonly #subscriptions = new Set<Subscription>();
  #linger: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param pool Sends; stays the caller's.
   * @param url Must lead to the server itself: a pooler in transaction mode cannot LISTEN.
   * @param connectSeconds What the listening connection may take to be made, by default 10.
   */
  constructor(pool: Sql, url: string, connectSeconds?: number) {
    this.#pool = pool;
    this.#url = url;
    this.#connectSeconds = connectSeconds;
  }

  async listen(channels: readonly string[], listener: Listener): Promise<() => Promise<void>> {
    clearTimeout(this.#linger);
    const subscription = new Subscription(channels, listener);
    this.#subscriptions.add(subscription);
    try {
      await subscription.open(this.#client());
    } catch (error) {
      subscription.stop();
      this.#subscriptions.delete(subscription);
      // The client would give this same error to all who ask for these channels again.
      if (this.#subscriptions.size === 0) await this.close();
      throw error;
    }
    return async () => {
      if (!this.#subscriptions.delete(subscription)) return;
      await subscription.close(this.#listening);
      if (this.#subscriptions.size === 0) this.#linger = setTimeout(() => void this.close(), LINGER_MS);
    };
  }

  #client(): Sql {
    return this.#listening ??= connect(this.#url, {
      max: 1,
      application: "edge-dispatcher listen",
      prepare: false,
      connectSeconds: this.#connectSeconds,
    });
  }

  async reset(): Promise<void> {
    const dead = this.#listening;
    this.#listening = undefined;
    // Not awaited: a connection that swallows everything swallows its own end too.
    dead?.end({ timeout: 0 }).catch(() => {});
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.open(this.#client())));
  }

  async notify(channel: string, payload: string): Promise<void> {
    await this.#pool.unsafe("select pg_notify($1, $2)", [channel, payload], { prepare: true });
  }

  async close(): Promise<void> {
    clearTimeout(this.#linger);
    const sql = this.#listening;
    this.#listening = undefined;
    await sql?.end({ timeout: 1 });
  }
}

/** One listener and its channels, on whichever connection there is. */
class Subscription {
  readonly #channels: readonly string[];
  readonly #listener: Listener;
  #timer: ReturnType<typeof setTimeout> | undefined;
  // After a reconnect the client does not find what it is to unlisten: the listener must be deaf by itself.
  #stopped = false;
  // What was made of it, and on which connection; a new one after a reset.
  #made: { sql: Sql; unlisten: (() => Promise<void>)[] } | undefined;

  constructor(channels: readonly string[], listener: Listener) {
    this.#channels = channels;
    this.#listener = listener;
  }

  /** Listen on a connection; what an earlier one still says is not heard. */
  async open(sql: Sql): Promise<void> {
    const made = this.#made = { sql, unlisten: [] as (() => Promise<void>)[] };
    const lives = () => !this.#stopped && this.#made === made;
    const gap = () => {
      clearTimeout(this.#timer);
      if (lives()) this.#timer = setTimeout(() => this.#listener.gap(), GAP_DEBOUNCE_MS);
    };
    const subscriptions = await Promise.all(this.#channels.map((channel) =>
      sql.listen(channel, (payload) => {
        if (lives()) this.#listener.message(channel, payload);
      }, gap)
    ));
    made.unlisten = subscriptions.map(({ unlisten }) => unlisten);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async close(current: Sql | undefined): Promise<void> {
    this.stop();
    // A session that is gone has forgotten its channels.
    if (this.#made?.sql !== current) return;
    await Promise.allSettled(this.#made!.unlisten.map((unlisten) => unlisten()));
  }
}
