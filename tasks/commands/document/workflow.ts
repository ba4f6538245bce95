/**
 * Workflows as files: nodes by id, each with the template that it runs and the nodes that follow on each outcome.
 *
 * ```yaml
 * name: release
 * nodes:
 *   - id: update
 *     project: site
 *     success: [deploy]
 *   - id: deploy
 *     job_template: deploy
 *     failure: [roll back]
 * ```
 *
 * @module
 */
import { z } from "zod";
import { DispatcherError } from "edge-dispatcher";
import { nameOfTemplate, templateByName } from "../../jobs/model/names.ts";
import type { Db } from "../../jobs/model/rows.ts";
import { nameSchema } from "../../jobs/model/table.ts";
import { TEMPLATE_KINDS, type TemplateKind, variables } from "../../jobs/model/unified_job.ts";
import { type Graph, workflowTemplateGraph } from "../../jobs/model/workflow_templates.ts";
import { EDGE_KINDS, type WorkflowTemplate } from "../../jobs/model/workflows.ts";

const template = Object.fromEntries(TEMPLATE_KINDS.map((kind) => [kind, z.string().optional()])) as Record<
  TemplateKind,
  z.ZodOptional<z.ZodString>
>;
const followers = z.array(z.string()).default([]);

const nodeSchema = z.strictObject({
  id: z.string(),
  ...template,
  success: followers,
  failure: followers,
  always: followers,
  /** Whether one parent's outcome is enough, or all of them must have come. */
  converge: z.enum(["any", "all"]).default("any"),
  extra_vars: variables.optional(),
  limit: z.string().optional(),
}).refine((node) => TEMPLATE_KINDS.filter((kind) => node[kind] !== undefined).length === 1, {
  error: `a node runs one of ${TEMPLATE_KINDS.join(", ")}`,
});

/** The document. */
export const workflowSchema = z.strictObject({
  name: nameSchema,
  extra_vars: variables.optional(),
  allow_simultaneous: z.boolean().optional(),
  nodes: z.array(nodeSchema).min(1, "a workflow has a node at least"),
});
export type WorkflowDocument = z.input<typeof workflowSchema>;
type ReadDocument = z.output<typeof workflowSchema>;

/**
 * The template's own columns and its graph, with the ids of what is named.
 *
 * @throws {DispatcherError} `usage` for a template that is not there.
 */
export async function workflowOf(
  db: Db,
  { nodes, ...own }: ReadDocument,
): Promise<{ own: Omit<ReadDocument, "nodes">; graph: Graph }> {
  const graph: Graph = { nodes: [], edges: [] };
  for (const node of nodes) {
    const kind = TEMPLATE_KINDS.find((kind) => node[kind] !== undefined)!;
    graph.nodes.push({
      identifier: node.id,
      template_kind: kind,
      template_id: await idOf(
        db,
        kind,
        node[kind]!,
        `workflow ${JSON.stringify(own.name)}: node "${node.id}"`,
      ),
      all_parents_must_converge: node.converge === "all",
      extra_vars: node.extra_vars ?? {},
      host_limit: node.limit ?? "",
    });
    for (const kind of EDGE_KINDS) {
      for (const child of node[kind]) graph.edges.push({ parent: node.id, child, kind });
    }
  }
  return { own, graph };
}

/** What a document names is part of it: when it is not there the document is wrong. */
export async function idOf(db: Db, kind: TemplateKind, name: string, where: string): Promise<number> {
  try {
    return (await templateByName(db, kind, name)).id;
  } catch (error) {
    if ((error as DispatcherError).code !== "not_found") throw error;
    throw new DispatcherError("usage", `Cannot use ${where}: ${(error as Error).message}`, { cause: error });
  }
}

/** The document of a template, without what is as it would be anyway. */
export async function documentOf(db: Db, template: WorkflowTemplate): Promise<WorkflowDocument> {
  const { nodes, edges } = await workflowTemplateGraph(db, template.id);
  const identifiers = new Map(nodes.map(({ id, identifier }) => [id, identifier]));
  return {
    name: template.name,
    ...(Object.keys(template.extra_vars).length > 0 && { extra_vars: template.extra_vars }),
    ...(template.allow_simultaneous && { allow_simultaneous: true }),
    nodes: await Promise.all(nodes.map(async (node) => {
      const followers = EDGE_KINDS.map((kind) => {
        const children = edges.filter((edge) => edge.parent_id === node.id && edge.kind === kind);
        return [kind, children.map(({ child_id }) => identifiers.get(child_id)!)] as const;
      });
      return {
        id: node.identifier,
        [node.template_kind]: await nameOfTemplate(db, { kind: node.template_kind, id: node.template_id }),
        ...Object.fromEntries(followers.filter(([, children]) => children.length > 0)),
        ...(node.all_parents_must_converge && { converge: "all" as const }),
        ...(Object.keys(node.extra_vars).length > 0 && { extra_vars: node.extra_vars }),
        ...(node.host_limit !== "" && { limit: node.host_limit }),
      };
    })),
  };
}
