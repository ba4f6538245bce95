/**
 * The control commands of a node. Names and shapes are dispatcherd's where it has them; `node_status` is ours and
 * what the `status` screen is made of. Keyword arguments are in none of them.
 *
 * @module
 */
import { z } from "zod";
import { issueText } from "../envelope.ts";
import { DispatcherError, errorLine } from "../errors.ts";
import type { Level } from "../events.ts";
import type { Slot } from "../pool/slot.ts";
import type { AdoptedRow } from "../store/store.ts";
import { hashUuid, isUuid } from "../uuid.ts";
import {
  type AttemptFilter,
  heldBy,
  matches,
  matchesAdopted,
  type Shown,
  shown,
  shownAdopted,
} from "./attempts.ts";
import type { Command } from "./control.ts";
import { loopLag, nodeStatus } from "./node_status.ts";
import type { CommandParts } from "./parts.ts";

const filterSchema = z.strictObject({
  task: z.string().optional(),
  uuid: z.string().optional(),
  args: z.array(z.unknown()).optional(),
  kwargs: z.record(z.string(), z.unknown()).optional(),
});
/** How many of those that wait are shown, and how many are looked through for what a filter means. */
const MOST_SHOWN = 200;
const MOST_MATCHED = 10_000;
const levelSchema = z.strictObject({ level: z.string() });
const limitSchema = z.strictObject({ limit: z.int().min(1).optional() });
const count = z.int().min(1).max(1_000);
const scaleSchema = z.strictObject({ min: count, max: count }).refine(({ min, max }) => min <= max, {
  message: "max is below min",
  path: ["max"],
});
/** Only a channel for replies: nobody makes a node write on a queue. */
const watchSchema = z.strictObject({
  channel: z.string().regex(/^dispatcher_reply_[0-9a-f_]{1,40}$/),
  seconds: z.number().min(1).max(60),
});
const nothing = z.strictObject({});
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
  const table: Record<string, Command> = {
    alive: () => ({}),
    running: (data) => find(parts, data),
    cancel: (data) => cancel(parts, data),
    workers: (data) => {
      read(nothing, data);
      return Object.fromEntries(
        [...parts.pool.fleet.slots.values(), ...parts.pool.fleet.ended()].map((
          slot,
          i,
        ) => [`worker-${i}`, workerOf(parts, slot)]),
      );
    },
    producers: () => parts.producers(),
    main: () => mainOf(parts),
    metrics: () => {
      const status = parts.exporter();
      return status ? { enabled: true, status } : { enabled: false, status: "disabled" };
    },
    rates: () => {
      const queues = parts.recent();
      return { enabled: queues !== undefined, queues: queues ?? {} };
    },
    chunks: () => parts.chunks(),
    aio_tasks: (data) => servicesOf(parts, read(limitSchema, data).limit),
    set_log_level: (data) => setLevel(parts, read(levelSchema, data).level),
    run: (data) => run(parts, data),
    drain: (data) => drain(parts, read(nothing, data), true),
    resume: (data) => drain(parts, read(nothing, data), false),
    watch: (data) => {
      const { channel, seconds } = read(watchSchema, data);
      return parts.watch(channel, seconds) ? {} : { error: "Too many watch" };
    },
    scale: (data) => scale(parts, read(scaleSchema, data)),
    node_status: async () => ({ ...nodeStatus(parts), loop_lag: await loopLag() }),
  };
  table.status = async () => {
    const names = ["running", "aio_tasks", "workers", "producers", "metrics", "main", "chunks"];
    return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await table[name]({})])));
  };
  return table;
}

function read<T>(schema: z.ZodType<T>, data: unknown): T {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  throw new DispatcherError("invalid_args", `Cannot read control_data: ${issueText(parsed.error, data)}`);
}

/** Read a filter. Any text is a uuid on the wire; ours is derived from it. */
function filterOf(data: unknown): AttemptFilter {
  const { uuid, ...filter } = read(filterSchema, data);
  if (uuid === undefined) return filter;
  return { ...filter, uuid: isUuid(uuid) ? uuid.toLowerCase() : hashUuid(uuid) };
}

/** What waits in the table; nothing while the database is away: what runs here is known without it. */
async function adoptedBy(parts: CommandParts, filter: AttemptFilter): Promise<AdoptedRow[]> {
  const { task, uuid } = filter;
  const narrow = Object.keys(filter).length > 0;
  const rows = await parts.adopted({ task, uuid, limit: narrow ? MOST_MATCHED : MOST_SHOWN }).catch(() => []);
  return rows.filter((row) => matchesAdopted(filter, row));
}

function heldAs(parts: CommandParts, filter: AttemptFilter): Record<string, Shown> {
  const found: Record<string, Shown> = {};
  const counts = { worker: 0, queued: 0 };
  for (const held of heldBy(parts.pool)) {
    if (matches(filter, held)) found[`${held.key}-${counts[held.key]++}`] = shown(held, parts.clock);
  }
  return found;
}

async function find(parts: CommandParts, data: unknown): Promise<Record<string, Shown>> {
  const filter = filterOf(data);
  return { ...heldAs(parts, filter), ...shownAdopted(await adoptedBy(parts, filter)) };
}

/** Signal what runs, remove what waits; answers with what it was. */
async function cancel(parts: CommandParts, data: unknown): Promise<Record<string, Shown>> {
  const filter = filterOf(data);
  const adopted = await adoptedBy(parts, filter);
  const found = { ...heldAs(parts, filter), ...shownAdopted(adopted) };
  for (const held of heldBy(parts.pool)) {
    if (matches(filter, held)) parts.pool.abort(held.claimed.uuid, "CancelledError");
  }
  if (adopted.length > 0) await parts.cancelAdopted(adopted.map((row) => row.uuid));
  return found;
}

function workerOf({ clock }: CommandParts, slot: Slot): Record<string, unknown> {
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

function mainOf({ pool, pid, received }: CommandParts): Record<string, unknown> {
  return {
    received_count: received().messages,
    control_count: received().controls,
    pid,
    pool: {
      next_worker_id: Math.max(0, ...pool.fleet.slots.keys()) + 1,
      finished_count: pool.endings.totals.finished,
      canceled_count: pool.endings.totals.cancelled,
      retirement_count: pool.totals.retired,
    },
  };
}

function servicesOf({ services }: CommandParts, limit?: number): Record<string, unknown> {
  const all = services().map(({ name, failing }) =>
    [name, { done: false, stack: failing ? "failing" : "" }] as const
  );
  return Object.fromEntries(all.slice(0, limit));
}

function setLevel(parts: CommandParts, level: string): Record<string, unknown> {
  const known = LEVEL_OF[level.toLowerCase()];
  if (!known) return { error: `Unknown log level ${JSON.stringify(level)}` };
  const previous = parts.setLevel(known);
  return { logger: "dispatcher", level: level.toUpperCase(), previous_level: previous.toUpperCase() };
}

function drain(parts: CommandParts, _: unknown, draining: boolean): Record<string, unknown> {
  if (!parts.drain(draining)) return { error: `Node "${parts.node}" is stopping` };
  return { state: parts.state(), running: parts.pool.fleet.running().length };
}

function scale(parts: CommandParts, { min, max }: { min: number; max: number }): Record<string, unknown> {
  const { minSlots, maxSlots } = parts.pool.options;
  parts.scale(min, max);
  return { min, max, previous_min: minSlots, previous_max: maxSlots };
}

async function run(parts: CommandParts, data: Record<string, unknown>): Promise<Record<string, unknown>> {
  try {
    await parts.run(data);
    const { kwargs: _, ...ack } = data;
    return { ack };
  } catch (error) {
    return { error: errorLine(error) };
  }
}
