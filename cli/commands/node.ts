import { EXIT } from "../../runtime/errors.ts";
import { type Command, DATABASE_FLAGS, JSON_FLAG, NODE_FLAGS } from "../command.ts";
import { askNodes, type NodeRow } from "../nodes.ts";
import { ago, writeTable } from "../table.ts";

const COLUMNS = [
  { title: "NODE" },
  { title: "STATE" },
  { title: "RUNTIME" },
  { title: "PID", right: true },
  { title: "BUSY", right: true },
  { title: "SLOTS", right: true },
  { title: "SEEN", right: true },
  { title: "LEADER" },
  { title: "QUEUES" },
];

/** The nodes of the table, live ones first. */
export const nodeList: Command = {
  summary: "List nodes, live ones first",
  usage: "",
  flags: { ...JSON_FLAG, ...DATABASE_FLAGS },
  async run({ client, flags, io }) {
    const nodes = await (await client()).nodes();
    if (flags.json) {
      for (const node of nodes) io.out(JSON.stringify(node));
      return;
    }
    const rows = nodes.map((n) => [
      n.name,
      stateOf(n),
      n.runtime,
      `${n.pid}`,
      `${n.busy}`,
      `${n.slots} (${n.min}-${n.max})`,
      `${ago((Date.now() - Date.parse(n.last_seen)) / 1000)} ago`,
      n.leader ? "leader" : "-",
      n.queues.join(","),
    ]);
    writeTable(io, COLUMNS, rows);
  },
};

function stateOf({ alive, state, listener }: NodeRow): string {
  if (!alive) return state === "stopped" ? state : "lost";
  return listener === "isolated" ? `${state} (isolated)` : state;
}

/** Ask who is there. */
export const nodePing: Command = {
  summary: "Ask live nodes to answer",
  usage: "[--node N]",
  flags: NODE_FLAGS,
  async run(context) {
    const { io, flags } = context;
    const { replies, silent } = await askNodes(context, "alive");
    for (const reply of replies) io.out(flags.json ? JSON.stringify(reply) : `${reply.node_id} is alive`);
    for (const node of silent) io.err(`Node "${node.name}" did not answer`);
    return silent.length === 0 ? EXIT.ok : replies.length > 0 ? EXIT.partial : EXIT.unavailable;
  },
};
