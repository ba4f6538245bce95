/**
 * Health: `/livez` says that the process answers and asks nobody; `/readyz` says whether work should be sent here.
 *
 * @module
 */
import { Hono } from "hono";

/** Who is probed. */
export interface Probed {
  node: {
    readonly name: string;
    /** Whether it can do its work, and what it has of what that takes. */
    readiness(): { ready: boolean };
  };
}

/** The probes of a supervisor; they need no credentials and tell no secrets. */
export function health({ node }: Probed): Hono {
  const app = new Hono();
  app.get("/livez", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) => {
    const { ready, ...checks } = node.readiness();
    return c.json({ status: ready ? "ready" : "unready", node: node.name, ...checks }, ready ? 200 : 503);
  });
  return app;
}
