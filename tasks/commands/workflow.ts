/**
 * `awx workflow …`. A workflow is written as a file; see `document/workflow.ts`.
 *
 * @module
 */
import { type Command, type Context, type IO, usage } from "edge-dispatcher/command";
import { deleteWorkflow } from "../jobs/model/deletion.ts";
import type { Db } from "../jobs/model/rows.ts";
import { byName, checked } from "../jobs/model/table.ts";
import { TEMPLATE_KINDS } from "../jobs/model/unified_job.ts";
import { createWorkflow, updateWorkflow, WORKFLOW_TEMPLATES } from "../jobs/model/workflow_templates.ts";
import { EDGE_KINDS, type WorkflowTemplate } from "../jobs/model/workflows.ts";
import { documentOf, type WorkflowDocument, workflowOf, workflowSchema } from "./document/workflow.ts";
import { readDocument } from "./files.ts";
import { launchNow } from "./job.ts";
import { COMMON, connected, nameOf, tell } from "./kit.ts";
import { deleteCommand, harmless, listCommand, type Resource } from "./resource.ts";
import { VARS_FLAG, varsOf } from "./vars.ts";
import { LAUNCH_FLAGS, launched, withinOf } from "./waiting.ts";

type Shown = WorkflowTemplate & { nodes: number };

const WORKFLOW: Resource<WorkflowTemplate, Shown> = {
  table: WORKFLOW_TEMPLATES,
  cells: [
    ["NAME", ({ name }) => name],
    ["NODES", ({ nodes }) => nodes, true],
    ["AT A TIME", ({ allow_simultaneous }) => allow_simultaneous ? "several" : "one"],
  ],
  fields: [],
  async view(db, rows) {
    const documents = await Promise.all(rows.map((row) => documentOf(db, row)));
    return rows.map((row, i) => ({ ...row, nodes: documents[i].nodes.length }));
  },
  remove: (db: Db, _publish, id) => deleteWorkflow(db, id),
};

export const workflowList: Command = listCommand(WORKFLOW, "List workflow templates");
export const workflowDelete: Command = deleteCommand(WORKFLOW);

export const workflowShow: Command = {
  summary: "Show a workflow template: its nodes and what follows on them",
  usage: "NAME",
  words: true,
  flags: COMMON,
  async run(context) {
    const name = nameOf(context, "show a workflow template");
    const { db } = await connected(context);
    const template = await byName(db, WORKFLOW_TEMPLATES, name);
    const document = await documentOf(db, template);
    if (context.flags.json) return context.io.out(JSON.stringify({ id: template.id, ...harmless(document) }));
    context.io.out(`${template.name} (${template.id})`);
    for (const node of document.nodes) writeNode(context.io, node);
  },
};

function writeNode(io: IO, node: WorkflowDocument["nodes"][number]): void {
  const kind = TEMPLATE_KINDS.find((kind) => node[kind] !== undefined)!;
  const limit = node.limit === undefined ? "" : `, limit ${node.limit}`;
  const converge = node.converge === "all" ? ", after all of its parents" : "";
  io.out(`  ${node.id}: ${kind} ${node[kind]}${limit}${converge}`);
  for (const edge of EDGE_KINDS) {
    if (node[edge]?.length) io.out(`    on ${edge}: ${node[edge].join(", ")}`);
  }
}

export const workflowCreate: Command = {
  summary: "Make a workflow template of a file, YAML or JSON; - is stdin",
  usage: "FILE",
  words: true,
  flags: COMMON,
  async run(context) {
    const document = await documentIn(context, "create a workflow template");
    const { client } = await connected(context);
    const template = await client.transaction(async (tx) => {
      const { own, graph } = await workflowOf(tx, document);
      return await createWorkflow(tx, own, graph);
    });
    tell(context, harmless(template), `${template.name} created`);
  },
};

export const workflowModify: Command = {
  summary: "Replace the workflow template that a file names with what the file says",
  usage: "FILE",
  words: true,
  flags: COMMON,
  async run(context) {
    const document = await documentIn(context, "change a workflow template");
    const { client } = await connected(context);
    const template = await client.transaction(async (tx) => {
      const { id } = await byName(tx, WORKFLOW_TEMPLATES, document.name);
      const { own, graph } = await workflowOf(tx, document);
      return await updateWorkflow(tx, id, own, graph);
    });
    tell(context, harmless(template), `${template.name} changed`);
  },
};

async function documentIn({ rest, io }: Context, what: string) {
  if (rest.length !== 1) throw usage(`Cannot ${what}: name the file that it is written in`);
  const found = await readDocument(io, rest[0]);
  return checked(workflowSchema, found, `read the workflow of "${rest[0]}"`);
}

export const workflowLaunch: Command = {
  summary: "Launch a workflow; prints the job's number",
  usage: "NAME [--wait]",
  words: true,
  flags: { ...VARS_FLAG, ...LAUNCH_FLAGS },
  async run(context) {
    const name = nameOf(context, "launch a workflow");
    withinOf(context);
    const extraVars = await varsOf(context.io, context.flags["extra-vars"]);
    const { client, db } = await connected(context);
    const { id } = await byName(db, WORKFLOW_TEMPLATES, name);
    const job = await launchNow(client, { kind: "workflow_template", id }, { extraVars });
    return await launched(context, db, job);
  },
};
