/**
 * Runs a job as RunJob does, deaf to its signal, until somebody lets it end; then tells whether its verdict counted.
 */
import { existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { client, task } from "edge-dispatcher";
import { finish } from "../../../../tasks/jobs/model/endings.ts";
import { begin } from "../../../../tasks/jobs/model/unified_job.ts";

export default task({ bind: true }, async (context, jobId: number, gate: string) => {
  const sql = await context.database();
  const { uuid: taskUuid, node } = context;
  if (!(await begin(sql, { jobId, taskUuid, node }))) return "not begun";
  while (!existsSync(gate)) await setTimeout(20);
  const ended = await (await client()).transaction((tx, publish) =>
    finish(tx, publish, { jobId, taskUuid, status: "successful", closesEvents: true })
  );
  await sql.unsafe("insert into public.verdict (job_id, counted) values ($1::bigint, $2::boolean)", [
    jobId,
    ended !== undefined,
  ]);
});
