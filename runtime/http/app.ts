/**
 * The HTTP surface of a node, put together: probes, metrics, the API, the dashboard.
 *
 * @module
 */
import { Hono } from "hono";
import { access } from "./access.ts";
import { api } from "./api/api.ts";
import { csrf } from "./csrf.ts";
import { dashboard } from "./dashboard.ts";
import type { Env } from "./env.ts";
import { headers } from "./headers.ts";
import { health, type Probed } from "./health.ts";
import { limit } from "./limit.ts";
import { metrics } from "./metrics.ts";
import { Live } from "./live.ts";
import { liveApi } from "./live_api.ts";
import type { Guarded, HttpParts } from "./parts.ts";
import { notFound, onError } from "./problem.ts";
import { Sampler } from "./sampler.ts";
import { Book, type Chapter } from "./view/book.ts";

export type { Env };

/** Build the whole surface. */
export function buildApp(parts: HttpParts, chapter?: Chapter): Hono<Env> {
  const app = new Hono<Env>();
  app.onError(onError);
  app.notFound(notFound);
  const base = parts.config.http_base_path;
  // Probes are asked on the node itself, whatever path a proxy puts in front, and need no credentials.
  app.route("/", health(parts));
  if (base !== "/") app.route(base, health(parts));
  app.route(base, inside(parts, new Book(chapter)));
  return app;
}

/** The surface of a process that is no node: probes, and metrics behind the doors. */
export function buildProbes(parts: Guarded & Probed & Pick<HttpParts, "metrics">): Hono<Env> {
  const app = new Hono<Env>();
  app.onError(onError);
  app.notFound(notFound);
  app.route("/", health(parts));
  app.use(headers(), access(parts));
  app.route("/", metrics(parts));
  return app;
}

/** What is behind the doors; each part may read who asks, and what a door made for it. */
function inside(parts: HttpParts, book: Book): Hono<Env> {
  const app = new Hono<Env>();
  app.use(async (c, next) => {
    c.set("parts", parts);
    await next();
  });
  app.use(headers(), access(parts), csrf(parts));
  app.use("/api/*", limit(parts));
  const sampler = new Sampler(parts);
  const live = new Live(parts, sampler);
  app.route("/", liveApi(sampler, live));
  app.route("/api", api(parts));
  app.route("/", metrics(parts));
  app.route("/", dashboard(parts, book, sampler, live));
  return app;
}
