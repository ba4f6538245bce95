/**
 * One job: where it is on its way and why it waits, what it was made of, its hosts, its output, its events.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import {
  ago,
  badge,
  type Drawn,
  duration,
  envelopeLink,
  exactTime,
  type Html,
  html,
  NONE,
  type Page,
  type PageContext,
  panel,
  plural,
  redactLine,
  type Section,
  stepLine,
  when,
} from "edge-dispatcher/view";
import type { Db } from "../jobs/model/rows.ts";
import { isFinal, jobById, type UnifiedJob } from "../jobs/model/unified_job.ts";
import { hostBar } from "./host_bar.ts";
import { jobActions } from "./job_actions.ts";
import { eventsFilter, eventsPanel, outputPanel } from "./job_output.ts";
import { envelopeOf, stepsOf, whyItWaits } from "./job_way.ts";
import { mentions } from "./jobs.ts";
import { type Labels, labelsOf, type Related, relatedJobs } from "./queries/job.ts";
import { readId, templateText } from "./search.ts";
import { elapsed, kindWord, launchText, statusBadge } from "./status.ts";
import { variablesPanel } from "./vars.ts";
import { workflowSections } from "./workflow.ts";

export const job: Page = { path: "/jobs/:id", draw };
/** A workflow is a job, with its graph in front. */
export const workflow: Page = { path: "/workflows/:id", draw };

async function draw(context: PageContext): Promise<Drawn> {
  const db = context.client.database();
  const id = readId(context.params.id);
  if (id === undefined) return lost(`"${context.params.id}" is no id of a job`);
  let found: UnifiedJob;
  try {
    found = await jobById(db, id);
  } catch (error) {
    if (error instanceof DispatcherError && error.code === "not_found") return lost(`There is no job ${id}`);
    throw error;
  }
  return await one(context, db, found);
}

function lost(message: string): Drawn {
  const body = html`
    <p class="flash bad">${message}</p>
    <p>Jobs are deleted by the system job <code>cleanup_jobs</code>.</p>
  `;
  return { title: "No such job", sections: [{ id: "none", body }], status: 404, still: true };
}

async function one(context: PageContext, db: Db, job: UnifiedJob): Promise<Drawn> {
  const isWorkflow = job.kind === "workflow_job";
  const [labels, related, envelope] = await Promise.all([
    labelsOf(db, job),
    relatedJobs(db, job),
    envelopeOf(context, job),
  ]);
  const sections: Section[] = [
    { id: "head", body: head(context, job, labels) },
    { id: "why", body: whyPanel(await whyItWaits(context, db, job, related, envelope)) },
    { id: "timeline", body: panel("Timeline", stepLine(stepsOf(job, envelope), context.now)) },
    ...isWorkflow ? await workflowSections(context, db, job) : [
      { id: "hosts", body: hostBar(job) },
      { id: "output", body: await outputPanel(context, db, job) },
    ],
    { id: "facts", body: facts(context, job, labels) },
    { id: "related", body: relations(context, related) },
    {
      id: "values",
      body: html`<div class="columns">${variablesPanel("Extra variables", job.extra_vars, "extra-vars")}${
        isWorkflow ? NONE : variablesPanel("Artifacts", job.artifacts, "artifacts")
      }</div>`,
    },
  ];
  if (isWorkflow) return { title: job.name, sections };
  sections.push({ id: "filter", body: eventsFilter(context, job) });
  sections.push({ id: "events", body: await eventsPanel(context, db, job, labels.set_aside) });
  return { title: job.name, sections };
}

function head(context: PageContext, job: UnifiedJob, { workflow }: Labels): Html {
  const { id, status, kind, launch_type, cancel_flag, created, started, execution_node, workflow_job_id } =
    job;
  const { to, now } = context;
  const took = when(
    started !== null,
    () => html`, ${status === "running" ? "runs for" : "took"} <span class="num">${elapsed(job, now)}</span>`,
  );
  const node = when(
    execution_node !== "",
    () => html`, on node <a href="${to("/instances")}"><b>${execution_node}</b></a>`,
  );
  const part = when(
    workflow_job_id,
    () =>
      html`, part of workflow <a href="${to(`/workflows/${workflow_job_id}`)}">#${workflow_job_id} ${
        workflow ?? ""
      }</a>`,
  );
  return html`
    <p
      class="head">${statusBadge(status)}${when(
        cancel_flag && !isFinal(status),
        () => badge("canceling", "warn"),
      )} <b>#${id}</b> <span>${kindWord(kind)}, ${launchText(launch_type)} <span class="num">${ago(
        created,
        now,
      )}</span> ago${node}${took}${part}</span></p>${when(
        context.mayAct,
        () => jobActions(context, job),
      )}
  `;
}

function whyPanel(why: readonly Html[]): Html {
  return when(why.length > 0, () => html`<ul class="why">${why.map((one) => html`<li>${one}</li>`)}</ul>`);
}

function facts({ to }: PageContext, job: UnifiedJob, labels: Labels): Html {
  const { spec, template_kind: kind, template_id, task_uuid } = job;
  const template = kind === null || template_id === null ? null : templateText({ kind, id: template_id });
  const forks = spec.forks === 0 ? "as ansible's own" : `${spec.forks}`;
  const list: [string, Html | string | null][] = [
    [
      "Template",
      template &&
      html`<a href="${to(`/jobs?q=${encodeURIComponent(`template:${template}`)}`)}">${
        labels.template ?? template
      }</a>`,
    ],
    ["Project", labels.project],
    [
      "Revision",
      job.scm_revision === "" ? null : html`<span class="mono">${job.scm_revision.slice(0, 12)}</span>`,
    ],
    ["Inventory", labels.inventory],
    ["Playbook", spec.playbook || null],
    ["Command", spec.command?.length ? html`<code>${redactLine(spec.command.join(" "))}</code>` : null],
    [
      "Module",
      spec.module
        ? html`<code>${redactLine(`${spec.module} ${spec.module_args ?? ""}`.trim())}</code>`
        : null,
    ],
    ["System job", spec.system ?? null],
    ["Limit", spec.host_limit || null],
    ["Tags", spec.job_tags || null],
    ["Skip tags", spec.skip_tags || null],
    ["Forks", job.kind === "job" || job.kind === "ad_hoc_command" ? forks : null],
    ["Credentials", labels.credentials.length === 0 ? null : labels.credentials.join(", ")],
    ["Capacity it takes", job.kind === "workflow_job" ? null : `${job.task_impact}`],
    ["Instance group", labels.instance_group],
    ["Priority", job.priority === 0 ? null : `${job.priority}`],
    ["Timeout", job.timeout === 0 ? null : duration(job.timeout)],
    ["Exit code", job.exit_code === null ? null : `${job.exit_code}`],
    ["Events", job.emitted_events === 0 ? null : plural(job.emitted_events, "event")],
    ["Envelope", task_uuid && envelopeLink(to, task_uuid)],
    ["Created", exactTime(job.created)],
  ];
  const shown = list.filter(([, value]) => value !== null);
  return panel(
    "Facts",
    html`<dl class="facts">${
      shown.map(([name, value]) =>
        html`
          <div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>
        `
      )
    }</dl>`,
  );
}

function relations(context: PageContext, related: Related[]): Html {
  const of = (relation: Related["relation"]) => related.filter((one) => one.relation === relation);
  const list = (title: string, some: Related[]) =>
    when(some.length > 0, () => panel(title, mentions(context, some)));
  const [needs, neededBy] = [of("dependency"), of("dependent")];
  if (needs.length + neededBy.length === 0) return NONE;
  return html`<div class="columns">${list("Depends on", needs)}${list("Needed by", neededBy)}</div>`;
}
