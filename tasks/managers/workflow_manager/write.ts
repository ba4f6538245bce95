/**
 * What the workflow manager writes, besides launches and endings.
 *
 * @module
 */
import { type Db, list } from "../../jobs/model/rows.ts";

/** Begin a workflow: pending becomes running. False when it was canceled meanwhile. */
export async function beginWorkflow(db: Db, id: number): Promise<boolean> {
  const begun = await db.unsafe(
    `update awx.unified_job set status = 'running', started = clock_timestamp()
     where id = $1::bigint and status = 'pending' and not cancel_flag returning id`,
    [id] as never[],
  );
  return begun.length > 0;
}

/** Note which job a node runs. */
export async function writeLaunch(db: Db, nodeId: number, jobId: number): Promise<void> {
  await db.unsafe(
    "update awx.workflow_job_node set job_id = $2::bigint, launched = true where id = $1::bigint",
    [nodeId, jobId] as never[],
  );
}

/** Note why a node's job could not be launched. */
export async function writeError(db: Db, nodeId: number, error: string): Promise<void> {
  await db.unsafe(
    "update awx.workflow_job_node set error = $2::text where id = $1::bigint",
    [nodeId, error] as never[],
  );
}

/** Note which nodes can never run any more. */
export async function writeSkips(db: Db, nodeIds: readonly number[]): Promise<void> {
  if (nodeIds.length === 0) return;
  await db.unsafe(
    "update awx.workflow_job_node set do_not_run = true where id = any($1::text::bigint[])",
    [list(nodeIds)] as never[],
  );
}
