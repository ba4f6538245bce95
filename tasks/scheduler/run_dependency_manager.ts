/**
 * The dependency manager: creates the updates that pending jobs need first. See docs/control-plane/managers.md.
 *
 * @module
 */
import { task } from "edge-dispatcher";

/** Seconds. One that hangs would keep all later ones waiting. */
const TIMEOUT = 600;
/** All of a run or nothing is done, so one that failed is simply tried again: a connection that broke, say. */
const TRIES = { maxAttempts: 3, backoff: 1 };

export default task({ bind: true, timeout: TIMEOUT, ...TRIES }, async (context) => {
  const { runDependencyManager } = await import("../managers/dependency_manager/run.ts");
  return await context.transaction((tx, publish) => runDependencyManager(tx, publish));
});
