/**
 * Run a system job: clean up.
 *
 * @module
 */
import { task } from "edge-dispatcher";

export default task({ bind: true, maxAttempts: 1 }, async (context, jobId: number) => {
  const [{ perform }, { runSystemJob }] = await Promise.all([
    import("./run/perform.ts"),
    import("./run/system_job.ts"),
  ]);
  await perform(context, jobId, runSystemJob);
});
