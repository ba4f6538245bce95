/**
 * The screen of `top`: from what is known to lines that fit. Pure.
 *
 * @module
 */
import type { Client } from "../../runtime/client.ts";
import type { NodeStatus, SlotStatus } from "../../runtime/control/node_status.ts";
import { callText } from "../../runtime/redact.ts";
import { rateText } from "../commands/queue.ts";
import { harmless } from "../io.ts";
import { ago, oneLine } from "../table.ts";

type NodeRow = Awaited<ReturnType<Client["nodes"]>>[number];
type QueueRow = Awaited<ReturnType<Client["queues"]>>[number];

/** What one look has found. */
export interface Look {
  at: Date;
  nodes: NodeRow[];
  /** The answers, by node. */
  answers: Map<string, NodeStatus>;
  queues: QueueRow[];
  rates: Map<string, number>;
  /** Why the look failed; the rest is of the one before. */
  fault: string | null;
}

/** How it is looked at. */
export interface View {
  columns: number;
  rows: number;
  paused: boolean;
  /** Lines of what runs that are above the screen. */
  scroll: number;
}

const HELP = "q quit   p pause   ↑ ↓ scroll";
/** Lines that nodes and queues have at most, each. */
const MOST = 12;
const NARROW = 90;
const NARROW_TASK = 28;

/** The lines, no more than there is room for; `scroll` is how far it could be scrolled. */
export function topScreen(look: Look, view: View): { lines: string[]; scroll: number } {
  const head = headOf(look, view);
  const above = [
    head,
    look.fault ? `! ${look.fault}` : "",
    ...table(
      ["NODE", "STATE", "SLOTS", "", "RSS", "SEEN", ""],
      look.nodes.map((node) => nodeCells(node, look)),
    ),
    "",
    ...table(
      ["QUEUE", "AVAILABLE", "RUNNING", "SCHEDULED", "RETRYABLE", "OLDEST", "RATE", ""],
      look.queues.map((queue) => queueCells(queue, look.rates)),
    ),
    "",
  ];
  const running = runningOf(look);
  // Where little fits, the task goes before the id that a person can look up elsewhere.
  const narrow = view.columns < NARROW;
  const [title, ...rows] = table(
    narrow ? ["SECONDS", "NODE", "TASK", "UUID"] : ["SECONDS", "NODE", "WORKER", "UUID", "TASK"],
    running.map(([seconds, node, worker, uuid, task]) =>
      narrow ? [seconds, node, task.slice(0, NARROW_TASK), uuid] : [seconds, node, worker, uuid, task]
    ),
    Infinity,
  );
  const room = Math.max(0, view.rows - above.length - 2);
  const most = Math.max(0, rows.length - room);
  const scroll = Math.min(Math.max(0, view.scroll), most);
  const lines = [...above, title, ...rows.slice(scroll, scroll + room)].slice(0, view.rows - 1);
  while (lines.length < view.rows - 1) lines.push("");
  const place = most === 0
    ? ""
    : `   ${scroll + 1} to ${Math.min(rows.length, scroll + room)} of ${rows.length}`;
  return { lines: [...lines, `${HELP}${place}`].map((line) => fit(line, view.columns)), scroll };
}

function fit(line: string, columns: number): string {
  return harmless(oneLine(line)).slice(0, columns).trimEnd();
}

function headOf({ at, nodes, answers, queues }: Look, { paused }: View): string {
  const live = nodes.filter(({ alive }) => alive).length;
  const sum = (key: "available" | "running") => queues.reduce((total, queue) => total + queue[key], 0);
  const busy = [...answers.values()].flatMap(({ workers }) => workers).filter((one) =>
    one.running.length > 0
  );
  const mark = paused ? "  [PAUSED]" : "";
  return `edge-dispatcher  ${at.toISOString().slice(11, 19)}  ${live} of ${nodes.length} nodes  ` +
    `${busy.length} workers busy  ${sum("available")} waiting  ${sum("running")} running${mark}`;
}

function nodeCells(node: NodeRow, { answers, at }: Look): string[] {
  const answer = answers.get(node.name);
  const state = !node.alive
    ? node.state === "stopped" ? "stopped" : "LOST"
    : !answer
    ? "NO ANSWER"
    : answer.connection === "connected"
    ? answer.state
    : answer.connection.toUpperCase();
  const rss = answer?.rss ?? node.rss;
  return [
    node.name,
    state,
    node.alive ? `${answer?.total ?? node.slots} (${node.min}-${node.max})` : "-",
    answer ? answer.workers.map(slotMark).join("") : "",
    !node.alive || rss === null ? "-" : `${Math.round(rss / 1_000_000)} MB`,
    `${ago((at.getTime() - Date.parse(node.last_seen)) / 1000)} ago`,
    node.leader ? "leader" : "",
  ];
}

function slotMark({ state, running }: SlotStatus): string {
  return state !== "ready" ? "~" : running.length > 0 ? "#" : ".";
}

function queueCells(q: QueueRow, rates: Map<string, number>): string[] {
  const oldest = q.oldest_seconds === null ? "-" : ago(q.oldest_seconds);
  const counts = [q.available, q.running, q.scheduled, q.retryable].map(String);
  return [q.queue, ...counts, oldest, rateText(rates.get(q.queue) ?? 0), q.paused ? "paused" : ""];
}

function runningOf({ answers }: Look): string[][] {
  const all = [...answers.values()].flatMap(({ node_id, workers }) =>
    workers.flatMap(({ host_pid, tid, running }) =>
      running.map((one) => ({ ...one, node: node_id, worker: `${host_pid}.${tid}` }))
    )
  );
  // What runs longest stands first, and stays there.
  all.sort((a, b) => (b.seconds ?? 0) - (a.seconds ?? 0) || (a.uuid < b.uuid ? -1 : 1));
  return all.map(({ seconds, node, worker, uuid, task, args }) => [
    (seconds ?? 0).toFixed(1),
    node,
    worker,
    uuid,
    callText(task, args),
  ]);
}

const RIGHT = new Set(["AVAILABLE", "RUNNING", "SCHEDULED", "RETRYABLE", "OLDEST", "RATE", "RSS", "SECONDS"]);

function table(titles: string[], rows: string[][], most: number = MOST): string[] {
  const shown = rows.slice(0, most);
  const widths = titles.map((title, i) => Math.max(title.length, ...shown.map((row) => row[i].length)));
  const line = (cells: string[]) =>
    cells.map((cell, i) => RIGHT.has(titles[i]) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])).join(
      "  ",
    )
      .trimEnd();
  const more = rows.length > shown.length ? [`… and ${rows.length - shown.length} more`] : [];
  return [line(titles), ...shown.map(line), ...more];
}
