/**
 * Asking for the reaper. Light: every heartbeat loads it.
 *
 * @module
 */
import type { Publish } from "../../jobs/model/trigger.ts";

export const REAPER = "system/awx_reaper";
/** Before the managers: they are to know which nodes there are. */
export const SYSTEM_PRIORITY = -200;

/**
 * Have it look: now, once for all who ask, or when so many seconds are over.
 *
 * @param seconds Rounded up, so that equal wishes are one.
 */
export async function askForReaper(publish: Publish, seconds = 0): Promise<void> {
  // What waits for its time must not stand for what is asked for now: another argument makes it another call.
  const [args, delay] = seconds > 0 ? [["later"], Math.ceil(seconds)] : [[], 0];
  await publish(REAPER, args, { delay, onDuplicate: "queue_one", priority: SYSTEM_PRIORITY });
}
