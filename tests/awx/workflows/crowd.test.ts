// @runtimes deno
/** Random workflows while many look and jobs end at the same time. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "../../harness.ts";
import { finish } from "../../../tasks/jobs/model/endings.ts";
import { jobById, listJobs } from "../../../tasks/jobs/model/unified_job.ts";
import { verdictOf } from "../../../tasks/managers/workflow_manager/dag.ts";
import { graphsOf } from "../../../tasks/managers/workflow_manager/load.ts";
import { type Flow, sharedSite, type Site } from "./site.ts";

const site = sharedSite();
const FLOWS = 12;
/** FLOWS_SEED=… for the same again. */
const seed = Number(process.env.FLOWS_SEED ?? Math.floor(Math.random() * 1e9));

const flows: fc.Arbitrary<Flow> = fc.record({
  all: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
  edges: fc.uniqueArray(
    fc.tuple(fc.nat(4), fc.nat(4), fc.constantFrom("success", "failure", "always")),
    { minLength: 3, maxLength: 8, selector: ([parent, child]) => `${parent} ${child}` },
  ),
}).map(({ all, edges }) => ({
  nodes: Object.fromEntries(all.map((one, i) => [`n${i}`, { all: one }])),
  edges: edges.filter(([parent, child]) => parent < child).map(([p, c, kind]) => `n${p}-${kind}>n${c}`),
}));

/** End whichever job is pending, one after another, until no workflow is left. */
async function endJobs({ client, sql }: Site, random: () => number): Promise<void> {
  const open = ["pending", "waiting", "running"] as const;
  while ((await listJobs(sql, { kind: ["workflow_job"], status: open })).length > 0) {
    const jobs = await listJobs(sql, { kind: ["job"], status: open });
    const job = jobs[Math.floor(random() * jobs.length)];
    if (!job) continue;
    const status = (["successful", "successful", "failed", "error"] as const)[Math.floor(random() * 4)];
    await client.transaction((tx, publish) =>
      finish(tx, publish, { jobId: job.id, taskUuid: null, status, closesEvents: true })
    );
  }
}

test(`random workflows end as their graphs say, whoever looks at the same time (seed ${seed})`, async () => {
  const own = await site();
  const ids: number[] = [];
  for (const flow of fc.sample(flows, { numRuns: FLOWS, seed })) {
    ids.push((await own.launch(await own.flow(flow))).id);
  }
  let done = false;
  const look = async () => {
    while (!done) await own.manage();
  };
  const looking = [look(), look()];
  const ending = [endJobs(own, Math.random), endJobs(own, Math.random)];
  await Promise.all(ending).finally(() => done = true);
  await Promise.all(looking);

  const graphs = await graphsOf(own.sql, ids);
  for (const id of ids) {
    const { nodes, edges } = graphs.get(id)!;
    const ran = nodes.filter(({ job }) => job !== null);
    assert.ok(nodes.every(({ job, do_not_run }) => (job !== null) !== do_not_run), "each ran or is marked");
    // As many jobs as nodes that ran: none was launched twice.
    assert.equal((await listJobs(own.sql, { workflowJobId: id })).length, ran.length);
    const { status, job_explanation } = await jobById(own.sql, id);
    assert.deepEqual({ status, explanation: job_explanation }, verdictOf(nodes, edges));
  }
});

test("nothing of it stays behind", () => site.end());
