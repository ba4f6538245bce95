/**
 * The reaper: looks which nodes are gone, and ends what they ran. Scheduled for the cluster every 20 seconds, and asked
 * for by heartbeats that miss a peer's.
 *
 * @module
 */
import { client, task } from "edge-dispatcher";
import { settings } from "../jobs/model/settings.ts";
import { askForReaper, SYSTEM_PRIORITY } from "./reaping/ask.ts";
import { reap } from "./reaping/reap.ts";

const TIMEOUT_SECONDS = 60;

export default task(
  { bind: true, timeout: TIMEOUT_SECONDS, priority: SYSTEM_PRIORITY },
  async (context, _why?: string) => {
    const dispatcher = await client();
    const leases = await dispatcher.nodes();
    const { HEARTBEAT_GRACE } = await settings(await context.database());
    const done = await context.transaction(async (tx, publish) => {
      const done = await reap(tx, publish, leases, HEARTBEAT_GRACE);
      if (done.more) await askForReaper(publish);
      if (done.next !== null) await askForReaper(publish, done.next);
      return done;
    });
    if (done.reaped.length > 0) context.log(`Reaped jobs ${done.reaped.join(", ")}`, "warning");
    if (done.givenBack.length > 0) context.log(`Jobs ${done.givenBack.join(", ")} are pending again`);
    // After the commit, for what is canceled is not run again; should it be missed, no job is begun twice.
    if (done.envelopes.length > 0) await dispatcher.cancel(done.envelopes);
  },
);
