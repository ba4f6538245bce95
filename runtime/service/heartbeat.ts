/**
 * The heartbeat: renews the node's lease, stands for leader, and learns what concerns this node. Nothing a task
 * does can hold it up: tasks run in other processes.
 *
 * ```text
 *  lease:   held ──renewed every 5 s──► held ──30 s without──► lapsed ──the leader's rescuer──► lost
 *                                                                        └─ its next heartbeat finds out: `lost()`
 * ```
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import type { Heartbeat, HeartbeatReply, Store } from "../store/store.ts";
import type { Work } from "./service.ts";

/** What a heartbeat says and to whom it passes on what it hears. */
export interface HeartbeatParts {
  store: Store;
  clock: Clock;
  everySeconds: number;
  beat(): Heartbeat;
  leading(leader: boolean): void;
  cancel(uuids: string[]): void;
  broadcasts(): void;
  lapsed(): void;
  /** So many nodes work on the same queues. */
  sharing(nodes: number): void;
  /** What the table says of its being on call. */
  onCall(state: HeartbeatReply["onCall"]): void;
  /** The database did not answer: others may not have reached it either. */
  failed(): void;
  /** Another instance has the name, or the lease was reclaimed. */
  lost(): Promise<void>;
}

/** The heartbeat as a service. */
export function heartbeat(parts: HeartbeatParts): Work {
  return {
    name: "heartbeat",
    retryMs: 1_000,
    async once() {
      const reply: HeartbeatReply = await parts.store.heartbeat(parts.beat()).catch((error) => {
        parts.failed();
        throw error;
      });
      if (!reply.alive) await parts.lost();
      parts.leading(reply.alive && reply.leader);
      if (reply.cancels.length > 0) parts.cancel(reply.cancels);
      if (reply.broadcasts) parts.broadcasts();
      if (reply.lapsed) parts.lapsed();
      parts.sharing(reply.sharing);
      parts.onCall(reply.onCall);
      return parts.everySeconds * 1000;
    },
  };
}
