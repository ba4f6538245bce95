/**
 * What is told of a job: facts for programs, a subject and a text for people.
 *
 * @module
 */
import type { NotificationEvent } from "../jobs/model/notify.ts";
import type { UnifiedJob } from "../jobs/model/unified_job.ts";

/** Facts of a job, as a webhook gets them. */
export interface Facts {
  event: NotificationEvent;
  id: number;
  name: string;
  kind: string;
  status: string;
  launch_type: string;
  /** Its page; empty where AWX_BASE_URL does not say where that is. */
  url: string;
  explanation: string;
  created: string;
  started: string | null;
  finished: string | null;
  /** Seconds. */
  elapsed: number;
  execution_node: string;
  workflow_job_id: number | null;
  host_status_counts: Record<string, number> | null;
}

/** A message in every form that a channel may want. */
export interface Message {
  facts: Facts;
  subject: string;
  text: string;
}

/** What the notification is of. */
export interface Told {
  job: UnifiedJob;
  event: NotificationEvent;
  /** Where the dashboard is, such as `https://dispatcher.example.com`. */
  baseUrl?: string;
}

/** Put it together. */
export function messageOf({ job, event, baseUrl }: Told): Message {
  // What is told of a start stays true when the job has ended before it is sent.
  const status = event === "started" ? "running" : job.status;
  const facts: Facts = {
    event,
    id: job.id,
    name: job.name,
    kind: job.kind,
    status,
    launch_type: job.launch_type,
    url: baseUrl ? `${baseUrl.replace(/\/+$/, "")}/jobs/${job.id}` : "",
    explanation: job.job_explanation,
    created: job.created,
    started: job.started,
    finished: event === "started" ? null : job.finished,
    elapsed: event === "started" ? 0 : job.elapsed,
    execution_node: job.execution_node,
    workflow_job_id: job.workflow_job_id,
    host_status_counts: event === "started" ? null : job.host_status_counts,
  };
  const name = job.name.replace(/\s+/g, " ");
  return { facts, subject: `${KINDS[job.kind]} ${job.id} "${name}": ${status}`, text: textOf(facts) };
}

const KINDS: Readonly<Record<UnifiedJob["kind"], string>> = {
  job: "Job",
  ad_hoc_command: "Ad hoc command",
  project_update: "Project update",
  inventory_update: "Inventory update",
  system_job: "System job",
  workflow_job: "Workflow job",
};

function textOf(facts: Facts): string {
  const { explanation, started, finished, elapsed, execution_node, host_status_counts, url } = facts;
  const hosts = Object.entries(host_status_counts ?? {}).filter(([, count]) => count > 0);
  const lines: [string, string | null][] = [
    ["Name", facts.name],
    ["Status", facts.status],
    ["Launched", facts.launch_type],
    ["Why", explanation],
    ["Started", started],
    ["Finished", finished],
    ["Took", finished === null ? null : `${elapsed.toFixed(1)} s`],
    ["Node", execution_node],
    ["Hosts", hosts.map(([status, count]) => `${status} ${count}`).join(", ")],
    ["Page", url],
  ];
  return lines.filter(([, value]) => value).map(([label, value]) => `${label}: ${value}`).join("\n");
}
