/**
 * How often a task may be tried, and when again: what `task()` may say of it, checked where it comes from code that is
 * not ours. The function form of `backoff` never leaves its worker; only its answer does.
 *
 * @module
 */
import { z } from "zod";
import type { Backoff } from "./backoff.ts";
import { issueText, LONGEST_SECONDS } from "./envelope.ts";

/** Growing delays: seconds after the first failure, what each further one multiplies it by, seconds at most, jitter. */
export type BackoffPolicy = number | Partial<Backoff>;
/** What a task says of its attempts. */
export interface RetryPolicy {
  maxAttempts?: number;
  /** A delay that is always the same, or the shape of delays that grow; what is left out is the node's. */
  backoff?: BackoffPolicy;
}

const seconds = z.number().min(0).max(LONGEST_SECONDS);
const shape = z.strictObject({
  base: seconds.optional(),
  factor: z.number().min(1).max(1_000).optional(),
  max: seconds.optional(),
  jitter: z.number().min(0).max(1).optional(),
});
const attempts = z.int().min(1).max(1_000).optional();
// Two schemas and no union: of two forms that both do not fit, the checker would name neither.
const withNumber = z.strictObject({ maxAttempts: attempts, backoff: seconds.optional() });
const withShape = z.strictObject({ maxAttempts: attempts, backoff: shape.optional() });

/** Read a policy; a text says what is wrong with it. */
export function readPolicy(given: { maxAttempts?: unknown; backoff?: unknown }): RetryPolicy | string {
  const { maxAttempts, backoff } = given;
  const schema = typeof backoff === "number" ? withNumber : withShape;
  const checked = schema.safeParse({ maxAttempts, backoff });
  return checked.success ? checked.data : issueText(checked.error, given);
}

/** The shape of the delays, with the node's own for what is left out. A fixed delay has jitter too. */
export function shapeOf(policy: BackoffPolicy | undefined, node: Backoff): Backoff {
  if (policy === undefined) return node;
  if (typeof policy === "number") return { base: policy, factor: 1, max: policy, jitter: node.jitter };
  const given = Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined));
  return { ...node, ...given };
}
