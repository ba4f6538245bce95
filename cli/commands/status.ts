import type { Shown } from "../../runtime/control/attempts.ts";
import type { NodeStatus, SlotStatus } from "../../runtime/control/node_status.ts";
import { BROADCAST_QUEUE } from "../../runtime/envelope.ts";
import { DispatcherError, EXIT } from "../../runtime/errors.ts";
import { callText } from "../../runtime/redact.ts";
import type { ReceiverStatus } from "../../runtime/receiver/figures.ts";
import { asks, usageWords } from "../../runtime/resources.ts";
import type { ReceiverRow } from "../../runtime/store/look.ts";
import { secondsOf } from "../args.ts";
import { type Command, type Context, NODE_FLAGS } from "../command.ts";
import { askNodes, type NodeRow } from "../nodes.ts";
import { megabytes } from "../table.ts";

/** The status screen: one block a node. */
export const status: Command = {
  summary: "Show nodes, their workers and what runs",
  usage: "[--node N] [--json]",
  flags: NODE_FLAGS,
  async run(context) {
    const { io, flags } = context;
    // Those who look after one node do not ask for what is none.
    if (flags.node === undefined) await writeReceivers(context);
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

/** What writes events beside the nodes: first, since where no node is that is all there is. */
async function writeReceivers({ io, flags, client }: Context): Promise<void> {
  for (const { row, status } of await (await client()).receivers(secondsOf(flags, "timeout"))) {
    const told = status as unknown as ReceiverStatus | null;
    if (flags.json) io.out(JSON.stringify({ ...row, ...told, kind: "receiver", answered: told !== null }));
    else io.out(receiverLine(row, told));
  }
}

function receiverLine(row: ReceiverRow, status: ReceiverStatus | null): string {
  const { popped, saved, set_aside, in_memory, queue_size, lag_p95, source } = status ?? row;
  const lag = lag_p95 === null ? "none" : `${lag_p95.toFixed(3)}s`;
  const counts = `popped=${popped} saved=${saved} set_aside=${set_aside} memory=${in_memory}`;
  const mark = status ? "" : " [NO ANSWER]";
  return `${row.name}[pid:${row.pid}] receiver source=${source} ${counts} queue=${
    queue_size ?? "unknown"
  } lag_p95=${lag}${mark}`;
}

/** The block of a node: its head, its workers, what runs and waits. */
export function nodeBlock(node: NodeStatus): string[] {
  const { node_id, pid, total, min, max, rss } = node;
  return [
    `${node_id}[pid:${pid}] workers total=${total} min=${min} max=${max} rss=${megabytes(rss)}${
      node.connection === "connected" ? "" : ` [${node.connection.toUpperCase()}]`
    }`,
    ...inUse(node),
    ...node.workers.flatMap(workerLines),
    ...node.queued.map((waiting) => `     - queued ${waiting.uuid} ${callText(waiting.task, waiting.args)}`),
  ];
}

/** What is in use of what it offers; nothing where nothing asks for any. */
function inUse({ resources }: NodeStatus): string[] {
  return resources && asks(resources.used) ? [`.  resources in use: ${usageWords(resources)}`] : [];
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
