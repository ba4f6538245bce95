/**
 * The port of the broker: how messages travel between processes besides the table. A broker carries text; what
 * it means is `wire.ts`'s business. It may lose messages, and says so: `gap` is called whenever some may have
 * been missed, and the listener then looks for itself.
 *
 * @module
 */

/** What a listener is told. */
export interface Listener {
  message(channel: string, payload: string): void;
  /** Listening began or began again: something may have been missed. */
  gap(): void;
  /** The connection is gone and is not made anew by itself: no answer will come on it. */
  lost?(error: Error): void;
}

/** The port. */
export interface Broker {
  /** Listen on channels until the returned function is called. */
  listen(channels: readonly string[], listener: Listener): Promise<() => Promise<void>>;
  /** Send one message of at most {@link PAYLOAD_BYTES} bytes to all who listen. */
  notify(channel: string, payload: string): Promise<void>;
  /** Give up the listening connection, which may be dead without knowing it, and listen anew. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** What one NOTIFY carries at most. */
export const PAYLOAD_BYTES = 7_999;
