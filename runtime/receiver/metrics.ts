/**
 * The metrics of a receiver (docs/control-plane/callback-receiver.md has the table).
 *
 * @module
 */
import process from "node:process";
import { type MetricsText, textOf } from "../metrics.ts";
import type { Figures } from "./figures.ts";

/** What they are made of. */
export interface ReceiverMetrics {
  info: { receiver: string; source: string; version: string; runtime: string };
  figures: Figures;
  /** Null while the source does not answer. */
  queueSize: number | null;
  away: ReadonlySet<"database" | "source">;
}

/** Write them. */
export function receiverMetrics({ info, figures, queueSize, away }: ReceiverMetrics): Promise<MetricsText> {
  return textOf((put) => {
    put.gauge("awx_receiver_info", "The receiver; always 1", [[info, 1]]);
    put.counter("awx_receiver_popped_total", "Events taken from the source", figures.popped);
    put.counter("awx_receiver_returned_total", "Of those, events that were left to others", figures.returned);
    put.counter("awx_receiver_saved_total", "Events written", figures.saved);
    put.counter("awx_receiver_known_total", "Events that had been written before", figures.known);
    put.counter("awx_receiver_set_aside_total", "Events that could not be written", figures.setAside);
    put.counter("awx_receiver_batches_total", "Batches committed", figures.batches);
    put.counter("awx_receiver_streams_closed_total", "Streams of jobs that were closed", figures.closed);
    put.counter(
      "awx_receiver_recovered_total",
      "Events of dead receivers that were given back",
      figures.recovered,
    );
    put.counter(
      "awx_receiver_failures_total",
      "How often the database or the source did not do what was asked",
      Object.entries(figures.outages).map(([side, count]) => [{ side }, count]),
    );
    put.gauge("awx_receiver_in_memory", "Events that are held and not committed", figures.inMemory);
    put.gauge(
      "awx_receiver_queue_size",
      "Events that wait at the source",
      queueSize === null ? [] : queueSize,
    );
    put.gauge(
      "awx_receiver_database_up",
      "1 while the database takes what is written",
      !away.has("database"),
    );
    put.gauge("awx_receiver_source_up", "1 while the source answers", !away.has("source"));
    put.times("awx_receiver_lag_seconds", "From an event's own time to its commit", [[{}, figures.lag]], []);
    put.gauge("awx_receiver_resident_memory_bytes", "Memory of the process", process.memoryUsage().rss);
  });
}
