/**
 * Why workers were replaced, counted.
 *
 * @module
 */
import type { Slot, SlotState } from "./slot.ts";

/**
 * `age`, `tasks`, `memory`: it had served its time. `killed`: its attempt was to end and its thread did not let it.
 * `exit`: its thread ended by itself, as when a task calls exit. `crash`: its host died. `stuck`: its thread could not
 * be stopped, or its host did not answer. `start`: it did not come up.
 */
export const RESTART_REASONS = [
  "age",
  "tasks",
  "memory",
  "killed",
  "exit",
  "crash",
  "stuck",
  "start",
] as const;
export type RestartReason = (typeof RESTART_REASONS)[number];

/** What a worker is held to. */
export interface Limits {
  maxTasks: number;
  maxHeapMb: number;
}

const MB = 1024 * 1024;
/** Hosts that end for these reasons are not replaced. */
const PEACEFUL = new Set(["ShutdownError", "HostUnused"]);
const STARTING: ReadonlySet<SlotState> = new Set(["initialized", "spawned", "starting"]);

/** Why a slot ended, by what it was until then; undefined when it was not wanted any more. */
export function restartReason(slot: Slot, limits: Limits): RestartReason | undefined {
  const { state, host } = slot;
  if (state === "stopping" || PEACEFUL.has(host.condemned?.name ?? "")) return undefined;
  if (state === "retired") return spentBy(slot, limits);
  if (STARTING.has(state)) return "start";
  if (host.leaky || host.condemned) return "stuck";
  if (!host.alive) return "crash";
  return slot.killed ? "killed" : "exit";
}

function spentBy({ finished, heap }: Slot, { maxTasks, maxHeapMb }: Limits): RestartReason {
  if (maxTasks > 0 && finished >= maxTasks) return "tasks";
  return heap > maxHeapMb * MB ? "memory" : "age";
}

/** Counts them. */
export class Restarts {
  readonly counts: Record<RestartReason, number> = {
    age: 0,
    tasks: 0,
    memory: 0,
    killed: 0,
    exit: 0,
    crash: 0,
    stuck: 0,
    start: 0,
  };

  /** A slot has ended. */
  note(slot: Slot, limits: Limits): void {
    const reason = restartReason(slot, limits);
    if (reason !== undefined) this.counts[reason]++;
  }
}
