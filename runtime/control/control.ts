/**
 * Request and reply with live nodes: a control message comes over the broker, its answer goes to the channel
 * that it names, in chunks where it is large.
 *
 * @module
 */
import type { Broker } from "../broker/broker.ts";
import { Assembler, toPayloads } from "../broker/chunks.ts";
import { replyChannel } from "../broker/channels.ts";
import { readWire } from "../broker/wire.ts";
import type { Clock } from "../clock.ts";
import { errorLine } from "../errors.ts";

/** Answers one command. */
export type Command = (data: Record<string, unknown>) => unknown | Promise<unknown>;

/** A reply as it came. */
export type Reply = Record<string, unknown> & { node_id?: string };

/** Answer a control message; whatever goes wrong is an answer too. */
export async function answer(
  commands: Readonly<Record<string, Command>>,
  node: string,
  command: string,
  data: Record<string, unknown>,
): Promise<Reply> {
  if (!Object.hasOwn(commands, command)) return { error: `No control method ${command}`, node_id: node };
  try {
    const result = await commands[command](data);
    return { ...(result as Record<string, unknown>), node_id: node };
  } catch (error) {
    return { error: errorLine(error), node_id: node };
  }
}

/** Send an answer, in as many messages as it takes. */
export async function reply(broker: Broker, channel: string, message: Reply): Promise<void> {
  for (const payload of toPayloads(JSON.stringify(message))) await broker.notify(channel, payload);
}

/** How a request is sent and how long its replies are collected. */
export interface Request {
  channel: string;
  command: string;
  data?: Record<string, unknown>;
  /** Seconds to wait at most. */
  timeout: number;
  /** Stop waiting as soon as so many have answered. */
  expected?: number;
}

/** Undefined for what is no reply: half of one, or what others send on the channel. */
function readReply(text: string): Reply | undefined {
  try {
    const reply = JSON.parse(text);
    return typeof reply === "object" && reply !== null && !Array.isArray(reply) ? reply : undefined;
  } catch {
    // Not ours.
  }
}

/**
 * Ask whoever listens on a channel, and collect the replies.
 *
 * @throws {DispatcherError} `unavailable` when the connection is lost before the first.
 */
export async function request(broker: Broker, clock: Clock, ask: Request): Promise<Reply[]> {
  const channel = replyChannel();
  const assembler = new Assembler();
  const replies: Reply[] = [];
  const enough = new AbortController();
  const take = (text: string | undefined) => {
    const reply = text === undefined ? undefined : readReply(text);
    if (reply === undefined) return;
    replies.push(reply);
    if (ask.expected !== undefined && replies.length >= ask.expected) enough.abort();
  };
  let lost: Error | undefined;
  const unlisten = await broker.listen([channel], {
    gap() {},
    lost(error) {
      lost = error;
      enough.abort();
    },
    message(_channel, payload) {
      const wire = readWire(payload, channel);
      take(wire.kind === "chunk" ? assembler.add(wire.chunk, clock.now()).text : payload);
    },
  });
  try {
    if (ask.expected === 0) return replies;
    const message = {
      control: ask.command,
      reply_to: channel,
      ...(ask.data ? { control_data: ask.data } : {}),
    };
    for (const payload of toPayloads(JSON.stringify(message))) await broker.notify(ask.channel, payload);
    await clock.sleep(ask.timeout * 1000, enough.signal);
    if (lost && replies.length === 0) throw lost;
    return replies;
  } finally {
    await unlisten();
  }
}
