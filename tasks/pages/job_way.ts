/**
 * The way of a job: created, waiting, running, ended; and why it is where it is.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { type Html, html, type PageContext, type Step } from "edge-dispatcher/view";
import type { Db } from "../jobs/model/rows.ts";
import { isFinal, type UnifiedJob } from "../jobs/model/unified_job.ts";
import { instanceLines } from "./queries/instances.ts";
import type { Related } from "./queries/job.ts";
import { jobLink } from "./status.ts";

/** The envelope that runs a job. */
export type Envelope = Awaited<ReturnType<PageContext["client"]["find"]>>[number];

/** Undefined when there is none, or it is not kept any more. */
export async function envelopeOf(
  { client }: PageContext,
  { task_uuid }: UnifiedJob,
): Promise<Envelope | undefined> {
  if (task_uuid === null) return undefined;
  try {
    return (await client.find(task_uuid))[0];
  } catch (error) {
    if (error instanceof DispatcherError && error.code === "not_found") return undefined;
    throw error;
  }
}

/** The steps, and when each was taken. It is waiting from the moment on in which its envelope was published. */
export function stepsOf(job: UnifiedJob, envelope: Envelope | undefined): Step[] {
  const { status, created, started, finished } = job;
  const over = isFinal(status);
  const bad = status !== "successful";
  const steps: Step[] = [{ name: "created", at: created, tone: "done" }];
  const published = envelope?.created_at ?? null;
  // Of what was begun it is not known any more once its envelope is gone.
  if (job.kind !== "workflow_job" && (published !== null || (started === null && !over))) {
    steps.push({
      name: "waiting",
      at: published,
      tone: status === "waiting" ? "now" : published === null ? "next" : "done",
    });
  }
  if (started !== null || !over) {
    steps.push({
      name: "running",
      at: started,
      tone: status === "running" ? "now" : started ? "done" : "next",
    });
  }
  steps.push({
    name: over ? status : "finished",
    at: finished,
    tone: over ? (bad ? "bad" : "done") : "next",
  });
  return status === "pending" ? steps.with(0, { ...steps[0], name: "created, pending", tone: "now" }) : steps;
}

/** In sentences, the most telling first; none for what goes on as it should. */
export async function whyItWaits(
  context: PageContext,
  db: Db,
  job: UnifiedJob,
  related: Related[],
  envelope: Envelope | undefined,
): Promise<Html[]> {
  const said = job.job_explanation === "" ? [] : [html`${job.job_explanation}`];
  if (job.status === "waiting") return [...said, ...await whyEnvelope(context, envelope)];
  if (job.status !== "pending") return said;
  return [...said, ...whyPending(context, job, related), ...await whyNoRoom(db, job)];
}

/** The dispatcher knows why what was published does not run. */
async function whyEnvelope(
  { client, snapshot }: PageContext,
  envelope: Envelope | undefined,
): Promise<Html[]> {
  if (!envelope) return [html`Its envelope is gone: the reaper will end it.`];
  const why = await client.look.why(envelope, snapshot.nodes, undefined);
  return why.map(({ text }) => html`Its envelope: ${text}`);
}

function whyPending({ to }: PageContext, job: UnifiedJob, related: Related[]): Html[] {
  const name = (one: Related) => jobLink(to, one, `#${one.id} ${one.name}`);
  const why = related.flatMap((one) => {
    if (one.relation === "dependency" && !isFinal(one.status)) {
      return [html`It depends on ${name(one)}, which is ${one.status}`];
    }
    if (one.relation === "blocker") {
      return [html`It is blocked by ${name(one)}, which is ${one.status}: only one of them runs at a time`];
    }
    return [];
  });
  if (!job.dependencies_processed) why.push(html`The dependency manager has not looked at it yet`);
  return why;
}

/** Whether any node has room for it. */
async function whyNoRoom(db: Db, { kind, task_impact }: UnifiedJob): Promise<Html[]> {
  if (kind === "workflow_job") return [];
  const able = (await instanceLines(db)).filter(({ enabled, capacity }) => enabled && capacity > 0);
  if (able.length === 0) return [html`No node has capacity: all are offline, draining or disabled`];
  const best = able.reduce((a, b) => b.capacity - b.used > a.capacity - a.used ? b : a);
  const room = best.capacity - best.used;
  // One job is always allowed an idle node.
  if (room >= task_impact || able.some(({ used }) => used === 0)) return [];
  return [
    html`It takes ${task_impact} of capacity, and the most that is left is ${
      Math.max(0, room)
    }, on node ${best.hostname}`,
  ];
}
