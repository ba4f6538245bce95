import { LIVE_STATES } from "../../runtime/state.ts";
import { actCommand } from "../acting.ts";
import type { Command } from "../command.ts";

/** Give envelopes up: they stand among the dead, with the reason. */
export const discard: Command = actCommand({
  verb: "discard",
  summary: "Give envelopes up, running ones on any node; they stand among the failures",
  states: LIVE_STATES,
  usual: LIVE_STATES,
  flags: { reason: { type: "string", value: "TEXT", help: "Why, kept as the error of each" } },
  run: (client, uuids, { reason }) => client.discard(uuids, reason as string | undefined),
  says: { discarded: "discarded", requested: "discard requested on NODE" },
});
