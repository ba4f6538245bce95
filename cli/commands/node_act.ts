import type { NodeStatus } from "../../runtime/control/node_status.ts";
import { DispatcherError, EXIT } from "../../runtime/errors.ts";
import { secondsOf, usage } from "../args.ts";
import { type Command, type Context, NODE_FLAGS } from "../command.ts";
import { askNodes } from "../nodes.ts";

const { node: _, ...FLAGS } = NODE_FLAGS;
const POLL_MS = 250;
const WAIT_SECONDS = 300;

/**
 * Ask the one node that the first word names.
 *
 * @throws {DispatcherError} `unavailable` when it does not answer, `refused` with its reason.
 */
async function askOne(context: Context, command: string, data?: Record<string, unknown>) {
  const node = context.rest[0];
  const asked = { ...context, flags: { ...context.flags, node } };
  const { replies: [reply] } = await askNodes(asked, command, data);
  if (!reply) throw new DispatcherError("unavailable", `Node "${node}" did not answer`);
  if (typeof reply.error !== "string") return reply;
  throw new DispatcherError("refused", `Node "${node}" refused: ${reply.error}`);
}

function needs(context: Context, count: number, words: string): void {
  if (context.rest.length !== count) throw usage(`Name ${words}: given ${context.rest.length} words`);
}

/** Let a node claim nothing more, and stay. */
export const nodeDrain: Command = {
  summary: "Let a node claim nothing more and stay; what runs there goes on",
  usage: "NODE [--wait]",
  words: true,
  flags: {
    wait: { type: "boolean", help: "Until nothing runs there" },
    within: { type: "number", value: "S", help: `Seconds to wait at most, by default ${WAIT_SECONDS}` },
    ...FLAGS,
  },
  async run(context) {
    needs(context, 1, "one node");
    const { flags, io, rest } = context;
    let reply = await askOne(context, "drain");
    if (flags.wait) reply = await untilIdle(context, secondsOf(flags, "within") ?? WAIT_SECONDS);
    const { running } = reply;
    io.out(flags.json ? JSON.stringify(reply) : `${rest[0]} drains: ${running} running`);
  },
};

async function untilIdle(context: Context, within: number): Promise<Record<string, unknown>> {
  const end = performance.now() + within * 1000;
  for (;;) {
    const reply = await askOne(context, "node_status");
    const { state, node_id, workers } = reply as unknown as NodeStatus;
    const running = workers.reduce((sum, worker) => sum + worker.running.length, 0);
    if (running === 0) return { state, running, node_id };
    if (performance.now() > end) {
      throw new DispatcherError("timeout", `Waited ${within} s in vain: ${running} run on "${node_id}"`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Let a drained node claim again. */
export const nodeResume: Command = {
  summary: "Let a drained node claim again",
  usage: "NODE",
  words: true,
  flags: FLAGS,
  async run(context) {
    needs(context, 1, "one node");
    const reply = await askOne(context, "resume");
    const { flags, io, rest } = context;
    io.out(flags.json ? JSON.stringify(reply) : `${rest[0]} claims again`);
  },
};

/** Give a node another number of slots, until it starts again. */
export const nodeScale: Command = {
  summary: "Give a node another number of slots, until it starts again",
  usage: "NODE MIN MAX",
  words: true,
  flags: FLAGS,
  async run(context) {
    needs(context, 3, "one node, the least and the most slots");
    const [name, ...words] = context.rest;
    const [min, max] = words.map(Number);
    for (const [i, value] of [min, max].entries()) {
      if (!Number.isInteger(value) || value < 1 || value > 1_000) {
        throw usage(`Cannot scale "${name}" to "${words[i]}": it is no number of slots from 1 to 1000`);
      }
    }
    if (max < min) throw usage(`Cannot scale "${name}" to ${min}..${max}: the most is below the least`);
    const reply = await askOne(context, "scale", { min, max });
    const { flags, io } = context;
    const before = `before: ${reply.previous_min} to ${reply.previous_max}`;
    io.out(flags.json ? JSON.stringify(reply) : `${name} has ${min} to ${max} slots (${before})`);
  },
};

/** Change the level of a node's log. */
export const nodeLogLevel: Command = {
  summary: "Change the log level of a node, until it starts again",
  usage: "NODE LEVEL",
  words: true,
  flags: FLAGS,
  async run(context) {
    needs(context, 2, "one node and one of debug, info, warning, error");
    const [name, level] = context.rest;
    const reply = await askOne(context, "set_log_level", { level });
    const { flags, io } = context;
    const text = `${name} logs ${reply.level} and above (before: ${reply.previous_level})`;
    io.out(flags.json ? JSON.stringify(reply) : text);
    return EXIT.ok;
  },
};
