/**
 * What happens, for programs: nodes, queues and counts as JSON, about once a second.
 *
 * @module
 */
import { Hono } from "hono";
import { eventStream } from "./event_stream.ts";
import type { Env } from "./env.ts";
import { eventText, type Live, type Watched } from "./live.ts";
import type { Sampler, Snapshot } from "./sampler.ts";

/** `GET /api/live`: an event `snapshot` for each look at the cluster. */
export function liveApi(sampler: Sampler, live: Live): Hono<Env> {
  const app = new Hono<Env>();
  const watched: Watched = {
    key: "api",
    draw: () => Promise.resolve(new Map([["snapshot", JSON.stringify(shownOf(sampler.last!))]])),
    event(_changed, { age, failure }) {
      const snapshot = sampler.last ? shownOf(sampler.last) : null;
      return eventText("snapshot", { age_seconds: age / 1000, failure, ...snapshot });
    },
  };
  app.get("/api/live", (c) => {
    const stream = live.watch(watched, c.req.raw.signal);
    return stream ? eventStream(c, stream) : c.text("Too many watch already", 503, { "Retry-After": "5" });
  });
  return app;
}

/** As it goes over the line: snake_case, ISO times, no arguments. */
function shownOf({ now, nodes, queues, counts }: Snapshot): Record<string, unknown> {
  return {
    at: now,
    nodes: nodes.map((
      { status, name, state, alive, leader, last_seen, listener, rss, slots, busy, queues },
    ) => ({
      name,
      state: status?.state ?? state,
      alive,
      answered: status !== null,
      leader,
      last_seen,
      listener: status?.connection ?? listener,
      rss: status?.rss ?? rss,
      slots: status?.total ?? slots,
      busy: status ? status.workers.filter(({ running }) => running.length > 0).length : busy,
      queues,
    })),
    queues,
    counts: {
      ...counts.live,
      discarded: counts.discarded,
      recent: { ...counts.recent, since: counts.since },
    },
  };
}
