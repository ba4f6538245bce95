/**
 * One who publishes for a peer, and knows when all that it has published is done. Runs in an actor's process; its
 * methods are what an actor is asked.
 *
 * @module
 */
import { setTimeout as rest } from "node:timers/promises";
import type { Peer, Settings } from "./peers/peer.ts";
import { stepsPerMs } from "./works.ts";

const POLL_MS = 5;
/** Bytes of arguments in one call of the peer's batch. */
const BATCH_BYTES = 1_000_000;

/** A backlog: so many calls of a task, each with so many bytes besides its argument. */
export interface Backlog {
  task: string;
  count: number;
  arg?: number;
  bytes?: number;
}

/** Publishes for a peer. */
export class Publisher {
  readonly #peer: Peer;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  candidates(): Settings[] {
    return this.#peer.candidates;
  }

  prepare(settings?: Settings): Promise<void> {
    return this.#peer.prepare(settings);
  }

  work(settings: Settings): Promise<void> {
    return this.#peer.work!(settings);
  }

  stepsPerMs(): number {
    return stepsPerMs();
  }

  /** Publish a backlog in batches. */
  async fill({ task, count, arg = 1, bytes = 0 }: Backlog): Promise<void> {
    const most = bytes > 0 ? Math.max(1, Math.min(1_000, Math.floor(BATCH_BYTES / bytes))) : 1_000;
    for (let left = count; left > 0; left -= most) {
      const size = Math.min(most, left);
      await this.#peer.publishMany(
        Array.from({ length: size }, () => ({ task, args: bytes > 0 ? [arg, filler(bytes)] : [arg] })),
      );
    }
  }

  /** Resolves when all is done: looks at the last one by its key, and counts only when that is done. */
  async drained(): Promise<void> {
    while (!await this.#peer.lastIsDone()) await rest(POLL_MS);
    while (await this.#peer.left() > 0) await rest(POLL_MS);
  }

  left(): Promise<number> {
    return this.#peer.left();
  }
}

/** Text that no compression makes much smaller. */
function filler(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(Math.ceil(bytes * 3 / 4)));
  return btoa(String.fromCharCode(...random)).slice(0, bytes);
}
