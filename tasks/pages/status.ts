/**
 * Jobs in a word or a link: their status, their kind, where they are shown.
 *
 * @module
 */
import { ago, badge, duration, type Html, html, type Tone } from "edge-dispatcher/view";
import type { JobKind, JobStatus, LaunchType, TemplateKind } from "../jobs/model/unified_job.ts";

const TONE_OF: Readonly<Record<JobStatus, Tone>> = {
  pending: "off",
  waiting: "wait",
  running: "busy",
  successful: "good",
  failed: "bad",
  error: "bad",
  canceled: "warn",
};

export function toneOf(status: JobStatus): Tone {
  return TONE_OF[status];
}

export function statusBadge(status: JobStatus): Html {
  return badge(status, TONE_OF[status]);
}

const KIND_WORDS: Readonly<Record<JobKind, string>> = {
  job: "job",
  ad_hoc_command: "ad hoc command",
  project_update: "project update",
  inventory_update: "inventory update",
  system_job: "system job",
  workflow_job: "workflow",
};

/** A kind as people say it. */
export function kindWord(kind: JobKind): string {
  return KIND_WORDS[kind];
}

/** Without the base. */
export function jobPath({ id, kind }: { id: number; kind: JobKind }): string {
  return kind === "workflow_job" ? `/workflows/${id}` : `/jobs/${id}`;
}

type To = (path: string) => string;

export function jobLink(
  to: To,
  job: { id: number; kind: JobKind; name: string },
  text: string = job.name,
): Html {
  return html`<a href="${to(jobPath(job))}">${text}</a>`;
}

/** `#7 deploy`, with its status in front. */
export function jobMention(
  to: To,
  job: { id: number; kind: JobKind; name: string; status: JobStatus },
): Html {
  return html`${statusBadge(job.status)} ${jobLink(to, job, `#${job.id} ${job.name}`)}`;
}

/** How long it ran, or has run. */
export function elapsed(
  { status, started, elapsed }: { status: JobStatus; started: string | null; elapsed: number },
  now: string,
): Html | string {
  if (status === "running" && started !== null) return ago(started, now);
  return started === null ? html`<span class="dim">–</span>` : duration(elapsed);
}

const LAUNCHES: Readonly<Record<LaunchType, readonly [word: string, said: string]>> = {
  manual: ["manual", "launched by hand"],
  relaunch: ["relaunch", "launched again"],
  scheduled: ["schedule", "launched by a schedule"],
  dependent: ["dependency", "launched as a dependency"],
  workflow: ["workflow", "launched by its workflow"],
  callback: ["callback", "launched by a callback"],
};

export function launchWord(type: LaunchType): string {
  return LAUNCHES[type][0];
}

/** As part of a sentence. */
export function launchText(type: LaunchType): string {
  return LAUNCHES[type][1];
}

const TEMPLATE_WORDS: Readonly<Record<TemplateKind, string>> = {
  job_template: "template",
  project: "project",
  inventory_source: "source",
  workflow_template: "workflow",
  system: "system",
};

/** `project 3`. */
export function templateWord(kind: TemplateKind, id: number): string {
  return `${TEMPLATE_WORDS[kind]} ${id}`;
}
