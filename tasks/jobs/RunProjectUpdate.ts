/**
 * Run a project update: clone or update a git repository, record its revision.
 *
 * @module
 */
import { task } from "edge-dispatcher";

export default task({ bind: true, maxAttempts: 1 }, async (context, jobId: number) => {
  const [{ perform }, { runProjectUpdate }] = await Promise.all([
    import("./run/perform.ts"),
    import("./run/project_update.ts"),
  ]);
  await perform(context, jobId, runProjectUpdate);
});
