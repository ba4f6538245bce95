/**
 * One at a time in the clone of a project, in the whole cluster: nodes may share the disk. The lock is a
 * transaction's, so it ends with whoever holds it, however that ends.
 *
 * @module
 */
import { client } from "edge-dispatcher";
import { JobError, type Run } from "./perform.ts";

const LOOK_MS = 200;

/** Do something with the clone of a project while nobody else does. */
export async function withProject<R>(run: Run, projectId: number, work: () => Promise<R>): Promise<R> {
  const { signal, deadline = Infinity } = run;
  return await (await client()).transaction(async (tx) => {
    for (;;) {
      signal.throwIfAborted();
      const [{ locked }] = await tx.unsafe(
        "select pg_try_advisory_xact_lock(hashtext('awx.project'), $1::bigint::int) locked",
        [projectId] as never[],
      );
      if (locked) return await work();
      if (performance.now() > deadline) {
        throw new JobError(`Others used the clone of project ${projectId} for longer than the job's timeout`);
      }
      await new Promise((again) => setTimeout(again, LOOK_MS));
    }
  });
}
