import { CANCEL } from "../../runtime/acts.ts";
import { actCommand } from "../acting.ts";
import type { Command } from "../command.ts";

/** End envelopes: what waits at once, what runs by its signal, on whichever node. */
export const cancel: Command = actCommand({
  verb: "cancel",
  summary: "Cancel envelopes, running ones on any node",
  states: CANCEL.states,
  usual: CANCEL.usual,
  run: (client, uuids) => client.cancel(uuids),
  says: { cancelled: "cancelled", requested: "cancel requested on NODE" },
});
