/**
 * What the page of a run of a workflow has besides that of a job: its graph, live, and the same as a list.
 *
 * @module
 */
import {
  ago,
  badge,
  type Column,
  type Html,
  html,
  type PageContext,
  panel,
  type Section,
  table,
  type Tone,
  when,
} from "edge-dispatcher/view";
import { isFinal, type UnifiedJob } from "../jobs/model/unified_job.ts";
import type { Db } from "../jobs/model/rows.ts";
import { type Edge, workflowGraph } from "../jobs/model/workflows.ts";
import { graphSvg, legend, nodeRuns, nodeState } from "./graph.ts";
import { graphLayout } from "./graph_layout.ts";
import { type NodeLine, workflowNodes } from "./queries/workflows.ts";
import { elapsed, jobLink } from "./status.ts";

/** More of them are a list only: nobody reads such a drawing. */
const MOST_DRAWN = 300;

/** The sections of a workflow. */
export async function workflowSections(context: PageContext, db: Db, job: UnifiedJob): Promise<Section[]> {
  const [nodes, { edges }] = await Promise.all([workflowNodes(db, job.id), workflowGraph(db, job.id)]);
  const over = isFinal(job.status);
  return [
    { id: "graph", body: await graph(context, job, nodes, edges, over) },
    { id: "nodes", body: panel("Nodes", nodeTable(context, nodes, edges, over)) },
  ];
}

async function graph(
  { to, now }: PageContext,
  job: UnifiedJob,
  nodes: NodeLine[],
  edges: Edge[],
  over: boolean,
): Promise<Html> {
  if (nodes.length === 0) return panel("Graph", html`<p class="empty">It has no nodes.</p>`);
  if (nodes.length > MOST_DRAWN) {
    return panel(
      "Graph",
      html`<p class="empty">More than ${MOST_DRAWN} nodes are not drawn: they are listed.</p>`,
    );
  }
  const layout = await graphLayout(job.id, nodes.map(({ node_id }) => node_id), edges);
  return panel("Graph", graphSvg(to, { nodes, layout, over, label: `Graph of ${job.name}`, now }), legend());
}

function nodeTable({ to, now }: PageContext, nodes: NodeLine[], edges: Edge[], over: boolean): Html {
  const names = new Map(nodes.map(({ node_id, identifier }) => [node_id, identifier]));
  const columns: Column<NodeLine>[] = [
    {
      title: "Status",
      cell: (node) => {
        const { word, tone } = nodeState(node, over);
        return badge(word, tone === "none" || tone === "next" ? "off" : tone as Tone);
      },
    },
    {
      title: "Node",
      cell: ({ id, kind, identifier, name, job_explanation: why }) =>
        html`${
          id === null ? html`<b>${identifier}</b>` : jobLink(to, { id, kind: kind!, name: name! }, identifier)
        }${when(why, () => html`<span class="explains">${why}</span>`)}`,
    },
    { title: "Runs", wide: true, cell: (node) => nodeRuns(node) },
    {
      title: "After",
      cell: ({ node_id, all_parents_must_converge: all }) => after(node_id, edges, names, all),
    },
    {
      title: "On",
      wide: true,
      cell: ({ execution_node }) => execution_node || html`<span class="dim">–</span>`,
    },
    { title: "Started", right: true, wide: true, cell: ({ started }) => ago(started ?? null, now) },
    {
      title: "Took",
      right: true,
      cell: ({ status, started, elapsed: seconds }) =>
        status === null
          ? html`<span class="dim">–</span>`
          : elapsed({ status, started: started ?? null, elapsed: seconds! }, now),
    },
  ];
  return table({
    caption: "Nodes",
    columns,
    rows: nodes,
    key: ({ node_id }) => `w-${node_id}`,
    empty: "It has no nodes.",
  });
}

/** `success of build, failure of test`. */
function after(id: number, edges: Edge[], names: ReadonlyMap<number, string>, all: boolean): Html | string {
  const parents = edges.filter(({ child_id }) => child_id === id);
  if (parents.length === 0) return html`<span class="dim">the start</span>`;
  const said = parents.map(({ parent_id, kind }) => {
    const name = names.get(parent_id) ?? `${parent_id}`;
    return kind === "always" ? `the end of ${name}` : `${kind} of ${name}`;
  });
  return `${all && said.length > 1 ? "all of: " : ""}${said.join(all ? ", " : " or ")}`;
}
