/**
 * How often a task may be tried, and when again: what `task()` may say of it, checked where it comes from code that is
 * not ours. The function form of `backoff` never leaves its worker; only its answer does.
 *
 * @module
 */
import { z } from "zod";
import type { Backoff } from "./backoff.ts";
import { issueText, LONGEST_SECONDS } from "./envelope.ts";

const seconds = z.number().min(0).max(LONGEST_SECONDS);

/** A delay that is always the same, or the shape of delays that grow; what is left out is the node's. */
export const backoffSchema = z.union([
  seconds,
  z.strictObject({
    base: seconds.optional(),
    factor: z.number().min(1).max(1_000).optional(),
    max: seconds.optional(),
    jitter: z.number().min(0).max(1).optional(),
  }),
]);
export type BackoffPolicy = z.infer<typeof backoffSchema>;

export const retryPolicySchema = z.strictObject({
  maxAttempts: z.int().min(1).max(1_000).optional(),
  backoff: backoffSchema.optional(),
});
/** What a task says of its attempts. */
export type RetryPolicy = z.infer<typeof retryPolicySchema>;

/** Read a policy; a text says what is wrong with it. */
export function readPolicy(given: { maxAttempts?: unknown; backoff?: unknown }): RetryPolicy | string {
  const { maxAttempts, backoff } = given;
  // Told apart here: of two forms that both do not fit, the checker names neither.
  const form = typeof backoff === "number" ? seconds : backoffSchema.options[1];
  const checked = z.strictObject({
    maxAttempts: retryPolicySchema.shape.maxAttempts,
    backoff: form.optional(),
  })
    .safeParse({ maxAttempts, backoff });
  return checked.success ? checked.data : issueText(checked.error, given);
}

/** The shape of the delays, with the node's own for what is left out. A fixed delay has jitter too. */
export function shapeOf(policy: BackoffPolicy | undefined, node: Backoff): Backoff {
  if (policy === undefined) return node;
  if (typeof policy === "number") return { base: policy, factor: 1, max: policy, jitter: node.jitter };
  const given = Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined));
  return { ...node, ...given };
}
