/**
 * The task manager: gives pending jobs to nodes that have room for them. See docs/control-plane/managers.md.
 *
 * @module
 */
import { client, task } from "edge-dispatcher";

/** All that is under way is looked at so often by one worker; what is to be canceled, each time. */
const LOOK_MS = 15_000;
/** Seconds. One that hangs would keep all later ones waiting. */
const TIMEOUT = 600;
/** All of a run or nothing is done, so one that failed is simply tried again: a connection that broke, say. */
const TRIES = { maxAttempts: 3, backoff: 1 };

/** When this worker has last looked at all. */
let looked = -Infinity;

export default task({ bind: true, timeout: TIMEOUT, ...TRIES }, async (context) => {
  const [{ runTaskManager }, { findLost }] = await Promise.all([
    import("../managers/task_manager/run.ts"),
    import("../managers/lost.ts"),
  ]);
  const all = performance.now() - looked > LOOK_MS;
  const outcomes = async (uuids: string[]) => await (await client()).outcomes(uuids);
  const lost = await findLost(await context.database(), outcomes, all);
  if (all) looked = performance.now();
  return await context.transaction((tx, publish) => runTaskManager(tx, publish, { lost }));
});
