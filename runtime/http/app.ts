/**
 * The HTTP surface of a node, put together: probes, metrics, the API, the dashboard.
 *
 * @module
 */
import { Hono } from "hono";
import { health } from "./health.ts";
import { metrics } from "./metrics.ts";
import type { HttpParts, Remote } from "./parts.ts";

/** What is known of a request besides itself. */
export type Env = { Bindings: Remote };

/** Build the whole surface. */
export function buildApp(parts: HttpParts): Hono<Env> {
  const app = new Hono<Env>();
  const base = parts.config.http_base_path;
  // Probes are asked on the node itself, whatever path a proxy puts in front.
  app.route("/", health(parts));
  if (base !== "/") app.route(base, health(parts));
  // Whoever asks for more must be let in: what lets in goes here.
  app.route(base, metrics(parts));
  return app;
}
