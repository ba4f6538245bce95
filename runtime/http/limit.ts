/**
 * How often somebody may ask.
 *
 * @module
 */
import type { MiddlewareHandler } from "hono";
import { Buckets } from "./buckets.ts";
import type { Env } from "./env.ts";
import type { HttpParts } from "./parts.ts";
import { problem } from "./problem.ts";

/** Seconds' worth of requests that may come at once. */
const BURST_SECONDS = 2;

/** So many requests a second for each credential; where none is asked for, for each address. */
export function limit({ config, clock }: HttpParts): MiddlewareHandler<Env> {
  const perSecond = config.http_rate_limit;
  if (perSecond === 0) return (_, next) => next();
  const buckets = new Buckets(clock, { perSecond, burst: perSecond * BURST_SECONDS });
  return async (c, next) => {
    const { name, how } = c.var.who;
    const seconds = buckets.take(how === "local" ? c.env.address : `${how} ${name}`);
    if (seconds > 0) {
      const detail = `More than ${perSecond} requests a second came from ${how} "${name}"`;
      return problem(c, 429, detail, {}, { "Retry-After": `${Math.ceil(seconds)}` });
    }
    await next();
  };
}
