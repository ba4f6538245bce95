/**
 * Workflow templates as they are made and changed: the whole graph at once, since only the whole can be checked.
 *
 * @module
 */
import { DispatcherError } from "edge-dispatcher";
import { z } from "zod";
import { drawn, findCycle } from "./cycles.ts";
import { type Db, json, row, rows } from "./rows.ts";
import { byId, checked, create, idSchema, locked, nameSchema, quoted, type Table, update } from "./table.ts";
import { mustBeThere } from "./there.ts";
import { TEMPLATE_KINDS, variables } from "./unified_job.ts";
import {
  EDGE_KINDS,
  edgeSchema,
  type WorkflowNode,
  workflowNodeSchema,
  type WorkflowTemplate,
  workflowTemplateSchema,
} from "./workflows.ts";

/** Their own columns; see `table.ts`. */
export const WORKFLOW_TEMPLATES: Table<WorkflowTemplate> = {
  kind: "workflow_template",
  noun: "workflow template",
  row: workflowTemplateSchema,
  input: z.strictObject({
    name: nameSchema,
    extra_vars: variables.optional(),
    allow_simultaneous: z.boolean().optional(),
  }),
};

const identifier = z.string().regex(/^[\w.-]{1,128}$/, "an identifier has letters, digits, _ . - only");

/** A graph by identifiers. */
export const graphSchema = z.strictObject({
  nodes: z.array(z.strictObject({
    identifier,
    template_kind: z.enum(TEMPLATE_KINDS),
    template_id: idSchema,
    /** Whether it waits for all of its parents' outcomes, not for one. */
    all_parents_must_converge: z.boolean().default(false),
    extra_vars: variables.default({}),
    host_limit: z.string().max(65_536).default(""),
  })).min(1, "a workflow has a node at least").max(10_000),
  edges: z.array(z.strictObject({ parent: identifier, child: identifier, kind: z.enum(EDGE_KINDS) })).default(
    [],
  ),
});
export type Graph = z.output<typeof graphSchema>;

/** A graph as it may be given. */
export type GraphInput = z.input<typeof graphSchema>;

/**
 * Make a workflow template. Call it in a transaction.
 *
 * @throws {DispatcherError} `usage`; `refused` for a cycle, which is named, and for a workflow that would run itself.
 */
export async function createWorkflow(db: Db, own: unknown, graph: unknown): Promise<WorkflowTemplate> {
  const template = await create(db, WORKFLOW_TEMPLATES, own);
  await writeGraph(db, template, graph, `create workflow template ${quoted(template.name)}`);
  return template;
}

/** Change a workflow template, and its graph where one is given. Call it in a transaction. */
export async function updateWorkflow(
  db: Db,
  id: number,
  patch: unknown,
  graph?: unknown,
): Promise<WorkflowTemplate> {
  await locked(db, WORKFLOW_TEMPLATES, id);
  const template = await update(db, WORKFLOW_TEMPLATES, id, patch);
  if (graph !== undefined) {
    await writeGraph(db, template, graph, `update workflow template ${quoted(template.name)}`);
  }
  return template;
}

/** A template's nodes and edges. @throws {DispatcherError} `not_found`. */
export async function workflowTemplateGraph(
  db: Db,
  id: number,
): Promise<{ nodes: WorkflowNode[]; edges: z.infer<typeof edgeSchema>[] }> {
  await byId(db, WORKFLOW_TEMPLATES, id);
  const nodes = await rows(
    db,
    workflowNodeSchema,
    "select * from awx.workflow_node where workflow_template_id = $1::bigint order by id",
    [id],
  );
  const edges = await rows(
    db,
    edgeSchema,
    `select e.* from awx.workflow_edge e join awx.workflow_node n on n.id = e.parent_id
     where n.workflow_template_id = $1::bigint order by e.parent_id, e.child_id`,
    [id],
  );
  return { nodes, edges };
}

/** Two graphs written at once might nest in one another. */
const ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtext('awx.workflow_node'))";

async function writeGraph(
  db: Db,
  template: WorkflowTemplate,
  given: unknown,
  what: string,
): Promise<void> {
  const graph = checked(graphSchema, given, what);
  checkGraph(graph, what);
  await db.unsafe(ONE_AT_A_TIME);
  for (const { template_kind: kind, template_id: id, identifier } of graph.nodes) {
    await mustBeThere(db, { kind, id }, `${what}: node "${identifier}"`);
  }
  await db.unsafe("delete from awx.workflow_node where workflow_template_id = $1::bigint", [
    template.id,
  ] as never[]);
  await db.unsafe(
    `insert into awx.workflow_node (workflow_template_id, identifier, template_kind, template_id,
       all_parents_must_converge, extra_vars, host_limit)
     select $1::bigint, identifier, template_kind, template_id, all_parents_must_converge, extra_vars, host_limit
     from jsonb_populate_recordset(null::awx.workflow_node, $2::text::jsonb)`,
    [template.id, json(graph.nodes)] as never[],
  );
  await db.unsafe(
    `insert into awx.workflow_edge (parent_id, child_id, kind)
     select p.id, c.id, e.kind from jsonb_to_recordset($2::text::jsonb) e (parent text, child text, kind text)
     join awx.workflow_node p on p.workflow_template_id = $1::bigint and p.identifier = e.parent
     join awx.workflow_node c on c.workflow_template_id = $1::bigint and c.identifier = e.child`,
    [template.id, json(graph.edges)] as never[],
  );
  await refuseNesting(db, template, what);
}

/**
 * Identifiers once, edges between nodes, no cycle.
 *
 * @throws {DispatcherError} `usage`, `refused`.
 */
export function checkGraph({ nodes, edges }: Graph, what: string): void {
  const known = new Set<string>();
  for (const { identifier } of nodes) {
    if (known.has(identifier)) {
      throw new DispatcherError("usage", `Cannot ${what}: two nodes are "${identifier}"`);
    }
    known.add(identifier);
  }
  const pairs = new Set<string>();
  for (const { parent, child } of edges) {
    const missing = [parent, child].find((end) => !known.has(end));
    if (missing !== undefined) {
      throw new DispatcherError(
        "usage",
        `Cannot ${what}: the edge from "${parent}" to "${child}" needs a node "${missing}"`,
      );
    }
    if (pairs.has(`${parent} ${child}`)) {
      throw new DispatcherError(
        "usage",
        `Cannot ${what}: there are two edges from "${parent}" to "${child}"`,
      );
    }
    pairs.add(`${parent} ${child}`);
  }
  const cycle = findCycle(edges.map(({ parent, child }) => [parent, child] as const));
  if (cycle) throw new DispatcherError("refused", `Cannot ${what}: ${drawn(cycle)} is a cycle`);
}

const nestingSchema = z.object({ outer: z.int(), inner: z.int() });

/** A workflow that reaches itself through others would never end. */
async function refuseNesting(db: Db, template: WorkflowTemplate, what: string): Promise<void> {
  const nested = await rows(
    db,
    nestingSchema,
    `with recursive inside (outer_id, inner_id) as (
       select workflow_template_id, template_id from awx.workflow_node
       where template_kind = 'workflow_template' and workflow_template_id = $1::bigint
       union
       select n.workflow_template_id, n.template_id from awx.workflow_node n
       join inside i on i.inner_id = n.workflow_template_id where n.template_kind = 'workflow_template'
     ) select outer_id "outer", inner_id "inner" from inside`,
    [template.id],
  );
  const cycle = findCycle(nested.map(({ outer, inner }) => [outer, inner] as const));
  if (!cycle) return;
  const names = await Promise.all(cycle.map((id) => nameOf(db, id)));
  throw new DispatcherError("refused", `Cannot ${what}: it would run itself, ${drawn(names)}`);
}

async function nameOf(db: Db, id: number): Promise<string> {
  const text = "select * from awx.workflow_template where id = $1::bigint";
  return (await row(db, workflowTemplateSchema, text, [id]))?.name ?? `${id}`;
}
