/**
 * Run an inventory update: import what a source lists.
 *
 * @module
 */
import { task } from "edge-dispatcher";

export default task({ bind: true, maxAttempts: 1 }, async (context, jobId: number) => {
  const [{ perform }, { runInventoryUpdate }] = await Promise.all([
    import("./run/perform.ts"),
    import("./run/inventory_update.ts"),
  ]);
  await perform(context, jobId, runInventoryUpdate);
});
