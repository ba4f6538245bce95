/**
 * Nodes and jobs for the tests of this area.
 *
 * @module
 */
import { begin, jobById, type UnifiedJob } from "../../../tasks/jobs/model/unified_job.ts";
import type { AwxDatabase } from "../database.ts";

/** An instance that was heard of so many seconds ago. */
export async function instance(
  { sql }: Pick<AwxDatabase, "sql">,
  hostname: string,
  { silent = 0, capacity = 8 }: { silent?: number; capacity?: number } = {},
): Promise<void> {
  await sql.unsafe(
    `insert into awx.instance (hostname, cpu, cpu_capacity, mem_capacity, capacity, last_seen)
     values ($1::text, 2, 8, 8, $2::int, clock_timestamp() - make_interval(secs => $3::float8))`,
    [hostname, capacity, silent],
  );
}

/** What is known of an instance. */
export async function instanceOf(
  { sql }: Pick<AwxDatabase, "sql">,
  hostname: string,
): Promise<{ capacity: number; errors: string } | undefined> {
  const [found] = await sql.unsafe(
    "select capacity, errors from awx.instance where hostname = $1::text",
    [hostname],
  );
  return found && { capacity: found.capacity, errors: found.errors };
}

/** A job that was given to a node, and, if told, runs there. */
export async function jobOn(
  { sql }: Pick<AwxDatabase, "sql">,
  node: string,
  status: "waiting" | "running" = "running",
  uuid: string = crypto.randomUUID(),
): Promise<UnifiedJob> {
  const [{ id }] = await sql.unsafe(
    `insert into awx.unified_job (kind, name, status, execution_node, task_uuid, dependencies_processed)
     values ('job', 'a job', 'waiting', $1::text, $2::uuid, true) returning id::int`,
    [node, uuid],
  );
  if (status === "running") await begin(sql, { jobId: id, taskUuid: uuid, node });
  return await jobById(sql, id);
}
