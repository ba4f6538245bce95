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

interface Subscription {
  channels: readonly string[];
  listener: Listener;
  /** Unlisten; made anew with the connection. */
  end(): Promise<void>;
}

/** LISTEN on a connection of its own, which is there while somebody listens; NOTIFY through the given pool. */
export class PgNotifyBroker implements Broker {
  readonly #pool: Sql;
  readonly #url: string;
  // The listening client and who uses it; it lingers a little, for those who ask again and again.
  #listening: Sql | undefined;
  readonly #subscriptions = new Set<Subscription>();
  #linger: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param pool Sends; stays the caller's.
   * @param url Must lead to the server itself: a pooler in transaction mode cannot LISTEN.
   */
  constructor(pool: Sql, url: string) {
    this.#pool = pool;
    this.#url = url;
  }

  async listen(channels: readonly string[], listener: Listener): Promise<() => Promise<void>> {
    clearTimeout(this.#linger);
    const subscription: Subscription = { channels, listener, end: () => Promise.resolve() };
    this.#subscriptions.add(subscription);
    try {
      await this.#subscribe(subscription);
    } catch (error) {
      this.#subscriptions.delete(subscription);
      throw error;
    }
    return async () => {
      this.#subscriptions.delete(subscription);
      await subscription.end();
      if (this.#subscriptions.size === 0) this.#linger = setTimeout(() => void this.close(), LINGER_MS);
    };
  }

  async #subscribe(subscription: Subscription): Promise<void> {
    const { channels, listener } = subscription;
    const sql = this.#listening ??= connect(this.#url, { max: 1, application: "edge-dispatcher listen" });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const gap = () => {
      clearTimeout(timer);
      timer = setTimeout(() => listener.gap(), GAP_DEBOUNCE_MS);
    };
    const made = await Promise.all(
      channels.map((channel) => sql.listen(channel, (payload) => listener.message(channel, payload), gap)),
    );
    subscription.end = async () => {
      clearTimeout(timer);
      // One that was given up cannot be told, and need not be.
      if (this.#listening === sql) await Promise.all(made.map((one) => one.unlisten()));
    };
  }

  async reset(): Promise<void> {
    const dead = this.#listening;
    this.#listening = undefined;
    // Not awaited: a connection that swallows everything swallows its own end too.
    dead?.end({ timeout: 0 }).catch(() => {});
    await Promise.all([...this.#subscriptions].map((subscription) => this.#subscribe(subscription)));
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
