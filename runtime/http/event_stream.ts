/**
 * Server-sent events as an answer.
 *
 * @module
 */
import type { Ctx } from "./env.ts";

/** Answer with a stream of events. */
export function eventStream(c: Ctx, stream: ReadableStream<Uint8Array>): Response {
  // Buffered by a proxy it would not be live.
  return c.body(stream, 200, { "Content-Type": "text/event-stream", "X-Accel-Buffering": "no" });
}
