/**
 * The story that the demonstration tells: a workflow runs, the node under its playbook is killed, and the rest goes on
 * without anybody's help. Each step is awaited, and fails with what was there instead.
 *
 * @module
 */
import type { Client, Database } from "../../../mod.ts";
import { launch } from "../../../tasks/jobs/model/launch.ts";
import { outputOf } from "../../../tasks/jobs/model/job_events.ts";
import { trigger } from "../../../tasks/jobs/model/trigger.ts";
import { jobById, listJobs, type UnifiedJob } from "../../../tasks/jobs/model/unified_job.ts";
import { coalesce } from "../../../runtime/coalesce.ts";
import { eventually } from "../../harness/eventually.ts";
import type { Stage } from "./stage.ts";

type Say = (line: string) => void;

/** How long a step may take at most, in milliseconds; the machine may be busy. */
const PATIENCE_MS = 90_000;

/** Tell it; throws where it does not go as it should. */
export async function tell(stage: Stage, client: Client, workflow: number, say: Say): Promise<void> {
  const sql = client.database();
  const release = await client.transaction(async (tx, publish) => {
    const job = await launch(tx, { kind: "workflow_template", id: workflow });
    await trigger(publish);
    return job;
  });
  say(`launched workflow "release" as job ${release.id}: ${stage.dashboard}/workflows/${release.id}`);
  const watch = watchJobs(client, say);
  try {
    const victim = await playbookRuns(sql, release.id, stage);
    say(`KILLING node ${victim.execution_node} under job ${victim.id} with SIGKILL`);
    stage.nodes.find(({ name }) => name === victim.execution_node)!.kill("SIGKILL");
    const reaped = await until(sql, victim.id, ({ status }) => status === "error");
    say(`job ${reaped.id} was reaped: ${reaped.job_explanation}`);
    const down = await eventually(async () => {
      const [row] = await sql.unsafe("select capacity from awx.instance where hostname = $1::text", [
        victim.execution_node,
      ]);
      return row.capacity === 0;
    }, { within: PATIENCE_MS });
    if (down) say(`node ${victim.execution_node} has capacity 0: nothing more is given to it`);
    const ended = await until(sql, release.id, ({ finished }) => finished !== null);
    const jobs = (await listJobs(sql, { workflowJobId: release.id })).reverse();
    const again = jobs.at(-1)!;
    say(`the failure edge started "${again.name}" again as job ${again.id}, on ${again.execution_node}`);
    expect("the workflow is successful", ended.status === "successful", ended);
    expect(
      "the second deployment ran on another node",
      again.execution_node !== victim.execution_node,
      again,
    );
    const output = await outputIs(sql, again.id);
    say(
      `its output, through the receiver:\n${
        output.trimEnd().split("\n").slice(-16).map((line) => `      ${line}`).join("\n")
      }`,
    );
    await eventually(() => stage.told.length >= 2, { within: PATIENCE_MS });
    say(`the webhook was told ${stage.told.length} times: started, and how it ended`);
  } finally {
    await watch.stop();
  }
}

function expect(what: string, holds: boolean, { id, status, job_explanation }: UnifiedJob): void {
  if (!holds) throw new Error(`Not so: ${what}; job ${id} is ${status}: ${job_explanation}`);
}

/** Wait until so many nodes have told what they can take. */
export async function capacityOf(sql: Database, nodes: number): Promise<void> {
  await eventually(async () => {
    const [{ count }] = await sql.unsafe("select count(*)::int count from awx.instance where capacity > 0");
    return count >= nodes;
  }, { within: PATIENCE_MS });
}

/** The playbook once it has said something: so the kill is in the middle of it. */
async function playbookRuns(sql: Database, workflow: number, stage: Stage): Promise<UnifiedJob> {
  return await eventually(async () => {
    const failed = (await listJobs(sql, { workflowJobId: workflow, status: ["failed", "error"] }))[0];
    if (failed) throw new Error(`Job ${failed.id} is ${failed.status}: ${failed.job_explanation}`);
    const [job] = await listJobs(sql, { workflowJobId: workflow, kind: ["job"], status: ["running"] });
    if (!job || !stage.nodes.some(({ name }) => name === job.execution_node)) return undefined;
    const [{ count }] = await sql.unsafe(
      "select count(*)::int count from awx.job_event where job_id = $1::bigint",
      [job.id],
    );
    return count > 3 ? job : undefined;
  }, { within: PATIENCE_MS }) as UnifiedJob;
}

async function until(sql: Database, id: number, looks: (job: UnifiedJob) => boolean): Promise<UnifiedJob> {
  return await eventually(async () => {
    const job = await jobById(sql, id);
    return looks(job) ? job : undefined;
  }, { within: PATIENCE_MS }) as UnifiedJob;
}

async function outputIs(sql: Database, id: number): Promise<string> {
  await until(sql, id, ({ events_closed_at }) => events_closed_at !== null);
  let text = "";
  for await (const piece of outputOf(sql, id)) text += piece;
  if (text === "") throw new Error(`Job ${id} has no output`);
  return text;
}

/** Says each change of each job: it looks whenever an attempt has begun or ended anywhere, once for all that came meanwhile. */
function watchJobs(client: Client, say: Say): { stop(): Promise<void> } {
  const seen = new Map<number, string>();
  const look = coalesce(async (asked: null[]) => {
    for (const job of (await listJobs(client.database())).reverse()) {
      const where = job.execution_node === "" ? "" : ` on ${job.execution_node}`;
      const text = `${job.status}${where}`;
      if (seen.get(job.id) === text) continue;
      seen.set(job.id, text);
      say(`  ${job.kind} ${job.id} "${job.name}" is ${text}`);
    }
    return asked;
  }, { max: 1_000 });
  const stopped = new AbortController();
  const watching = client.events(() => void look(null).catch(() => {}), { signal: stopped.signal });
  return {
    async stop() {
      stopped.abort();
      await watching.catch(() => {});
      await look(null);
    },
  };
}
