/**
 * Whose turn it is: smaller priorities first, then who was launched earlier. A minute of waiting is worth one step of
 * priority, so nothing waits for ever behind what is more urgent.
 *
 * @module
 */
import type { PendingJob } from "./world.ts";

/** Seconds of waiting that are worth one step of priority. */
export const AGEING_SECONDS = 60;

/** The same as {@link byTurn} for rows of awx.unified_job; now() stands still within a transaction. */
export const ORDER_BY =
  `priority - floor(extract(epoch from now() - created) / ${AGEING_SECONDS}), created, id`;

type Turn = Pick<PendingJob, "id" | "priority" | "waited">;

/** Sorts jobs by turn. */
export function byTurn(a: Turn, b: Turn): number {
  return rank(a) - rank(b) || b.waited - a.waited || a.id - b.id;
}

function rank({ priority, waited }: Turn): number {
  return priority - Math.floor(waited / AGEING_SECONDS);
}
