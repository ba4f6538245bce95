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
  // The listening client and who uses it; it lingers a little, for those who ask again and again.
  #listening: Sql | undefined;
  #listeners = 0;
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
    this.#listeners++;
    const sql = this.#listening ??= connect(this.#url, { max: 1, application: "edge-dispatcher listen" });
    let timer: ReturnType<typeof setTimeout> | undefined;
    // After a reconnect the client does not find what it is to unlisten: the listener must be deaf by itself.
    let stopped = false;
    const gap = () => {
      clearTimeout(timer);
      if (!stopped) timer = setTimeout(() => listener.gap(), GAP_DEBOUNCE_MS);
    };
    const hear = (channel: string) =>
      sql.listen(channel, (payload) => stopped || listener.message(channel, payload), gap);
    try {
      const subscriptions = await Promise.all(channels.map(hear));
      return async () => {
        if (stopped) return;
        stopped = true;
        clearTimeout(timer);
        // A session that is gone has forgotten its channels.
        if (this.#listening === sql) {
          await Promise.allSettled(subscriptions.map(({ unlisten }) => unlisten()));
        }
        if (--this.#listeners === 0) this.#linger = setTimeout(() => void this.close(), LINGER_MS);
      };
    } catch (error) {
      stopped = true;
      clearTimeout(timer);
      // The client would give this same error to all who ask for these channels again.
      if (--this.#listeners === 0) await this.close();
      throw error;
    }
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
