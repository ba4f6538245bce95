/**
 * Where the nodes and edges of a workflow stand: in layers, by dagre. From left to right while that fits on a screen,
 * else from top to bottom, as pages scroll.
 *
 * @module
 */
import type { Edge, EdgeKind } from "../jobs/model/workflows.ts";

export const [NODE_WIDTH, NODE_HEIGHT] = [196, 66];
/** Around the text of an edge. */
const [LABEL_WIDTH, LABEL_HEIGHT] = [54, 18];
const MARGIN = 10;
/** What a page has room for beside its menu. */
const ROOM = 1_060;

export interface Point {
  x: number;
  y: number;
}

/** An edge as a line through points, with a place for its word. */
export interface PlacedEdge {
  key: string;
  kind: EdgeKind;
  points: Point[];
  label: Point;
}

/** A drawing: `places` are the middles of nodes by id. */
export interface Layout {
  width: number;
  height: number;
  places: ReadonlyMap<number, Point>;
  edges: PlacedEdge[];
}

interface Kept {
  key: string;
  layout: Layout;
}
/** The graph of a run does not change, and whoever watches it has it drawn twice a second. */
const kept = new Map<number, Kept>();
const MOST_KEPT = 50;

/** Lay out the graph of a workflow job. Edges to nodes that are not there are left out. */
export async function graphLayout(
  id: number,
  nodes: readonly number[],
  edges: readonly Edge[],
): Promise<Layout> {
  const key = JSON.stringify([nodes, edges]);
  const known = kept.get(id);
  if (known?.key === key) return known.layout;
  const layout = await layOut(nodes, edges);
  kept.delete(id);
  kept.set(id, { key, layout });
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value!);
  return layout;
}

async function layOut(nodes: readonly number[], edges: readonly Edge[]): Promise<Layout> {
  const dagre = await import("@dagrejs/dagre");
  const across = place(dagre, "LR", nodes, edges);
  if (across.width <= ROOM) return across;
  const down = place(dagre, "TB", nodes, edges);
  return down.width < across.width ? down : across;
}

function place(
  { Graph, layout }: typeof import("@dagrejs/dagre"),
  rankdir: "LR" | "TB",
  nodes: readonly number[],
  edges: readonly Edge[],
): Layout {
  const graph = new Graph();
  graph.setGraph({ rankdir, nodesep: 26, ranksep: 40, edgesep: 16, marginx: MARGIN, marginy: MARGIN });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const id of nodes) graph.setNode(`${id}`, { width: NODE_WIDTH, height: NODE_HEIGHT });
  const known = new Set(nodes);
  const drawn = edges.filter(({ parent_id, child_id }) => known.has(parent_id) && known.has(child_id));
  for (const { parent_id, child_id } of drawn) {
    graph.setEdge(`${parent_id}`, `${child_id}`, { width: LABEL_WIDTH, height: LABEL_HEIGHT, labelpos: "c" });
  }
  layout(graph);
  const { width = 0, height = 0 } = graph.graph();
  const places = nodes.map((id): [number, Point] => {
    const { x, y } = graph.node(`${id}`);
    return [id, { x: x!, y: y! }];
  });
  return {
    width: Math.max(width, 1),
    height: Math.max(height, 1),
    places: new Map(places),
    edges: drawn.map(({ parent_id, child_id, kind }) => {
      const { points = [], x, y } = graph.edge(`${parent_id}`, `${child_id}`);
      return { key: `${parent_id}-${child_id}`, kind, points, label: { x: x!, y: y! } };
    }),
  };
}

/** A smooth line through points, as the `d` of a path. */
export function pathOf(points: readonly Point[]): string {
  if (points.length < 2) return "";
  const at = ({ x, y }: Point) => `${x.toFixed(1)},${y.toFixed(1)}`;
  const between = (a: Point, b: Point) => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 });
  const parts = [`M${at(points[0])}`];
  for (let i = 1; i < points.length - 1; i++) {
    const end = i === points.length - 2 ? points[i + 1] : between(points[i], points[i + 1]);
    parts.push(`Q${at(points[i])} ${at(end)}`);
  }
  if (points.length === 2) parts.push(`L${at(points[1])}`);
  return parts.join(" ");
}
