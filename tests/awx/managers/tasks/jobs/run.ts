import { task } from "edge-dispatcher";
import { finish } from "../../../../../tasks/jobs/model/endings.ts";
import { begin } from "../../../../../tasks/jobs/model/unified_job.ts";

/** What runs a job here: it begins and is successful. */
export default task({ bind: true }, async ({ uuid, node, database, transaction }, jobId: number) => {
  const sql = await database();
  if (!await begin(sql, { jobId, taskUuid: uuid, node })) return;
  const ending = { jobId, taskUuid: uuid, status: "successful", closesEvents: true } as const;
  await transaction((tx, publish) => finish(tx, publish, ending));
});
