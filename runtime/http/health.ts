/**
 * Health: `/livez` says that the process answers and asks nobody; `/readyz` says whether work should be sent here.
 *
 * @module
 */
import { Hono } from "hono";
import type { HttpParts } from "./parts.ts";

/** The probes of a supervisor; they need no credentials and tell no secrets. */
export function health({ node }: HttpParts): Hono {
  const app = new Hono();
  app.get("/livez", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) => {
    const { ready, ...checks } = node.readiness();
    return c.json({ status: ready ? "ready" : "unready", node: node.name, ...checks }, ready ? 200 : 503);
  });
  return app;
}
