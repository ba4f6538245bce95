/**
 * The graph of a workflow as a drawing: a box a node, in the colour of its status and with its word; edges are told apart
 * by dash, colour and word. Every box leads to its job.
 *
 * @module
 */
import { duration, type Html, html, secondsBetween } from "edge-dispatcher/view";
import type { EdgeKind } from "../jobs/model/workflows.ts";
import { type Layout, NODE_HEIGHT, NODE_WIDTH, pathOf, type PlacedEdge, type Point } from "./graph_layout.ts";
import type { NodeLine } from "./queries/workflows.ts";
import { jobPath, kindWord, toneOf } from "./status.ts";

/** About what fits into a box. */
const [NAME_CHARS, SMALL_CHARS] = [24, 28];
const EDGE_KINDS: readonly EdgeKind[] = ["success", "failure", "always"];

/** A node's state in a word and a colour: that of its job, or why it has none. */
export function nodeState(
  { status, do_not_run, cancel_flag }: NodeLine,
  over: boolean,
): { word: string; tone: string } {
  if (status === null) {
    return do_not_run || over ? { word: "not run", tone: "none" } : { word: "not started", tone: "next" };
  }
  if (cancel_flag && (status === "waiting" || status === "running")) {
    return { word: "canceling", tone: "warn" };
  }
  return { word: status, tone: toneOf(status) };
}

/** What a node runs. */
export function nodeRuns({ kind, node_template_kind, template_name, name }: NodeLine): string {
  const KINDS: Readonly<Record<string, string>> = {
    job_template: "job",
    project: "project update",
    inventory_source: "inventory update",
    workflow_template: "workflow",
    system: "system job",
  };
  const word = kind === null ? KINDS[node_template_kind] ?? node_template_kind : kindWord(kind);
  const what = name ?? template_name;
  return what === null ? word : `${word}: ${what}`;
}

/** The drawing. */
export function graphSvg(
  to: (path: string) => string,
  { nodes, layout, over, label, now }: {
    nodes: readonly NodeLine[];
    layout: Layout;
    /** Whether the workflow has ended. */
    over: boolean;
    label: string;
    now: string;
  },
): Html {
  const { width, height, places, edges } = layout;
  const [w, h] = [Math.ceil(width), Math.ceil(height)];
  return html`
    <div class="scroll graph" tabindex="0" role="region" aria-label="${label}">
      <svg viewBox="0 0 ${w} ${h}" width="${w}" height="${h}" role="group"
        aria-label="${label}">
    <defs>${EDGE_KINDS.map((kind) =>
      html`
        <marker id="arrow-${kind}" class="${kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8"
          markerHeight="8" orient="auto">
          <path d="M0,0.8 L7.5,4 L0,7.2 z" />
        </marker>
      `
    )}</defs>
    ${edges.map(edgeLine)}${edges.map(edgeWord)}${nodes.map((node) =>
      box(to, node, places.get(node.node_id)!, over, now)
    )}</svg>
    </div>
  `;
}

function edgeLine({ key, kind, points }: PlacedEdge): Html {
  return html`
    <path data-key="l-${key}" class="edge ${kind}" d="${pathOf(points)}"
      marker-end="url(#arrow-${kind})" />
  `;
}

function edgeWord({ key, kind, label: { x, y } }: PlacedEdge): Html {
  return html`<text data-key="w-${key}" class="word ${kind}" x="${x.toFixed(1)}" y="${
    (y + 4).toFixed(1)
  }">${kind}</text>`;
}

function box(
  to: (path: string) => string,
  node: NodeLine,
  { x, y }: Point,
  over: boolean,
  now: string,
): Html {
  const { word, tone } = nodeState(node, over);
  const left = x - NODE_WIDTH / 2;
  const top = y - NODE_HEIGHT / 2;
  const text = (look: string, dx: number, dy: number, said: string) =>
    html`<text class="${look}" x="${(left + dx).toFixed(1)}" y="${(top + dy).toFixed(1)}">${said}</text>`;
  const join = node.all_parents_must_converge ? ", needs all" : "";
  const body = html`<title>${node.identifier}: ${word}. ${nodeRuns(node)}</title>
<rect class="box" x="${left.toFixed(1)}" y="${
    top.toFixed(1)
  }" width="${NODE_WIDTH}" height="${NODE_HEIGHT}" rx="8" />
<rect class="edge-of" x="${(left + 0.75).toFixed(1)}" y="${(top + 8).toFixed(1)}" width="4" height="${
    NODE_HEIGHT - 16
  }" rx="2" />
${text("name", 14, 22, cut(node.identifier, NAME_CHARS))}${
    text("small", 14, 39, cut(nodeRuns(node), SMALL_CHARS))
  }${text("state", 14, 56, `${word}${join}`)}${took(node, left + NODE_WIDTH - 10, top + 56, now)}`;
  const key = `n-${node.node_id}`;
  if (node.id === null) return html`<g data-key="${key}" class="node-box ${tone}">${body}</g>`;
  const href = to(jobPath({ id: node.id, kind: node.kind! }));
  return html`<a data-key="${key}" class="node-box ${tone}" href="${href}">${body}</a>`;
}

function took({ status, started, elapsed }: NodeLine, x: number, y: number, now: string): Html {
  if (status === null || !started) return html``;
  const seconds = status === "running" ? Math.floor(secondsBetween(started, now)) : elapsed!;
  return html`<text class="took" x="${x.toFixed(1)}" y="${y.toFixed(1)}">${duration(seconds)}</text>`;
}

function cut(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, chars - 1)}…`;
}

/** What the lines mean. */
export function legend(): Html {
  return html`<p class="legend">${
    EDGE_KINDS.map((kind) =>
      html`<span><svg class="sample" viewBox="0 0 34 8" width="34" height="8" aria-hidden="true"><path class="edge ${kind}" d="M1,4 L33,4" /></svg> ${kind}</span>`
    )
  }</p>`;
}
