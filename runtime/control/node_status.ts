/**
 * The answer of `node_status`: all that the status screen shows of one node.
 *
 * @module
 */
import process from "node:process";
import { setImmediate } from "node:timers";
import type { Pool } from "../pool/pool.ts";
import type { Slot } from "../pool/slot.ts";
import type { NodeResources } from "../store/triage.ts";
import { heldBy, type Shown, shown } from "./attempts.ts";
import type { CommandParts } from "./parts.ts";

/** One slot. */
export interface SlotStatus {
  tid: number;
  host_pid: number;
  state: string;
  sent: number;
  finished: number;
  qsize: number;
  /** Bytes. */
  heap: number;
  /** Seconds. */
  age: number;
  running: Shown[];
}

/** One node. */
export interface NodeStatus {
  node_id: string;
  pid: number;
  runtime: string;
  version: string;
  state: string;
  leader: boolean;
  /** Whether it hears notifications: connected, isolated (only those are lost) or down. */
  connection: "connected" | "isolated" | "down";
  queues: string[];
  total: number;
  min: number;
  max: number;
  /** Bytes, of the dispatcher and all its hosts. */
  rss: number;
  /** Seconds that one round of its event loop took just now; missing where an older node answers. */
  loop_lag?: number;
  /** What it offers, and what is in use; missing where an older node answers. */
  resources?: NodeResources;
  workers: SlotStatus[];
  /** Claimed and before a slot. */
  queued: Shown[];
  /** How severe a line must be for its log; missing where an older node answers. */
  log_level?: string;
}

/** Look at a node. */
export function nodeStatus(parts: CommandParts): NodeStatus {
  const { pool, clock } = parts;
  const slots = [...pool.fleet.slots.values()];
  return {
    node_id: parts.node,
    pid: parts.pid,
    runtime: parts.runtime,
    version: parts.version,
    state: parts.state(),
    leader: parts.leader(),
    connection: parts.hearing(),
    queues: parts.queues,
    total: slots.length,
    min: pool.options.minSlots,
    max: pool.options.maxSlots,
    rss: residentBytes(pool),
    resources: parts.resources(),
    workers: slots.map((slot) => slotStatus(slot, parts)),
    queued: heldBy(pool).filter(({ key }) => key === "queued").map((held) => shown(held, clock)),
    log_level: parts.level(),
  };
}

/** Seconds until the event loop comes around. */
export function loopLag(): Promise<number> {
  const begun = performance.now();
  return new Promise((resolve) => setImmediate(() => resolve((performance.now() - begun) / 1000)));
}

/** Memory of this process and of the pool's hosts. */
export function residentBytes(pool: Pick<Pool, "fleet">): number {
  const hosts = [...pool.fleet.hosts].reduce((sum, host) => sum + host.rss, 0);
  return process.memoryUsage().rss + hosts;
}

function slotStatus(slot: Slot, { clock }: CommandParts): SlotStatus {
  const { running } = slot;
  return {
    tid: slot.id,
    host_pid: slot.host.pid,
    state: slot.state,
    sent: slot.sent,
    finished: slot.finished,
    qsize: slot.sent - slot.finished,
    heap: slot.heap,
    age: (clock.monotonic() - slot.bornAt) / 1000,
    running: running ? [shown({ key: "worker", claimed: running.claimed, since: running.since }, clock)] : [],
  };
}
