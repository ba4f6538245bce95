import type { Shown } from "../../runtime/control/attempts.ts";
import type { NodeStatus, SlotStatus } from "../../runtime/control/node_status.ts";
import { BROADCAST_QUEUE } from "../../runtime/envelope.ts";
import { DispatcherError, EXIT } from "../../runtime/errors.ts";
import { callText } from "../../runtime/redact.ts";
import { type Command, NODE_FLAGS } from "../command.ts";
import { askNodes, type NodeRow } from "../nodes.ts";
import { megabytes } from "../table.ts";

/** The status screen: one block a node. */
export const status: Command = {
  summary: "Show nodes, their workers and what runs",
  usage: "[--node N] [--json]",
  flags: NODE_FLAGS,
  async run(context) {
    const { io, flags } = context;
    const { replies, silent } = await askNodes(context, "node_status");
    const nodes = (replies as unknown as NodeStatus[]).sort((a, b) => a.node_id < b.node_id ? -1 : 1);
    for (const node of nodes) {
      if (flags.json) io.out(JSON.stringify({ ...node, answered: true }));
      else for (const line of nodeBlock(node)) io.out(line);
    }
    for (const row of silent) {
      io.out(flags.json ? JSON.stringify(silentStatus(row)) : silentLine(row));
      if (flags.json) io.err(`Node "${row.name}" did not answer`);
    }
    if (nodes.length === 0) throw new DispatcherError("unavailable", "No node answered");
    return silent.length > 0 ? EXIT.partial : EXIT.ok;
  },
};

/** The block of a node: its head, its workers, what runs and waits. */
export function nodeBlock(node: NodeStatus): string[] {
  const { node_id, pid, total, min, max, rss } = node;
  return [
    `${node_id}[pid:${pid}] workers total=${total} min=${min} max=${max} rss=${megabytes(rss)}${
      node.connection === "connected" ? "" : ` [${node.connection.toUpperCase()}]`
    }`,
    ...node.workers.flatMap(workerLines),
    ...node.queued.map((waiting) => `     - queued ${waiting.uuid} ${callText(waiting.task, waiting.args)}`),
  ];
}

/** What its last heartbeat told of a node that lives and does not answer. */
function silentStatus(row: NodeRow): Record<string, unknown> {
  const { name, pid, runtime, version, state, leader, listener, slots, min, max, rss, last_seen } = row;
  const head = { node_id: name, pid, runtime, version, state, leader, connection: listener };
  const queues = [...row.queues, BROADCAST_QUEUE];
  return { ...head, queues, total: slots, min, max, rss, last_seen, answered: false };
}

function silentLine({ name, pid, slots, min, max, rss, listener }: NodeRow): string {
  const memory = rss === null ? "" : ` rss=${megabytes(rss)}`;
  const mark = listener === "isolated" ? "ISOLATED" : "NO ANSWER";
  return `${name}[pid:${pid}] workers total=${slots} min=${min} max=${max}${memory} [${mark}]`;
}

function workerLines({ tid, sent, finished, qsize, heap, state, running }: SlotStatus): string[] {
  const mark = state !== "ready" ? ` [${state.toUpperCase()}]` : running.length === 0 ? " [IDLE]" : "";
  return [
    `.  worker[tid:${tid}] sent=${sent} finished=${finished} qsize=${qsize} heap=${megabytes(heap)}${mark}`,
    ...running.map(({ uuid, task, args }: Shown) => `     - running ${uuid} ${callText(task, args)}`),
  ];
}
