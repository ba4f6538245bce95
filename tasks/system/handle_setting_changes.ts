/**
 * What follows from changed settings: the worker that runs this forgets what it has read. Broadcast by whoever changes
 * them. A node has many workers; the others read anew when what they have is half a second old.
 *
 * @module
 */
import { task } from "edge-dispatcher";
import { z } from "zod";
import { dropSettings } from "../jobs/model/settings.ts";

export default task(
  { bind: true, queue: "broadcast", priority: -200, args: z.tuple([z.array(z.string())]) },
  (context, keys: string[]) => {
    dropSettings();
    context.log(`Settings changed: ${keys.join(", ")}`);
  },
);
