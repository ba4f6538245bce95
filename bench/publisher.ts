/**
 * One who publishes for a peer, and knows when all that it has published is done. Runs in an actor's process; its
 * methods are what an actor is asked.
 *
 * @module
 */
import { setTimeout as rest } from "node:timers/promises";
import type { Call, Peer, Settings } from "./peers/peer.ts";
import { now, stamps } from "./works.ts";

const POLL_MS = 5;
/** Between the batches of a load; and so many may be under way. */
const TICK_MS = 10;
const OPEN_BATCHES = 8;
/** How long results are waited for, all together. */
const RESULTS_MS = 30_000;
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

  quickest(): Settings[] {
    return this.#peer.quickest;
  }

  work(settings: Settings, idle: boolean): Promise<void> {
    return this.#peer.work!(settings, idle);
  }

  async stamps(): Promise<number[]> {
    return await this.#peer.stamps?.() ?? stamps();
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

  /** Let so many callers publish for so long, one call after the other; calls a second. */
  async publishFor(ms: number, callers: number, batch?: number): Promise<number> {
    const call = { task: "noop", args: [1] };
    const calls = Array.from({ length: batch ?? 1 }, () => call);
    const publish = batch ? () => this.#peer.publishMany(calls) : () => this.#peer.publish(call);
    let sent = 0;
    const began = performance.now();
    const caller = async () => {
      for (; performance.now() - began < ms; sent += calls.length) await publish();
    };
    await Promise.all(Array.from({ length: callers }, caller));
    return sent / (performance.now() - began) * 1_000;
  }

  /** Publish so many, now and then. */
  async trickle(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await rest(20 + Math.random() * 30);
      await this.#peer.publish(stamp());
    }
  }

  /** The same, waiting for each result; how long it took, where results can be waited for. */
  async trickleResults(count: number): Promise<number[]> {
    if (!this.#peer.publishAndWait) return [];
    const times: number[] = [];
    // Some are told by a poll after ten seconds now and then.
    const end = performance.now() + RESULTS_MS;
    for (let i = 0; i < count && performance.now() < end; i++) {
      await rest(20 + Math.random() * 30);
      const began = performance.now();
      await this.#peer.publishAndWait(stamp());
      times.push(performance.now() - began);
    }
    return times;
  }

  /** Publish at a rate whatever becomes of it, in batches; calls a second that it came to. */
  async load(rate: number, seconds: number): Promise<number> {
    const began = performance.now();
    const open = new Set<Promise<void>>();
    let sent = 0;
    for (let passed = 0; passed < seconds; passed = (performance.now() - began) / 1_000) {
      const due = Math.floor(passed * rate) - sent;
      if (due > 0 && open.size < OPEN_BATCHES) {
        const batch = this.#peer.publishMany(Array.from({ length: due }, stamp)).finally(() =>
          open.delete(batch)
        );
        open.add(batch);
        sent += due;
      }
      await rest(TICK_MS);
    }
    await Promise.all(open);
    return sent / (performance.now() - began) * 1_000;
  }
}

function stamp(): Call {
  return { task: "stamp", args: [now()] };
}

/** Text that no compression makes much smaller. */
function filler(bytes: number): string {
  const random = crypto.getRandomValues(new Uint8Array(Math.ceil(bytes * 3 / 4)));
  return btoa(String.fromCharCode(...random)).slice(0, bytes);
}
