/**
 * The other end of a node's watch: asks the nodes to tell what happens, and hears it.
 *
 * | what can fail | what happens |
 * |---|---|
 * | a node starts later, or the connection is lost | it is asked with the next renewal |
 * | too much happens | each node counts what it does not tell; the count comes as `events.dropped` |
 *
 * @module
 */
import type { Broker } from "./broker/broker.ts";
import { replyChannel } from "./broker/channels.ts";
import { Assembler } from "./broker/chunks.ts";
import { readWire } from "./broker/wire.ts";
import type { Clock } from "./clock.ts";
import type { WatchedEvent, WatchMessage } from "./control/watch.ts";
import { BROADCAST_QUEUE, checkQueue } from "./envelope.ts";

const SECONDS = 15;
const RENEW_MS = 5_000;

/** What to watch. */
export interface WatchOptions {
  signal: AbortSignal;
  /** This node only. */
  node?: string;
}

/** Hear what happens until the signal aborts. */
export async function watchNodes(
  { broker, clock }: { broker: Broker; clock: Clock },
  handler: (event: WatchedEvent) => void,
  { signal, node = BROADCAST_QUEUE }: WatchOptions,
): Promise<void> {
  const channel = replyChannel();
  const assembler = new Assembler();
  const ask = JSON.stringify({ control: "watch", control_data: { channel, seconds: SECONDS } });
  const renew = () => broker.notify(checkQueue(node), ask);
  let lost: Error | undefined;
  const over = new AbortController();
  const unlisten = await broker.listen([channel], {
    gap: () => void renew().catch(() => {}),
    lost(error) {
      lost = error;
      over.abort();
    },
    message(_channel, payload) {
      const wire = readWire(payload, channel);
      const text = wire.kind === "chunk" ? assembler.add(wire.chunk, clock.now()).text : payload;
      for (const event of text === undefined ? [] : eventsOf(text)) handler(event);
    },
  });
  try {
    await renew();
    const stop = AbortSignal.any([signal, over.signal]);
    while (!stop.aborted) {
      await clock.sleep(RENEW_MS, stop);
      // The next one may reach the database again.
      if (!stop.aborted) await renew().catch(() => {});
    }
    if (lost) throw lost;
  } finally {
    await unlisten();
  }
}

function eventsOf(text: string): WatchedEvent[] {
  try {
    const { node_id: node, events, dropped } = JSON.parse(text) as WatchMessage;
    if (dropped === 0) return events;
    const at = new Date().toISOString();
    return [...events, { event: "events.dropped", at, node, count: dropped }];
  } catch {
    // Not a node's.
    return [];
  }
}
