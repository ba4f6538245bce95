import { DISCARD } from "../../runtime/acts.ts";
import { actCommand } from "../acting.ts";
import type { Command } from "../command.ts";

/** Give envelopes up: they stand among the dead, with the reason. */
export const discard: Command = actCommand({
  verb: "discard",
  summary: "Give envelopes up, running ones on any node; they stand among the failures",
  states: DISCARD.states,
  usual: DISCARD.usual,
  flags: { reason: { type: "string", value: "TEXT", help: "Why, kept as the error of each" } },
  run: (client, uuids, { reason }) => client.discard(uuids, reason as string | undefined),
  says: { discarded: "discarded", requested: "discard requested on NODE" },
});
