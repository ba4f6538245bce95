import type { Shown } from "../../runtime/control/attempts.ts";
import type { NodeStatus, SlotStatus } from "../../runtime/control/node_status.ts";
import { DispatcherError, EXIT } from "../../runtime/errors.ts";
import { callText } from "../../runtime/redact.ts";
import { type Command, NODE_FLAGS } from "../command.ts";
import { askNodes } from "../nodes.ts";
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
    if (flags.json) {
      for (const node of nodes) io.out(JSON.stringify(node));
    } else {
      for (const node of nodes) for (const line of nodeBlock(node)) io.out(line);
    }
    for (const { name, pid, min, max } of silent) {
      if (flags.json) io.err(`Node "${name}" did not answer`);
      else io.out(`${name}[pid:${pid}] workers min=${min} max=${max} [NO ANSWER]`);
    }
    if (nodes.length === 0) throw new DispatcherError("unavailable", "No node answered");
    return silent.length > 0 ? EXIT.partial : EXIT.ok;
  },
};

function nodeBlock(node: NodeStatus): string[] {
  const { node_id, pid, total, min, max, rss } = node;
  return [
    `${node_id}[pid:${pid}] workers total=${total} min=${min} max=${max} rss=${megabytes(rss)}${
      node.connection === "connected" ? "" : ` [${node.connection.toUpperCase()}]`
    }`,
    ...node.workers.flatMap(workerLines),
    ...node.queued.map((waiting) => `     - queued ${waiting.uuid} ${callText(waiting.task, waiting.args)}`),
  ];
}

function workerLines({ tid, sent, finished, qsize, heap, state, running }: SlotStatus): string[] {
  const mark = state !== "ready" ? ` [${state.toUpperCase()}]` : running.length === 0 ? " [IDLE]" : "";
  return [
    `.  worker[tid:${tid}] sent=${sent} finished=${finished} qsize=${qsize} heap=${megabytes(heap)}${mark}`,
    ...running.map(({ uuid, task, args }: Shown) => `     - running ${uuid} ${callText(task, args)}`),
  ];
}
