/**
 * Asking the live nodes.
 *
 * @module
 */
import type { Client } from "../runtime/client.ts";
import { DispatcherError } from "../runtime/errors.ts";
import { didYouMean } from "../runtime/suggest.ts";
import { secondsOf } from "./args.ts";
import type { Context } from "./command.ts";

/** A node as the table has it. */
export type NodeRow = Awaited<ReturnType<Client["nodes"]>>[number];

/** The replies, and the live nodes that sent none. */
export interface Asked {
  replies: Record<string, unknown>[];
  silent: NodeRow[];
}

const TIMEOUT_SECONDS = 2;

/**
 * Ask all live nodes, or the one that `--node` names; waits no longer than all of them take.
 *
 * @throws {DispatcherError} `not_found` for a node that never was, `unavailable` when none lives.
 */
export async function askNodes(
  context: Context,
  command: string,
  data?: Record<string, unknown>,
): Promise<Asked> {
  const client = await context.client();
  const name = context.flags.node as string | undefined;
  const all = await client.nodes();
  if (name !== undefined && !all.some((node) => node.name === name)) {
    throw new DispatcherError(
      "not_found",
      `No node "${name}"${didYouMean(name, all.map((node) => node.name))}`,
    );
  }
  const live = all.filter((node) => node.alive && (name === undefined || node.name === name));
  if (live.length === 0) {
    throw new DispatcherError("unavailable", name ? `Node "${name}" is not alive` : "No node is alive");
  }
  const timeout = secondsOf(context.flags, "timeout") ?? TIMEOUT_SECONDS;
  const replies = await client.control(command, data, { channel: name, timeout, expected: live.length });
  const answered = new Set(replies.map((reply) => reply.node_id));
  return { replies, silent: live.filter((node) => !answered.has(node.name)) };
}
