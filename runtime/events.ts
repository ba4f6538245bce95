/**
 * The one bus: what happens in a node is said here once; the log, and later metrics and traces, subscribe.
 *
 * @module
 */

/** Severity, as in every log. */
export const LEVELS = ["debug", "info", "warning", "error"] as const;
export type Level = (typeof LEVELS)[number];

/** Something that happened. `text` is for people, the fields are for programs; neither holds args or secrets. */
export interface DispatcherEvent {
  level: Level;
  /** A stable name, such as `host.died`. */
  name: string;
  text: string;
  fields?: Record<string, unknown>;
}

/** The bus. A subscriber that throws does not disturb the others, nor the one who speaks. */
export class Events {
  readonly #subscribers = new Set<(event: DispatcherEvent) => void>();

  /** Subscribe; the returned function ends it. */
  on(subscriber: (event: DispatcherEvent) => void): () => void {
    this.#subscribers.add(subscriber);
    return () => void this.#subscribers.delete(subscriber);
  }

  emit(level: Level, name: string, text: string, fields?: Record<string, unknown>): void {
    for (const subscriber of this.#subscribers) {
      try {
        subscriber({ level, name, text, fields });
      } catch (error) {
        console.error("A subscriber of the event bus failed", error);
      }
    }
  }
}
