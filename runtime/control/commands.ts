/**
 * The control commands of a node. Names and shapes are dispatcherd's where it has them; `node_status` is ours and
 * what the `status` screen is made of. Keyword arguments are in none of them.
 *
 * @module
 */
import { z } from "zod";
import type { Clock } from "../clock.ts";
import { issueText } from "../envelope.ts";
import { DispatcherError } from "../errors.ts";
import type { Level } from "../events.ts";
import type { Pool } from "../pool/pool.ts";
import { redact } from "../redact.ts";
import type { Claimed } from "../store/store.ts";
import type { Command } from "./control.ts";

/** What the commands look at. */
export interface CommandParts {
  node: string;
  pid: number;
  runtime: string;
  version: string;
  queues: string[];
  pool: Pool;
  clock: Clock;
  state(): "running" | "draining";
  leader(): boolean;
  connected(): boolean;
  received(): { messages: number; controls: number };
  services(): { name: string; failing: boolean }[];
  setLevel(level: Level): Level;
}

/** A running or waiting attempt as it may be shown. */
export interface Shown {
  uuid: string;
  task: string;
  args: unknown;
  /** Seconds since it began; null while it waits. */
  seconds: number | null;
}

/** One slot in `node_status`. */
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

/** The answer of `node_status`. */
export interface NodeStatus {
  node_id: string;
  pid: number;
  runtime: string;
  version: string;
  state: string;
  leader: boolean;
  connected: boolean;
  queues: string[];
  total: number;
  min: number;
  max: number;
  /** Bytes, of the dispatcher and all its hosts. */
  rss: number;
  workers: SlotStatus[];
  /** Claimed and before a slot. */
  queued: Shown[];
}

const filterSchema = z.strictObject({
  task: z.string().optional(),
  uuid: z.string().optional(),
  args: z.array(z.unknown()).optional(),
  kwargs: z.record(z.string(), z.unknown()).optional(),
});
const levelSchema = z.strictObject({ level: z.string() });
const LEVEL_OF: Record<string, Level> = {
  debug: "debug",
  info: "info",
  warning: "warning",
  warn: "warning",
  error: "error",
  critical: "error",
};

/** Build the table of commands. */
export function commandsOf(parts: CommandParts): Record<string, Command> {
  const { pool } = parts;
  return {
    alive: () => ({}),
    running: (data) => matching(parts, data),
    cancel(data) {
      const found = matching(parts, data);
      for (const { uuid } of Object.values(found)) {
        const held = everyAttempt(parts).find((a) => a.claimed.origin === uuid || a.claimed.uuid === uuid);
        if (held) pool.abort(held.claimed.uuid, "CancelledError");
      }
      return found;
    },
    workers: () =>
      Object.fromEntries(
        [...pool.fleet.slots.values()].map((s, i) => [`worker-${i}`, workerOf(parts, s.id)]),
      ),
    main: () => ({
      received_count: parts.received().messages,
      control_count: parts.received().controls,
      pid: parts.pid,
      pool: {
        next_worker_id: Math.max(0, ...pool.fleet.slots.keys()) + 1,
        finished_count: pool.endings.totals.finished,
        canceled_count: pool.endings.totals.cancelled,
        retirement_count: pool.totals.retired,
      },
    }),
    aio_tasks: () =>
      Object.fromEntries(
        parts.services().map((s) => [s.name, { done: false, stack: s.failing ? "failing" : "" }]),
      ),
    set_log_level(data) {
      const { level } = parse(levelSchema, data);
      const known = LEVEL_OF[level.toLowerCase()];
      if (!known) return { error: `Unknown log level ${JSON.stringify(level)}` };
      return {
        logger: "dispatcher",
        level: level.toUpperCase(),
        previous_level: parts.setLevel(known).toUpperCase(),
      };
    },
    node_status: () => nodeStatus(parts),
  };
}

function parse<T>(schema: z.ZodType<T>, data: unknown): T {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  throw new DispatcherError("invalid_args", `Cannot read control_data: ${issueText(parsed.error, data)}`);
}

interface Held {
  key: "worker" | "queued";
  claimed: Claimed;
  since: number | null;
}

function everyAttempt({ pool }: CommandParts): Held[] {
  const running = [...pool.fleet.slots.values()].flatMap((s) =>
    s.running ? [{ key: "worker" as const, claimed: s.running.claimed, since: s.running.since }] : []
  );
  const queued = pool.intake.all();
  return [...running, ...queued.map((claimed) => ({ key: "queued" as const, claimed, since: null }))];
}

function matching(parts: CommandParts, data: Record<string, unknown>): Record<string, Shown> {
  const filter = parse(filterSchema, data);
  const found: Record<string, Shown> = {};
  const counts = { worker: 0, queued: 0 };
  for (const { key, claimed, since } of everyAttempt(parts)) {
    if (filter.task !== undefined && filter.task !== claimed.task) continue;
    if (filter.uuid !== undefined && filter.uuid !== claimed.uuid && filter.uuid !== claimed.origin) continue;
    if (filter.args !== undefined && !equalJson(filter.args, claimed.args)) continue;
    if (filter.kwargs !== undefined && !equalJson(filter.kwargs, claimed.kwargs)) continue;
    found[`${key}-${counts[key]++}`] = shown(parts, claimed, since);
  }
  return found;
}

function shown({ clock }: CommandParts, claimed: Claimed, since: number | null): Shown {
  return {
    uuid: claimed.origin ?? claimed.uuid,
    task: claimed.task,
    args: redact(JSON.parse(claimed.args)),
    seconds: since === null ? null : Math.round(clock.monotonic() - since) / 1000,
  };
}

function equalJson(value: unknown, text: string): boolean {
  return canonical(value) === canonical(JSON.parse(text));
}

/** JSON with the keys in order, so that equal values have equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, member) => {
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => a < b ? -1 : 1));
  });
}

function workerOf({ pool, clock }: CommandParts, id: number): Record<string, unknown> {
  const slot = pool.fleet.slots.get(id)!;
  return {
    worker_id: slot.id,
    pid: slot.host.pid,
    status: slot.state,
    finished_count: slot.finished,
    current_task: slot.running?.claimed.task ?? null,
    current_task_uuid: slot.running?.claimed.uuid ?? null,
    active_cancel: slot.running?.aborted === "CancelledError",
    age: (clock.monotonic() - slot.bornAt) / 1000,
  };
}

function nodeStatus(parts: CommandParts): NodeStatus {
  const { pool, clock } = parts;
  const slots = [...pool.fleet.slots.values()];
  const hosts = [...pool.fleet.hosts].reduce((sum, host) => sum + host.rss, 0);
  return {
    node_id: parts.node,
    pid: parts.pid,
    runtime: parts.runtime,
    version: parts.version,
    state: parts.state(),
    leader: parts.leader(),
    connected: parts.connected(),
    queues: parts.queues,
    total: slots.length,
    min: pool.options.minSlots,
    max: pool.options.maxSlots,
    rss: process.memoryUsage().rss + hosts,
    workers: slots.map((slot) => ({
      tid: slot.id,
      host_pid: slot.host.pid,
      state: slot.state,
      sent: slot.sent,
      finished: slot.finished,
      qsize: slot.sent - slot.finished,
      heap: slot.heap,
      age: (clock.monotonic() - slot.bornAt) / 1000,
      running: slot.running ? [shown(parts, slot.running.claimed, slot.running.since)] : [],
    })),
    queued: everyAttempt(parts).filter((held) => held.key === "queued").map((held) =>
      shown(parts, held.claimed, null)
    ),
  };
}
