/**
 * When a schedule ticks: every so many seconds, or by a cron expression in a time zone.
 *
 * @module
 */
import { Cron } from "croner";
import { z } from "zod";
import { queueName } from "./envelope.ts";
import { DispatcherError } from "./errors.ts";
import type { Json } from "./json.ts";
import { resourcesSchema } from "./resources.ts";

/** What to do with the ticks that nobody was there for. */
export const CATCH_UP = ["one", "all", "none"] as const;
export type CatchUp = (typeof CATCH_UP)[number];

/** The rhythm: one of `every` and `cron`. */
export interface Rhythm {
  /** Seconds. */
  every?: number | null;
  /** Five or six fields, or a nickname such as `@daily`. */
  cron?: string | null;
  /** IANA name, by default UTC. */
  timezone?: string | null;
}

/** A schedule as it is configured. */
export const scheduleSchema = z.strictObject({
  task: z.string().min(1).describe("Path of the task"),
  args: z.array(z.unknown()).default([]),
  kwargs: z.record(z.string(), z.unknown()).default({}),
  queue: queueName.optional().describe("Where to publish, by default `default`; not for scope node"),
  every: z.number().positive().optional().describe("Seconds between two ticks"),
  cron: z.string().optional().describe("Cron expression, instead of every"),
  timezone: z.string().optional().describe("Time zone of the cron expression, by default UTC"),
  catch_up: z.enum(CATCH_UP).default("one").describe("What to do with missed ticks"),
  scope: z.enum(["cluster", "node"]).default("cluster").describe("Once in the cluster, or on every node"),
  enabled: z.boolean().default(true),
  timeout: z.number().positive().optional(),
  priority: z.int().min(-32768).max(32767).optional(),
  resources: resourcesSchema.optional().describe("What it needs of its node while it runs, such as gpu: 1"),
  preemptible: z.boolean().optional().describe("It may be stopped for something more urgent"),
  max_attempts: z.int().min(1).max(1_000).optional(),
  on_duplicate: z.enum(["parallel", "discard", "serial", "queue_one"]).optional(),
}).superRefine((schedule, ctx) => {
  const wrong = rhythmFault(schedule);
  if (wrong) {
    ctx.addIssue({ code: "custom", message: wrong, path: [schedule.cron === undefined ? "every" : "cron"] });
  }
});

/** A schedule of a configuration file, with its defaults filled in. */
export interface ScheduleDefinition extends Rhythm {
  task: string;
  args: unknown[];
  kwargs: Record<string, unknown>;
  queue?: string;
  every?: number;
  cron?: string;
  timezone?: string;
  catch_up: CatchUp;
  scope: "cluster" | "node";
  enabled: boolean;
  timeout?: number;
  priority?: number;
  resources?: Record<string, number>;
  preemptible?: boolean;
  max_attempts?: number;
  on_duplicate?: "parallel" | "discard" | "serial" | "queue_one";
}

/** A schedule: the cluster's, or what nodes tick by themselves. */
export interface ScheduleRow {
  name: string;
  scope: "cluster" | "node";
  /** Of scope `node`: the live nodes that have it in this form; else null. */
  nodes: string[] | null;
  task: string;
  args: Json[];
  /** Of scope `node` they are not known to the others. */
  kwargs: { [key: string]: Json };
  /** Of scope `node` each node's own, and empty here. */
  queue: string;
  options: { [key: string]: Json };
  every: number | null;
  cron: string | null;
  timezone: string | null;
  catch_up: CatchUp;
  enabled: boolean;
  next_at: string | null;
  last_at: string | null;
  last_uuid: string | null;
}

/** A schedule of the cluster as a file has it. */
export type ScheduleSettings = Omit<ScheduleRow, "scope" | "nodes" | "last_at" | "last_uuid">;
/** What others may know of a schedule of scope `node`. */
export type NodeScheduleRow = Omit<ScheduleSettings, "kwargs" | "queue" | "next_at">;

/** What is wrong with a rhythm, if anything. */
export function rhythmFault({ every, cron, timezone }: Rhythm): string | undefined {
  if ((every == null) === (cron == null)) return "a schedule has either every or cron";
  if (cron == null) return undefined;
  try {
    return new Cron(cron, { timezone: timezone ?? "UTC", paused: true }).nextRun() === null
      ? "it never ticks"
      : undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * The first tick after a time, null when there is none. A rhythm of seconds goes on from `after` itself.
 *
 * @example
 * ```ts
 * nextTick({ cron: "0 6 * * *", timezone: "Europe/Berlin" }, new Date("2026-03-28T12:00:00Z"));
 * ```
 */
export function nextTick({ every, cron, timezone }: Rhythm, after: Date): Date | null {
  if (every != null) return new Date(after.getTime() + every * 1000);
  return new Cron(cron!, { timezone: timezone ?? "UTC", paused: true }).nextRun(after);
}

/** The next `count` ticks, for people. */
export function nextTicks(rhythm: Rhythm, after: Date, count: number): Date[] {
  const fault = rhythmFault(rhythm);
  if (fault) {
    throw new DispatcherError(
      "usage",
      `Cannot read schedule ${JSON.stringify(rhythm.cron ?? rhythm.every)}: ${fault}`,
    );
  }
  const ticks: Date[] = [];
  for (let tick = nextTick(rhythm, after); tick && ticks.length < count; tick = nextTick(rhythm, tick)) {
    ticks.push(tick);
  }
  return ticks;
}

/** The last `count` ticks before a time, the latest first; a rhythm of seconds counts back from `next`. */
export function lastTicks(rhythm: Rhythm, next: Date | null, before: Date, count: number): Date[] {
  const { every, cron, timezone } = rhythm;
  if (rhythmFault(rhythm)) return [];
  if (cron != null) {
    return new Cron(cron, { timezone: timezone ?? "UTC", paused: true }).previousRuns(count, before);
  }
  if (next === null) return [];
  const step = every! * 1000;
  const first = next.getTime() - Math.max(1, Math.ceil((next.getTime() - before.getTime()) / step)) * step;
  return Array.from({ length: count }, (_, i) => new Date(first - i * step));
}

/** More than so many ticks at once are not caught up: the oldest are left out. */
const MOST = 1_000;

/** Which ticks to publish now, and when the next one is. */
export interface Due {
  ticks: Date[];
  next: Date | null;
}

/**
 * The ticks from `next` to `now`, by the catch-up policy: all of them, the last one only, or the last one only if it
 * is not older than `grace` milliseconds.
 */
export function dueTicks(rhythm: Rhythm, catchUp: CatchUp, next: Date, now: Date, grace: number): Due {
  const missed: Date[] = [];
  let tick: Date | null = skipAhead(rhythm, next, now);
  while (tick && tick.getTime() <= now.getTime()) {
    missed.push(tick);
    if (missed.length > MOST) missed.shift();
    tick = nextTick(rhythm, tick);
  }
  const last = missed.at(-1);
  if (catchUp === "all" || last === undefined) return { ticks: missed, next: tick };
  const fresh = now.getTime() - last.getTime() <= grace;
  return { ticks: catchUp === "one" || fresh ? [last] : [], next: tick };
}

/** A rhythm of a second that slept for a year need not be walked tick by tick. */
function skipAhead({ every }: Rhythm, next: Date, now: Date): Date {
  if (every == null) return next;
  const behind = Math.floor((now.getTime() - next.getTime()) / (every * 1000)) - MOST;
  return behind > 0 ? new Date(next.getTime() + behind * every * 1000) : next;
}
