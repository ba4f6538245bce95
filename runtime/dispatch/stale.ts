/**
 * What is said of verdicts that came too late.
 *
 * @module
 */
import type { Events } from "../events.ts";
import type { Settlement } from "../store/store.ts";

/** A lease that was lost makes everything stale that was held under it: so many lines a batch are enough. */
const STALE_LINES = 20;

/** Say it, and how many they were. */
export function sayStale(events: Events, stale: Settlement[]): number {
  const text = "Settled nothing: the attempt was stale";
  for (const { uuid, fence, outcome } of stale.slice(0, STALE_LINES)) {
    events.emit("warning", "settle.stale", text, { uuid, fence, outcome });
  }
  const rest = stale.length - STALE_LINES;
  if (rest > 0) events.emit("warning", "settle.stale", `Settled nothing: ${rest} more attempts were stale`);
  return stale.length;
}
