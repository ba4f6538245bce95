/**
 * `/metrics`: what Prometheus scrapes.
 *
 * @module
 */
import { Hono } from "hono";
import type { HttpParts } from "./parts.ts";

/** The metrics of this node, as text. */
export function metrics(parts: Pick<HttpParts, "metrics">): Hono {
  const app = new Hono();
  app.get("/metrics", async (c) => {
    const { text, type } = await parts.metrics();
    return c.body(text, 200, { "content-type": type, "cache-control": "no-store" });
  });
  return app;
}
