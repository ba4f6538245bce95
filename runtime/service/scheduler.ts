/**
 * Schedules: the cluster's, ticked by the leader in the statement that publishes, and a node's own, ticked by
 * itself.
 *
 * | what can fail | what happens |
 * |---|---|
 * | the leader dies before the commit | nothing was published and `next_at` is where it was: the next leader ticks |
 * | two leaders for a moment | the second finds the schedule moved on and publishes nothing |
 * | nobody led for a while | the catch-up policy of the schedule decides: one, all, none |
 *
 * @module
 */
import type { Clock } from "../clock.ts";
import { type PublishOptions, seal, type Sealed } from "../envelope.ts";
import { DispatcherError, errorLine } from "../errors.ts";
import type { Events } from "../events.ts";
import {
  type Due,
  dueTicks,
  nextTick,
  type NodeScheduleRow,
  type ScheduleDefinition,
  type ScheduleRow,
  type ScheduleSettings,
} from "../schedule.ts";
import type { Store } from "../store/store.ts";
import { didYouMean } from "../suggest.ts";
import { hashUuid } from "../uuid.ts";
import type { Work } from "./service.ts";

/** Until a schedule of this node is looked at again, however far its tick is. */
const MOST_MS = 10_000;

/** What the leader's scheduler works with. */
export interface SchedulerParts {
  store: Store;
  events: Events;
  /** Milliseconds by which a tick may be late and still not count as missed. */
  graceMs: number;
  /** Milliseconds until the next look, although nothing is due. */
  mostMs(): number;
  wake(queues: string[]): void;
  /** Hears of each envelope that was written. */
  published?(queue: string): void;
}

/** Tick the schedules of the cluster. */
export function scheduler({ store, events, graceMs, mostMs, wake, published }: SchedulerParts): Work {
  return {
    name: "scheduler",
    retryMs: 1_000,
    exact: true,
    async once() {
      const planned: Sealed[] = [];
      const { queues, next } = await store.tick((row, now) => {
        try {
          const due = dueTicks(row, row.catch_up, new Date(row.next_at!), now, graceMs);
          const envelopes = due.ticks.map((tick) => tickOf(row, tick));
          planned.push(...envelopes);
          return { envelopes, next: due.next };
        } catch (error) {
          events.emit("error", "schedule.broken", `Schedule "${row.name}" is off: ${errorLine(error)}`);
          return { envelopes: [], next: null };
        }
      });
      if (queues.length > 0) wake(queues);
      for (const { queue } of planned) if (queues.includes(queue)) published?.(queue);
      return Math.min(mostMs(), Math.max(1, (next ?? Infinity) * 1000));
    },
  };
}

/** The envelope of a tick; the same tick has the same uuid, whoever makes it. */
export function tickOf(
  row: Pick<ScheduleRow, "name" | "task" | "args" | "kwargs" | "queue" | "options">,
  tick: Date,
): Sealed {
  const uuid = tickUuid(row.name, tick);
  return seal(
    row.task,
    row.args,
    { ...optionsOf(row.options), kwargs: row.kwargs, queue: row.queue, uuid },
    tick.getTime(),
  );
}

/** The uuid of what a schedule publishes at a tick. */
export function tickUuid(name: string, tick: Date): string {
  return hashUuid(`schedule/${name}/${tick.toISOString()}`);
}

/** The options of a schedule, from its row or its configuration. */
export function optionsOf(options: Record<string, unknown>): PublishOptions {
  const { max_attempts, on_duplicate, timeout, priority, resources, preemptible } = options as Partial<
    ScheduleDefinition
  >;
  return { timeout, priority, resources, preemptible, maxAttempts: max_attempts, onDuplicate: on_duplicate };
}

/**
 * The schedule of the cluster that has this name.
 *
 * @throws {DispatcherError} `not_found`, with the name that may have been meant; `refused` when it is of scope node.
 */
export async function findSchedule(
  store: Pick<Store, "schedules">,
  name: string,
  verb: string,
): Promise<ScheduleRow> {
  const rows = await store.schedules();
  const found = rows.find((row) => row.name === name);
  if (found?.scope === "node") {
    throw new DispatcherError(
      "refused",
      `Cannot ${verb} schedule "${name}": it is of scope node, and each of its nodes goes by its own configuration`,
    );
  }
  if (found) return found;
  const guess = didYouMean(name, rows.map((row) => row.name));
  throw new DispatcherError("not_found", `Cannot ${verb} schedule "${name}": no such schedule${guess}`);
}

/** What a node's own schedules work with. */
export interface NodeScheduleParts {
  node: string;
  clock: Clock;
  publish(envelope: Sealed): Promise<void>;
}

/** Tick one of a node's own schedules, into the node's direct queue. What it missed while it was down is not its own. */
export function nodeSchedule(name: string, definition: ScheduleDefinition, parts: NodeScheduleParts): Work {
  const { node, clock, publish } = parts;
  let next = nextTick(definition, new Date(clock.now()));
  return {
    name: `schedule ${name}`,
    retryMs: 1_000,
    exact: true,
    async once() {
      if (next === null) return MOST_MS;
      const now = new Date(clock.now());
      const due: Due = dueTicks(definition, "one", next, now, 0);
      for (const tick of due.ticks) {
        await publish(tickOf({ ...rowOf(name, definition), name: `${node}/${name}`, queue: node }, tick));
      }
      next = due.next;
      return next === null ? MOST_MS : Math.max(1, Math.min(MOST_MS, next.getTime() - clock.now()));
    },
  };
}

/** What a node tells of the schedules that it ticks by itself. */
export function ownSchedules(schedules: Readonly<Record<string, ScheduleDefinition>>): NodeScheduleRow[] {
  return Object.entries(schedules).filter(([, { scope }]) => scope === "node").map(([name, definition]) => {
    const { kwargs: _kwargs, queue: _queue, next_at: _next, ...told } = rowOf(name, definition);
    return told;
  });
}

/** A configured schedule as the table has it. */
export function rowOf(name: string, d: ScheduleDefinition): ScheduleSettings {
  const { timeout, priority, resources, preemptible, max_attempts, on_duplicate } = d;
  const options = { timeout, priority, resources, preemptible, max_attempts, on_duplicate };
  return {
    name,
    task: d.task,
    args: d.args as ScheduleRow["args"],
    kwargs: d.kwargs as ScheduleRow["kwargs"],
    queue: d.queue ?? "default",
    options: Object.fromEntries(
      Object.entries(options).filter(([, value]) => value !== undefined),
    ) as ScheduleRow["options"],
    every: d.every ?? null,
    cron: d.cron ?? null,
    timezone: d.timezone ?? null,
    catch_up: d.catch_up,
    enabled: d.enabled,
    next_at: null,
  };
}
