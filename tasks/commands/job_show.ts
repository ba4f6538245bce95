/**
 * `awx job list` and `awx job show`.
 *
 * @module
 */
import type { Command, Context } from "edge-dispatcher/command";
import { countJobEvents } from "../jobs/model/job_events.ts";
import { nameOfTemplate, templateByName } from "../jobs/model/names.ts";
import type { Db } from "../jobs/model/rows.ts";
import {
  JOB_KINDS,
  jobById,
  type JobFilter,
  listJobs,
  STATUSES,
  TEMPLATE_KINDS,
  type UnifiedJob,
} from "../jobs/model/unified_job.ts";
import { choiceOf, choicesOf } from "./fields.ts";
import {
  type Cells,
  COMMON,
  connected,
  isEmpty,
  jobIdOf,
  LIMIT,
  maxOf,
  moment,
  nameOf,
  writePairs,
  writeRows,
} from "./kit.ts";
import { harmless } from "./resource.ts";

const CELLS: Cells<UnifiedJob> = [
  ["ID", ({ id }) => id, true],
  ["STATUS", ({ status }) => status],
  ["KIND", ({ kind }) => kind],
  ["NAME", ({ name }) => name],
  ["NODE", ({ execution_node }) => execution_node],
  ["CREATED", ({ created }) => moment(created)],
  ["SECONDS", ({ started, elapsed }) => started === null ? "-" : elapsed.toFixed(1), true],
];

export const jobList: Command = {
  summary: "List jobs, the latest first",
  usage: "[--status S,…] [--kind K,…] [--template NAME] [--workflow ID]",
  flags: {
    status: { type: "string", value: "S,…", choices: STATUSES, help: STATUSES.join(", ") },
    kind: { type: "string", value: "K,…", choices: JOB_KINDS, help: JOB_KINDS.join(", ") },
    template: { type: "string", value: "NAME", help: "Of this template" },
    "template-kind": {
      type: "string",
      value: "K",
      choices: TEMPLATE_KINDS,
      help: "Of which kind the template is, by default job_template",
    },
    workflow: { type: "number", value: "ID", help: "Launched by this workflow job" },
    before: { type: "number", value: "ID", help: "Older than this one" },
    ...LIMIT,
    ...COMMON,
  },
  async run(context) {
    const { flags } = context;
    const filter: JobFilter = {
      status: choicesOf(flags.status, "status", STATUSES),
      kind: choicesOf(flags.kind, "kind", JOB_KINDS),
      before: flags.before as number,
      workflowJobId: flags.workflow as number,
      limit: maxOf(context),
    };
    const kind = choiceOf(flags["template-kind"], "template-kind", TEMPLATE_KINDS) ?? "job_template";
    const { db } = await connected(context);
    if (flags.template !== undefined) {
      filter.template = await templateByName(db, kind, flags.template as string);
    }
    writeRows(context, CELLS, (await listJobs(db, filter)).map(harmless));
  },
};

export const jobShow: Command = {
  summary: "Show all that is known of a job",
  usage: "ID",
  words: true,
  flags: COMMON,
  async run(context) {
    const id = jobIdOf(nameOf(context, "show a job"));
    const { db } = await connected(context);
    const job = harmless(await jobById(db, id));
    const events = await countJobEvents(db, id);
    if (context.flags.json) return context.io.out(JSON.stringify({ ...job, event_counts: countsOf(events) }));
    await writeJob(context, db, job, events);
  },
};

async function writeJob(
  { io }: Context,
  db: Db,
  job: UnifiedJob,
  events: Awaited<ReturnType<typeof countJobEvents>>,
): Promise<void> {
  const { template_kind: kind, template_id } = job;
  const template = kind !== null && template_id !== null
    ? `${kind} ${await nameOfTemplate(db, { kind, id: template_id })}`
    : undefined;
  io.out(`${job.id} ${job.status}`);
  writePairs(io, [
    ["name", job.name],
    ["kind", job.kind],
    ["template", template],
    [
      "launched",
      `${job.launch_type}${job.workflow_job_id === null ? "" : `, workflow job ${job.workflow_job_id}`}`,
    ],
    ["explanation", job.job_explanation],
    ["created", moment(job.created)],
    ["started", job.started && moment(job.started)],
    ["finished", job.finished && moment(job.finished)],
    ["elapsed", job.started && `${job.elapsed.toFixed(1)} s`],
    ["node", job.execution_node],
    ["envelope", job.task_uuid],
    ["exit code", job.exit_code],
    ["cancel", job.cancel_flag ? "asked for" : undefined],
    ["needs", job.depends_on.map((id) => `job ${id}`)],
    ["impact", job.task_impact],
    ["priority", job.priority],
    ["timeout", job.timeout === 0 ? undefined : `${job.timeout} s`],
    ["revision", job.scm_revision],
    [
      "spec",
      Object.fromEntries(Object.entries(job.spec).filter(([, value]) => value !== 0 && !isEmpty(value))),
    ],
    ["variables", job.extra_vars],
    ["artifacts", job.artifacts],
    ["hosts", job.host_status_counts],
    ["events", countsOf(events)],
  ]);
  if (job.kind !== "workflow_job") return;
  const inner = await listJobs(db, { workflowJobId: job.id, limit: 1_000 });
  for (const one of inner.reverse()) io.out(`  job ${one.id} ${one.status} ${one.name}`);
}

function countsOf(events: readonly { event: string; count: number }[]): Record<string, number> {
  return Object.fromEntries(events.map(({ event, count }) => [event, count]));
}
