/**
 * Run a job of a template: a playbook or a command.
 *
 * @module
 */
import { task } from "edge-dispatcher";

export default task({ bind: true, maxAttempts: 1 }, async (context, jobId: number) => {
  const [{ perform }, { runJob }] = await Promise.all([import("./run/perform.ts"), import("./run/job.ts")]);
  await perform(context, jobId, runJob);
});
