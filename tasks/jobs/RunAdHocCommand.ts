/**
 * Run an ad hoc command: one module on the hosts of an inventory.
 *
 * @module
 */
import { task } from "edge-dispatcher";

export default task({ bind: true, maxAttempts: 1 }, async (context, jobId: number) => {
  const [{ perform }, { runAdHoc }] = await Promise.all([
    import("./run/perform.ts"),
    import("./run/ad_hoc.ts"),
  ]);
  await perform(context, jobId, runAdHoc);
});
