/**
 * The heartbeat of a node in the control plane: what it can bear, and that it is there. Published by each node to itself,
 * at its start and every 20 seconds.
 *
 * @module
 */
import { task } from "edge-dispatcher";
import { z } from "zod";
import { settings } from "../jobs/model/settings.ts";
import { cpuCapacity, memCapacity } from "./heartbeat/capacity.ts";
import { anySilent, writeBeat } from "./heartbeat/instances.ts";
import { machine } from "./heartbeat/machine.ts";
import { askForReaper, SYSTEM_PRIORITY } from "./reaping/ask.ts";

const TIMEOUT_SECONDS = 30;
/** What the node says of itself. */
const statusSchema = z.object({
  state: z.string(),
  version: z.string(),
  resources: z.object({ offers: z.record(z.string(), z.number()) }),
});

export default task(
  { bind: true, timeout: TIMEOUT_SECONDS, priority: SYSTEM_PRIORITY },
  async (context) => {
    const { state, version, resources } = statusSchema.parse(await context.control("node_status"));
    const here = machine();
    const sql = await context.database();
    const capacity = await writeBeat(sql, {
      hostname: context.node,
      ...here,
      cpuCapacity: cpuCapacity(here),
      memCapacity: memCapacity(here),
      // What the dispatcher itself keeps to, so that nothing is sent to a node that would never run it.
      resources: resources.offers,
      version,
      draining: state !== "running",
      errors: "",
    });
    // Whoever reaps is asked for it by those who live: the one that leads may be the one that is gone.
    const { HEARTBEAT_GRACE } = await settings(sql);
    if (await anySilent(sql, context.node, HEARTBEAT_GRACE)) await askForReaper(context.publish);
    return { capacity };
  },
);
