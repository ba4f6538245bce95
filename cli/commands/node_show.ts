import { DispatcherError, EXIT } from "../../runtime/errors.ts";
import type { NodeStatus } from "../../runtime/control/node_status.ts";
import { usageWords } from "../../runtime/resources.ts";
import { didYouMean } from "../../runtime/suggest.ts";
import { usage } from "../args.ts";
import { type Command, DATABASE_FLAGS, JSON_FLAG } from "../command.ts";
import type { NodeRow } from "../nodes.ts";
import { megabytes } from "../table.ts";
import { nodeBlock } from "./status.ts";

const TIMEOUT_SECONDS = 2;

/** All that is known of one node: what the table has, and what it says itself. */
export const nodeShow: Command = {
  summary: "Show all that is known of a node",
  usage: "NODE",
  words: true,
  flags: {
    timeout: {
      type: "number",
      value: "S",
      help: `Seconds to wait for its answer, by default ${TIMEOUT_SECONDS}`,
    },
    ...JSON_FLAG,
    ...DATABASE_FLAGS,
  },
  async run({ client: open, rest, flags, io }) {
    if (rest.length !== 1) throw usage("Cannot show a node: name one");
    const client = await open();
    const nodes = await client.nodes();
    const row = nodes.find(({ name }) => name === rest[0]);
    if (!row) {
      const hint = didYouMean(rest[0], nodes.map(({ name }) => name));
      throw new DispatcherError("not_found", `No node "${rest[0]}"${hint}`);
    }
    const timeout = flags.timeout as number ?? TIMEOUT_SECONDS;
    const [reply] = row.alive
      ? await client.control("node_status", {}, { channel: row.name, timeout, expected: 1 })
      : [];
    const status = (reply ?? null) as unknown as NodeStatus | null;
    if (flags.json) io.out(JSON.stringify({ ...row, status }));
    else for (const line of lines(row, status)) io.out(line);
    return row.alive && !status ? EXIT.partial : EXIT.ok;
  },
};

/** Of what it offers, what is in use. */
function resourcesOf(resources: NodeRow["resources"] | undefined): string {
  return resources ? `${usageWords(resources)} in use` : "-";
}

function lines(row: NodeRow, status: NodeStatus | null): string[] {
  const facts: [string, string][] = [
    ["state", row.alive ? row.state : row.state === "stopped" ? "stopped" : "lost"],
    ["runtime", `${status?.runtime ?? row.runtime}, version ${row.version}`],
    ["process", `${row.pid} on ${row.host}`],
    ["queues", row.queues.join(", ")],
    ["slots", `${row.slots} (${row.min} to ${row.max}), ${row.busy} busy`],
    ["memory", row.rss === null ? "-" : megabytes(row.rss)],
    ["resources", resourcesOf(status?.resources ?? row.resources)],
    ["leader", row.leader ? "yes" : "no"],
    ["listens", row.listener],
    ["instance", row.instance],
    ["started", row.started_at],
    ["last seen", `${row.last_seen}, lease until ${row.lease_until}`],
  ];
  const head = facts.map(([name, value]) => `  ${name.padEnd(11)} ${value}`);
  const more = status ? nodeBlock(status).slice(1) : row.alive ? ["  It did not answer"] : [];
  return [row.name, ...head, ...more];
}
