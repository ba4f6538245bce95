import { RETRY } from "../../runtime/acts.ts";
import { actCommand } from "../acting.ts";
import type { Command } from "../command.ts";

/** Bring back what is dead, and let go at once what waits for its time. */
export const retry: Command = actCommand({
  verb: "retry",
  summary: "Bring back what was discarded or cancelled; run at once what waits for its time",
  states: RETRY.states,
  usual: RETRY.usual,
  run: (client, uuids) => client.retry(uuids),
  says: { retried: "retried", blocked: "retried, behind an equal one" },
});
